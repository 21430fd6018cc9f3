/** Forgetting: a snapshot is taken out of the list. What it alone needs stays until a prune. */
import { timeOfId } from '../../model/ids.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../../model/tombstone.ts'
import { encodeTrash } from '../../model/trash.ts'
import type { CallSignal } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { runKey, snapshotKey, trashKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'

export interface ForgetOptions extends CallSignal {
  records: Records
  id: string
  /** By the caller's clock: a snapshot that is younger than a day leaves a tombstone. */
  now: Date
  /** The run that forgets; kept in the tombstone. */
  by: string
  /** For tests only: never a tombstone. */
  deletesAlways?: boolean
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Copies it to `trash/<id>`, then ends it: where `runs/<id>` still exists, or the snapshot is younger than a day, a
 * tombstone takes its place, since a late repetition of the create could bring it back; else it is deleted. False: it was
 * gone already.
 */
export async function forgetSnapshot(options: ForgetOptions): Promise<boolean> {
  const { records, id, now, signal } = options
  const key = snapshotKey(id)
  const stored = await records.find(key, { signal })
  if (stored === undefined) return false
  const object = decodeSnapshotObject(records.open('snapshots', key, stored), key)
  if ('tombstone' in object) return false
  await keepCopy(object.snapshot, options)
  throwIfAborted(signal)
  if (await mayComeBack(object.snapshot, options)) {
    const tombstone = { id, at: now, reason: 'forgotten', by: options.by } as const
    await records.put('snapshots', key, tombstoneRecord.encode(tombstone), { signal })
  } else await records.target.delete([key], { signal })
  return true
}

/** Its time counts from now, also where it was forgotten before and the end of that is not known. */
async function keepCopy(snapshot: SnapshotRecord, { records, now, signal }: ForgetOptions): Promise<void> {
  throwIfAborted(signal)
  const key = trashKey(snapshot.id)
  await records.put('snapshots', key, encodeTrash({ id: snapshot.id, at: now, snapshot }), { signal })
}

async function mayComeBack(snapshot: SnapshotRecord, options: ForgetOptions): Promise<boolean> {
  const { records, id, now, signal, deletesAlways = false } = options
  if (deletesAlways) return false
  if ((await records.target.stat(runKey(id), { signal })) !== undefined) return true
  // By its id: a copy from another repository keeps the time of what it is a copy of.
  const createdAt = Math.max(timeOfId(id) ?? now.getTime(), snapshot.createdAt.getTime())
  return createdAt > now.getTime() - DAY_MS
}
