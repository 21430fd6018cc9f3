/** What is left to delete once a prune is decided. All of it can be done again, by any later prune, if it is cut short. */
import { runRecord } from '../../model/run.ts'
import { MAX_SNAPSHOT_BYTES } from '../../model/snapshot.ts'
import { decodeSnapshotObject } from '../../model/tombstone.ts'
import type { CallSignal } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Clock } from '../../util/clock.ts'
import { gcKey, PREFIX, packKey, parseKey, runKey, snapshotKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'
import { isDamage } from '../records-listing.ts'
import { stubOutcome } from './gc.ts'
import { fence, isWithoutCommit, listRuns } from './wait.ts'

const DELETE_AT_ONCE = 500
/** An outcome without a list is smaller than this. */
const STUB_BYTES = 1024
const DAY_MS = 24 * 60 * 60 * 1000
/** A run without a snapshot and without a beat for so long, by the clocks of both, is given up. If it lives, it runs again. */
const SILENT_MS = 7 * DAY_MS

export interface TidyOptions extends CallSignal {
  records: Records
  clock: Clock
  /** The prune's own run. */
  self: string
}

/** Deletes packs, by name, in portions. */
export async function deletePacks(
  names: readonly string[],
  { records, signal }: CallSignal & { records: Records },
  onDeleted: (packs: number) => void,
): Promise<void> {
  for (let at = 0; at < names.length; at += DELETE_AT_ONCE) {
    throwIfAborted(signal)
    const some = names.slice(at, at + DELETE_AT_ONCE)
    await records.target.delete(some.map(packKey), { signal })
    onDeleted(some.length)
  }
}

/** Candidates of prunes that have an outcome, and older lists of dead packs that are part of the newest. */
export async function tidyGc({ records, clock, self, signal }: TidyOptions): Promise<void> {
  const begun: number[] = []
  const done = new Map<number, number>()
  for await (const { key, size } of records.target.list(PREFIX.gc, { signal })) {
    const parsed = parseKey(key)
    if (parsed?.area !== 'gc') continue
    if (parsed.done) done.set(parsed.n, size)
    else begun.push(parsed.n)
  }
  const newest = Math.max(0, ...done.keys())
  for (const [n, size] of done) {
    if (n < newest && size > STUB_BYTES) await stubOutcome(records, { n, run: self, at: clock.now(), signal })
  }
  const over = begun.filter((n) => n <= newest)
  if (over.length > 0) await records.target.delete(over.map(gcKey), { signal })
}

/**
 * Objects of runs that are over: those that a tombstone keeps from committing; committed ones, prunes, and who forgets, a day
 * after their last sign of life, when even a process that was suspended has had its answer. What has died without a commit is fenced
 * after a week.
 */
export async function tidyRuns(options: TidyOptions, keepsCommitted: boolean): Promise<void> {
  const { records, self, signal } = options
  for (const id of await listRuns(records, { signal })) {
    if (id === self) continue
    const state = await stateOf(id, options, keepsCommitted)
    if (state === 'over') await records.target.delete([runKey(id)], { signal })
    // A prune without candidates waits for nobody, so nobody else would end it.
    else if (state === 'silent') await fence(id, options)
  }
}

async function stateOf(
  id: string,
  { records, clock, signal }: TidyOptions,
  keepsCommitted: boolean,
): Promise<'over' | 'silent' | 'alive'> {
  const stored = await records.find(runKey(id), { signal })
  const run = stored && decodeRun(records, id, stored)
  // The beat says how long it lived.
  const lastMs = run === undefined ? Number.POSITIVE_INFINITY : run.startedAt.getTime() + run.beat * BEAT_MS
  const isOld = lastMs < clock.now().getTime() - DAY_MS
  if (run && isWithoutCommit(run.verb)) return isOld ? 'over' : 'alive'
  const key = snapshotKey(id)
  const snapshot = await records.find(key, { signal })
  if (snapshot === undefined) return lastMs < clock.now().getTime() - SILENT_MS ? 'silent' : 'alive'
  return !keepsCommitted || isOld || isTombstone(records, key, snapshot) ? 'over' : 'alive'
}

/** One that cannot be read is not known to be one. */
function isTombstone(records: Records, key: string, stored: Uint8Array): boolean {
  try {
    return 'tombstone' in decodeSnapshotObject(records.open('snapshots', key, stored, MAX_SNAPSHOT_BYTES), key)
  } catch (error) {
    if (isDamage(error)) return false
    throw error
  }
}

const BEAT_MS = 60_000

function decodeRun(records: Records, id: string, stored: Uint8Array): ReturnType<typeof runRecord.decode> | undefined {
  try {
    const key = runKey(id)
    return runRecord.decode(records.open('control', key, stored, runRecord.maxBytes), key)
  } catch (error) {
    if (isDamage(error)) return undefined
    throw error
  }
}
