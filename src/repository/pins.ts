/**
 * Pins: whether a repository shows at least what it has shown before. Configs and prunes only ever get higher numbers, and the
 * newest snapshot goes only if a newer one came, or leaves a tombstone. So whatever is below that was put back or deleted
 * by somebody who cannot write here rightly.
 */
import { BackupError, type Json } from '../errors.ts'
import { timeOfId } from '../model/ids.ts'
import { makePin, type Pin } from '../model/pin.ts'
import type { Tombstone } from '../model/tombstone.ts'
import type { CallSignal } from '../targets/target.ts'
import type { RepositoryKeys } from './keys/repository-keys.ts'
import type { Records } from './records.ts'
import { listGc } from './runs-absent.ts'
import type { FoundSnapshots, SnapshotInfo, Snapshots } from './snapshots.ts'

export interface PinPlace {
  readonly repositoryId: string
  readonly keys: RepositoryKeys
  readonly records: Records
  readonly snapshots: Snapshots
}

/** What there is now. @throws BackupError as `RepositoryKeys.refresh` */
export async function pinOf(place: PinPlace, now: Date, { signal }: CallSignal): Promise<Pin> {
  const { repositoryId, keys, records, snapshots } = place
  await keys.refresh(signal)
  const { n, hash } = keys.chain
  const prune = await lastPrune(records, { signal })
  const found = await snapshots.look({ signal })
  const newest = await newestSnapshot(found, now, { signal })
  return makePin({
    repositoryId,
    at: now.toISOString(),
    config: { n, hash },
    prune,
    snapshot: newest ? { id: newest.id, hash: newest.checksum } : null,
    later: newest ? laterIds(found, newest.id) : [],
  })
}

/** @throws BackupError ROLLED_BACK */
export async function checkPin(place: PinPlace, pin: Pin, { signal }: CallSignal): Promise<void> {
  const { repositoryId, keys, records, snapshots } = place
  if (repositoryId !== pin.repositoryId) {
    throw rolledBack('repository', 'this is another repository than the pinned one', { repositoryId })
  }
  const { n, hashes } = keys.chain
  if (n < pin.config.n) throw rolledBack('config', `the newest config is number ${n}`, { n, pinned: pin.config.n })
  if (hashes[pin.config.n - 1] !== pin.config.hash) {
    throw rolledBack('config', `config number ${pin.config.n} is another one`, { n, pinned: pin.config.n })
  }
  const prune = await lastPrune(records, { signal })
  if (prune < pin.prune) {
    throw rolledBack('prune', `the last prune is number ${prune}`, { prune, pinned: pin.prune })
  }
  const { snapshot } = pin
  if (snapshot === null) return
  const found = await snapshots.look({ signal })
  if (await isKept(found, snapshot, { signal })) return
  if (await hasNewer(found, snapshot.id, pin.later, { signal })) return
  const why = found.has(snapshot.id) ? 'is another object or cannot be read' : 'is gone without a trace'
  throw rolledBack('snapshot', `snapshot ${snapshot.id} ${why}, and there is none after it`, { snapshot: snapshot.id })
}

/** As it was, or forgotten. */
async function isKept(
  found: FoundSnapshots,
  { id, hash }: { id: string; hash: string },
  options: CallSignal,
): Promise<boolean> {
  const { snapshots, tombstones } = await found.one(id, options)
  return snapshots[0]?.checksum === hash || isEnded(tombstones.get(id))
}

/** Something that came after the pin: a snapshot, or what is left of one. */
async function hasNewer(
  found: FoundSnapshots,
  pinned: string,
  later: readonly string[],
  options: CallSignal,
): Promise<boolean> {
  const known = new Set(later)
  for (const id of laterIds(found, pinned)) {
    if (known.has(id)) continue
    const { snapshots, tombstones } = await found.one(id, options)
    if (snapshots.length > 0 || isEnded(tombstones.get(id))) return true
  }
  return false
}

/** On purpose, and by somebody who holds a key. */
function isEnded(tombstone: Tombstone | undefined): boolean {
  return tombstone?.reason === 'forgotten' || tombstone?.reason === 'erased'
}

/** Newest first. */
function laterIds(found: FoundSnapshots, id: string): string[] {
  return found.ids.filter((each) => each > id)
}

async function newestSnapshot(
  found: FoundSnapshots,
  now: Date,
  options: CallSignal,
): Promise<SnapshotInfo | undefined> {
  for await (const info of found.newestFirst(options)) if (isPast(info.id, now)) return info
  return undefined
}

/** By the time in its id. Those of the future come first in every order, and would hide what is missing below them. */
export function isPast(id: string, now: Date): boolean {
  return (timeOfId(id) ?? Number.POSITIVE_INFINITY) <= now.getTime()
}

async function lastPrune(records: Records, options: CallSignal): Promise<number> {
  const { open, newestDone } = await listGc(records, options)
  return Math.max(newestDone, ...open)
}

function rolledBack(what: string, why: string, details: Readonly<Record<string, Json>>): BackupError {
  return new BackupError('ROLLED_BACK', `the target shows less than the pin says that there was: ${why}`, {
    origin: 'repository',
    details: { what, ...details },
    hint: 'Find out who put an older state there or deleted something. Write nothing before that; without the pin it opens.',
  })
}
