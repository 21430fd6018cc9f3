/** Forgetting: a snapshot is taken out of the list. What it alone needs stays until a prune. */
import { timeOfId } from '../../model/ids.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../../model/tombstone.ts'
import { encodeTrash } from '../../model/trash.ts'
import type { CallSignal } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { runKey, snapshotKey, trashKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'
import { isErased } from './erased.ts'

export interface ForgetOptions extends CallSignal {
  records: Records
  id: string
  /** By the caller's clock: a snapshot that is younger than a day leaves a tombstone. */
  now: Date
  /** The run that forgets; kept in the tombstone. */
  by: string
  /** Asked right before it is ended: false leaves it. Default: true. */
  isSure?: () => boolean
  /**
   * It is the newest: a tombstone takes its place whatever its age. Default false. So the newest object never goes, and what is missing beyond it was taken away by somebody else (see `pins.ts`).
   */
  isNewest?: boolean
  /** For tests only: never a tombstone. */
  deletesAlways?: boolean
}

const DAY_MS = 24 * 60 * 60 * 1000
/** 'unsure': `isSure` has said no, and nothing was ended. */
export type Forgot = 'forgotten' | 'gone' | 'unsure'

/** Puts a copy at `trash/<id>` and ends it. Where it is not known what became of the end, the copy stays. */
export async function forgetSnapshot(options: ForgetOptions): Promise<Forgot> {
  const snapshot = await copyToTrash(options)
  if (!snapshot) return 'gone'
  return (await endSnapshot(snapshot, options)) ? 'forgotten' : 'unsure'
}

/**
 * Undefined: it was gone already. The time of the copy counts from now, also where it was forgotten before and the end of that
 * is not known.
 */
async function copyToTrash(options: ForgetOptions): Promise<SnapshotRecord | undefined> {
  const { records, id, now, signal } = options
  const key = snapshotKey(id)
  const stored = await records.find(key, { signal })
  if (stored === undefined) return undefined
  const object = decodeSnapshotObject(records.open('snapshots', key, stored), key)
  if ('tombstone' in object) return undefined
  const { snapshot } = object
  throwIfAborted(signal)
  const sealed = records.seal('snapshots', trashKey(id), encodeTrash({ id, at: now, snapshot }))
  await records.target.put(trashKey(id), sealed, { signal })
  // An erasure since then has taken away no copy that was not there yet.
  if (!(await isErased(records, id, { signal }))) return snapshot
  await records.target.delete([trashKey(id)], { signal })
  return undefined
}

/**
 * Where `runs/<id>` still exists, or the snapshot is younger than a day, a tombstone takes its place, since a late repetition
 * of the create could bring it back; else it is deleted.
 */
async function endSnapshot(snapshot: SnapshotRecord, options: ForgetOptions): Promise<boolean> {
  const { records, id, now, signal, isSure } = options
  const key = snapshotKey(id)
  const isTombstone = await mayComeBack(snapshot, options)
  throwIfAborted(signal)
  if (isSure && !isSure()) return false
  if (isTombstone) {
    const tombstone = { id, at: now, reason: 'forgotten', by: options.by } as const
    await records.put('snapshots', key, tombstoneRecord.encode(tombstone), { signal })
  } else await records.target.delete([key], { signal })
  return true
}

async function mayComeBack(snapshot: SnapshotRecord, options: ForgetOptions): Promise<boolean> {
  const { records, id, now, signal, isNewest = false, deletesAlways = false } = options
  if (deletesAlways) return false
  if (isNewest) return true
  if ((await records.target.stat(runKey(id), { signal })) !== undefined) return true
  // By its id: a copy from another repository keeps the time of what it is a copy of.
  const createdAt = Math.max(timeOfId(id) ?? now.getTime(), snapshot.createdAt.getTime())
  return createdAt > now.getTime() - DAY_MS
}
