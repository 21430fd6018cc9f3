/**
 * Ending a snapshot for good. A tombstone `erased` takes its place, whatever its age: a copy of it that somebody is about to put
 * into `trash/`, or has put there before, brings nothing back, and keeps nothing from a prune.
 */
import { decodeSnapshotObject, tombstoneRecord } from '../../model/tombstone.ts'
import type { CallSignal } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { snapshotKey, trashKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'

export interface EraseSnapshotOptions extends CallSignal {
  records: Records
  id: string
  now: Date
  /** For tests only: without the tombstone that says that it was erased. */
  leavesNoMark?: boolean
}

/** Who forgets the same one may overwrite the tombstone, once. */
const ATTEMPTS = 3

/**
 * Also of one that is gone already, and may have a copy. The copy is deleted after the tombstone is there, and then it is looked
 * whether that still stands: whoever overwrites it later has put his copy before it was deleted.
 */
export async function eraseSnapshot(options: EraseSnapshotOptions): Promise<void> {
  const { records, id, now, leavesNoMark = false, signal } = options
  const key = snapshotKey(id)
  // Without its author: shorter than any other tombstone, so that a listing shows that it has taken the place of one.
  const tombstone = tombstoneRecord.encode({ id, at: now, reason: leavesNoMark ? 'forgotten' : 'erased' })
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    throwIfAborted(signal)
    await records.put('snapshots', key, tombstone, { signal })
    throwIfAborted(signal)
    await records.target.delete([trashKey(id)], { signal })
    if (leavesNoMark || (await isErased(records, id, { signal }))) return
  }
}

/** Read anew. */
export async function isErased(records: Records, id: string, options: CallSignal): Promise<boolean> {
  const key = snapshotKey(id)
  const stored = await records.find(key, options)
  const object = stored && decodeSnapshotObject(records.open('snapshots', key, stored), key)
  return object !== undefined && 'tombstone' in object && object.tombstone.reason === 'erased'
}
