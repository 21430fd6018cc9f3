/**
 * Who is about to forget what. Each says so in an object of its own, `runs/<id>`, which is never put again once it is gone, so
 * that it may be taken away as soon as its owner counts as dead.
 */
import { type RunRecord, runRecord } from '../../model/run.ts'
import type { CallSignal } from '../../targets/target.ts'
import type { Clock } from '../../util/clock.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { runKey } from '../keys-layout.ts'
import { isNewEpoch, type Records } from '../records.ts'
import { isDamage } from '../records-listing.ts'
import { StandingStill } from './standing-still.ts'
import { FORGET_VERB, listRuns, PRUNE_VERB } from './wait.ts'

/** More often than other runs, so that two who forget at once do not wait long for a sign of life. */
export const FORGET_BEAT_MS = 10_000

export interface Announced {
  readonly run: string
  /** 'forget' ends snapshots; 'prune' takes copies away. Undefined: it cannot be read, and may be anything. */
  readonly verb: typeof FORGET_VERB | typeof PRUNE_VERB | undefined
  readonly ids: ReadonlySet<string>
}

/** Everybody else who has said so about one of these ids. Runs that cannot be read count for all of them. */
export async function announcedAbout(
  records: Records,
  ids: ReadonlySet<string>,
  { self, signal }: CallSignal & { self: string },
): Promise<Announced[]> {
  const runs = (await listRuns(records, { signal })).filter((id) => id !== self)
  const read = async (run: string): Promise<Announced | undefined> => {
    const stored = await records.find(runKey(run), { signal })
    return stored && (await judge(records, run, stored, ids, signal))
  }
  const found: Announced[] = []
  for await (const each of mapBounded(runs, records.target.traits.maxConcurrency, read, signal)) {
    if (each) found.push(each)
  }
  return found
}

async function judge(
  records: Records,
  run: string,
  stored: Uint8Array,
  ids: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Announced | undefined> {
  const record = await readRun(records, run, stored, signal)
  if (record === undefined) return { run, verb: undefined, ids }
  const { verb, forgets = [] } = record
  if (verb !== FORGET_VERB && verb !== PRUNE_VERB) return undefined
  const about = forgets.filter((id) => ids.has(id))
  return about.length > 0 ? { run, verb, ids: new Set(about) } : undefined
}

async function readRun(
  records: Records,
  run: string,
  stored: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<RunRecord | undefined> {
  const key = runKey(run)
  const open = (): RunRecord => runRecord.decode(records.open('control', key, stored, runRecord.maxBytes), key)
  try {
    return open()
  } catch (error) {
    if (isNewEpoch(error) && (await records.refreshKeys(signal))) return open()
    if (isDamage(error)) return undefined
    throw error
  }
}

export interface WatchOptions extends CallSignal {
  records: Records
  clock: Clock
  /** What does not change for so many milliseconds counts as dead. */
  stillMs: number
  /** Between two looks, in milliseconds. */
  pollMs: number
  /** No longer than this, in milliseconds: whoever is left then counts as living. */
  waitMs?: number | undefined
  /** 'life': one that gives a sign of life is waited for no more. 'end': until all are over. */
  until: 'life' | 'end'
  /** Told before each pause. */
  onWait?: (() => void) | undefined
}

/** Gives those that live. All others are over: their `runs/<id>` is gone, or stood still and was taken away here. */
export async function whoLives(announced: readonly Announced[], options: WatchOptions): Promise<Announced[]> {
  const { clock, signal, stillMs, pollMs, until, waitMs = Number.POSITIVE_INFINITY, onWait } = options
  const still = new StandingStill(2 * pollMs)
  const first = new Map<string, string>()
  const since = clock.monotonicMs()
  const living: Announced[] = []
  for (let waiting = [...announced]; ; ) {
    const left: Announced[] = []
    for (const each of waiting) {
      const state = await look(each, still, first, options)
      if (state === 'moves' && until === 'life') living.push(each)
      else if (state !== 'over') left.push(each)
    }
    if (left.length === 0 || clock.monotonicMs() - since >= waitMs) return [...living, ...left]
    waiting = left
    onWait?.()
    await clock.sleep(Math.min(pollMs, stillMs), { signal })
  }
}

async function look(
  { run, verb }: Announced,
  still: StandingStill,
  first: Map<string, string>,
  { records, clock, stillMs, signal }: WatchOptions,
): Promise<'moves' | 'still' | 'over'> {
  const stored = await records.find(runKey(run), { signal })
  if (stored === undefined) return 'over'
  const stamp = Buffer.from(stored).toString('latin1')
  const before = first.get(run)
  first.set(run, before ?? stamp)
  const stillForMs = still.look(run, stamp, clock.monotonicMs())
  if (stillForMs < stillMs) return before === undefined || before === stamp ? 'still' : 'moves'
  // One that cannot be read may be a writer's, whom a prune has to fence first.
  if (verb !== undefined) await records.target.delete([runKey(run)], { signal })
  return 'over'
}
