/** Forgetting: a snapshot is taken out of the list. What it alone needs stays until a prune. */
import { timeOfId } from '../../model/ids.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../../model/tombstone.ts'
import { decodeTrash, encodeTrash, MAX_TRASH_BYTES } from '../../model/trash.ts'
import type { CallSignal } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { PREFIX, parseKey, runKey, snapshotKey, trashKey } from '../keys-layout.ts'
import { type Records, sameBytes } from '../records.ts'
import { isDamage } from '../records-listing.ts'
import { cleanupSignal } from '../runs.ts'

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
/** For so long an announcement counts. Whoever makes one looks again long before. */
const ANNOUNCED_MS = 60 * 60 * 1000

/** Announced: its copy is in `trash/<id>`, and it is still there. */
export interface GoingSnapshot {
  readonly snapshot: SnapshotRecord
  /** The copy as it is stored. */
  readonly sealed: Uint8Array
}

/** Announces it and ends it. False: it was gone already. */
export async function forgetSnapshot(options: ForgetOptions): Promise<boolean> {
  const going = await announceForgetting(options)
  if (going) await endSnapshot(going, options)
  return going !== undefined
}

/**
 * Puts a copy at `trash/<id>`, which also tells others that it is going. Undefined: it was gone already. The time of the copy
 * counts from now, also where it was forgotten before and the end of that is not known.
 */
export async function announceForgetting(options: ForgetOptions): Promise<GoingSnapshot | undefined> {
  const { records, id, now, signal } = options
  const key = snapshotKey(id)
  const stored = await records.find(key, { signal })
  if (stored === undefined) return undefined
  const object = decodeSnapshotObject(records.open('snapshots', key, stored), key)
  if ('tombstone' in object) return undefined
  const { snapshot } = object
  throwIfAborted(signal)
  const sealed = records.seal('snapshots', trashKey(id), encodeTrash({ id, at: now, snapshot }))
  await records.target.put(trashKey(id), sealed.slice(), { signal })
  return { snapshot, sealed }
}

/** Ends it without a copy: nobody can bring it back. Also takes away the copy that another call has put there. */
export async function eraseSnapshot(options: ForgetOptions): Promise<void> {
  const { records, id, signal } = options
  const key = snapshotKey(id)
  const stored = await records.find(key, { signal })
  const object = stored && decodeSnapshotObject(records.open('snapshots', key, stored), key)
  if (object && 'snapshot' in object) await endSnapshot(object, options)
  throwIfAborted(signal)
  await records.target.delete([trashKey(id)], { signal })
}

/**
 * Where `runs/<id>` still exists, or the snapshot is younger than a day, a tombstone takes its place, since a late repetition
 * of the create could bring it back; else it is deleted.
 */
export async function endSnapshot(
  { snapshot }: Pick<GoingSnapshot, 'snapshot'>,
  options: ForgetOptions,
): Promise<void> {
  const { records, id, now, signal } = options
  throwIfAborted(signal)
  const key = snapshotKey(id)
  if (await mayComeBack(snapshot, options)) {
    const tombstone = { id, at: now, reason: 'forgotten', by: options.by } as const
    await records.put('snapshots', key, tombstoneRecord.encode(tombstone), { signal })
  } else await records.target.delete([key], { signal })
}

/** It stays after all: takes the copy away, unless it is another's by now. Best effort; a copy that stays does no harm. */
export async function withdraw({ snapshot: { id }, sealed }: GoingSnapshot, records: Records): Promise<void> {
  const key = trashKey(id)
  const signal = cleanupSignal()
  const there = await records.find(key, { signal }).catch(() => undefined)
  if (there && sameBytes(there, sealed)) await records.target.delete([key], { signal }).catch(() => undefined)
}

/**
 * Those of the snapshots that somebody is about to forget: announced less than an hour ago, before or after now by the clock of
 * whoever did. An older copy was left by a call that was cut short, or came late, and its snapshot is there and stays.
 */
export async function announcedBy(
  records: Records,
  ids: ReadonlySet<string>,
  { now, signal }: CallSignal & { now: Date },
): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of records.target.list(PREFIX.trash, { signal })) {
    const parsed = parseKey(key)
    if (parsed?.area !== 'trash' || !ids.has(parsed.id)) continue
    const stored = await records.find(key, { signal })
    if (stored && !(Math.abs(now.getTime() - timeOfTrash(records, key, stored)) >= ANNOUNCED_MS)) found.push(parsed.id)
  }
  return found
}

/** One that cannot be read counts as new. */
function timeOfTrash(records: Records, key: string, stored: Uint8Array): number {
  try {
    return decodeTrash(records.open('snapshots', key, stored, MAX_TRASH_BYTES), key).at.getTime()
  } catch (error) {
    if (isDamage(error)) return Number.NaN
    throw error
  }
}

async function mayComeBack(snapshot: SnapshotRecord, options: ForgetOptions): Promise<boolean> {
  const { records, id, now, signal, deletesAlways = false } = options
  if (deletesAlways) return false
  if ((await records.target.stat(runKey(id), { signal })) !== undefined) return true
  // By its id: a copy from another repository keeps the time of what it is a copy of.
  const createdAt = Math.max(timeOfId(id) ?? now.getTime(), snapshot.createdAt.getTime())
  return createdAt > now.getTime() - DAY_MS
}
