/** Waiting for the runs that may not know of a prune: until each has ended, or is made to. */
import { runRecord } from '../../model/run.ts'
import { decodeSnapshotObject, tombstoneRecord } from '../../model/tombstone.ts'
import type { CallSignal } from '../../targets/target.ts'
import type { Clock } from '../../util/clock.ts'
import { PREFIX, parseKey, runKey, snapshotKey } from '../keys-layout.ts'
import { certainlyRefused, type Records } from '../records.ts'
import { isDamage } from '../records-listing.ts'
import { StandingStill } from './standing-still.ts'

export interface WaitOptions extends CallSignal {
  records: Records
  clock: Clock
  /** The waiter's own run, which counts for nothing. */
  self: string
  /** A run whose object does not change for so many milliseconds is given up. */
  stillMs: number
  /** Between two looks, in milliseconds. */
  pollMs: number
  /** Give up waiting after so many milliseconds. */
  waitMs?: number | undefined
  /** Told before each pause, with those that are still waited for. */
  onWait?: ((runs: readonly string[]) => void) | undefined
}

/**
 * For every run that is there now; those that come later know of the prune. Each has to end: `runs/<id>` is gone, or
 * `snapshots/<id>` is there. What stands still is fenced by a tombstone in its snapshot's place. Gives the runs that have
 * not ended when `waitMs` was over.
 */
export async function waitForRuns(options: WaitOptions): Promise<string[]> {
  const { records, clock, self, signal, stillMs, pollMs, waitMs = Number.POSITIVE_INFINITY, onWait } = options
  const still = new StandingStill(2 * pollMs)
  const since = clock.monotonicMs()
  let waiting = (await listRuns(records, { signal })).filter((id) => id !== self)
  for (;;) {
    const left: string[] = []
    for (const id of waiting) if (!(await hasEnded(id, still, options))) left.push(id)
    if (left.length === 0 || clock.monotonicMs() - since >= waitMs) return left
    waiting = left
    onWait?.(left)
    await clock.sleep(Math.min(pollMs, stillMs), { signal })
  }
}

export async function listRuns(records: Records, options: CallSignal): Promise<string[]> {
  const ids: string[] = []
  for await (const { key } of records.target.list(PREFIX.runs, options)) {
    const parsed = parseKey(key)
    if (parsed?.area === 'runs') ids.push(parsed.id)
  }
  return ids
}

/** Runs that have committed nothing yet, and may still do so. Dead ones are among them until a prune has fenced them. */
export async function runsToCome(records: Records, { signal }: CallSignal): Promise<string[]> {
  const ids: string[] = []
  for (const id of await listRuns(records, { signal })) {
    const stored = await records.find(runKey(id), { signal })
    if (stored === undefined || commitsNothing(records, id, stored)) continue
    if ((await records.target.stat(snapshotKey(id), { signal })) === undefined) ids.push(id)
  }
  return ids
}

/** The run is looked at before its snapshot: it is taken away after the commit. */
async function hasEnded(id: string, still: StandingStill, options: WaitOptions): Promise<boolean> {
  const { records, clock, stillMs, signal } = options
  const stored = await records.find(runKey(id), { signal })
  if (stored === undefined) return true
  if (commitsNothing(records, id, stored)) return true
  if ((await records.target.stat(snapshotKey(id), { signal })) !== undefined) return true
  if (still.look(id, Buffer.from(stored).toString('latin1'), clock.monotonicMs()) < stillMs) return false
  await fence(id, options)
  return true
}

/** Prunes, and who forgets, commit no snapshots. What cannot be read is taken for a run that does. */
function commitsNothing(records: Records, id: string, stored: Uint8Array): boolean {
  try {
    const key = runKey(id)
    return isWithoutCommit(runRecord.decode(records.open('control', key, stored, runRecord.maxBytes), key).verb)
  } catch (error) {
    if (isDamage(error)) return false
    throw error
  }
}

export const PRUNE_VERB = 'prune'
export const FORGET_VERB = 'forget'

export function isWithoutCommit(verb: string): boolean {
  return verb === PRUNE_VERB || verb === FORGET_VERB
}

/**
 * Makes sure that the run can commit no more. A tombstone stays for good, so it does no harm to put one again when the
 * reply was lost. If the run was faster and has committed, its `runs/<id>` stays.
 */
export async function fence(
  id: string,
  options: Pick<WaitOptions, 'records' | 'clock' | 'self' | 'signal'>,
): Promise<void> {
  const { records, clock, self, signal } = options
  const key = snapshotKey(id)
  const tombstone = tombstoneRecord.encode({ id, at: clock.now(), reason: 'fenced', by: self })
  const sealed = records.seal('snapshots', key, tombstone)
  for (let attempt = 1; ; attempt++) {
    // Where the target cannot create once, a create that is repeated would overwrite what has come since.
    if (!records.target.traits.createOnly && (await hasCommitted(records, key, { signal }))) return
    try {
      const outcome = await records.create(key, sealed, { signal })
      if (outcome === 'exists' && !(await isTombstone(records, key, { signal }))) return
      break
    } catch (error) {
      if (certainlyRefused(error) || attempt >= FENCE_ATTEMPTS) throw error
    }
  }
  await records.target.delete([runKey(id)], { signal })
}

const FENCE_ATTEMPTS = 3

async function hasCommitted(records: Records, key: string, options: CallSignal): Promise<boolean> {
  return (await records.find(key, options)) !== undefined && !(await isTombstone(records, key, options))
}

async function isTombstone(records: Records, key: string, options: CallSignal): Promise<boolean> {
  const stored = await records.find(key, options)
  return stored !== undefined && 'tombstone' in decodeSnapshotObject(records.open('snapshots', key, stored), key)
}

/**
 * True once the owner of an open prune counts as dead: its object, or the lack of it, has not changed for `stillMs`.
 * False as soon as it shows a sign of life, or when the prune has an outcome.
 */
export async function ownerIsDead(
  owner: string,
  isOpen: () => Promise<boolean>,
  options: Omit<WaitOptions, 'self'>,
): Promise<boolean> {
  const { records, clock, stillMs, pollMs, signal, onWait } = options
  const still = new StandingStill(2 * pollMs)
  let first: string | undefined
  for (;;) {
    if (!(await isOpen())) return false
    const stored = await records.find(runKey(owner), { signal })
    const stamp = stored === undefined ? 'none' : Buffer.from(stored).toString('latin1')
    first ??= stamp
    if (stamp !== first) return false
    if (still.look(owner, stamp, clock.monotonicMs()) >= stillMs) return true
    onWait?.([owner])
    await clock.sleep(Math.min(pollMs, stillMs), { signal })
  }
}
