/** A writer's run: its presence in the repository from before it looks at anything until after its commit. */
import { BackupError } from '../errors.ts'
import { type Config, requireFeatures } from '../model/config.ts'
import { runRecord } from '../model/run.ts'
import type { CallSignal } from '../targets/target.ts'
import type { Clock } from '../util/clock.ts'
import { runKey } from './keys-layout.ts'
import type { Records } from './records.ts'
import { type AbsentPacks, readAbsentPacks } from './runs-absent.ts'
import { Heartbeat, instantOf } from './runs-heartbeat.ts'
import type { FoundSnapshots, Snapshots } from './snapshots.ts'

export interface StartRunOptions extends CallSignal {
  /** Also the id of the snapshot that it will commit. */
  runId: string
  verb: string
  host: string
  clock: Clock
  /** Default: this process. */
  pid?: number
  /** Milliseconds between heartbeats. Default 60,000. */
  heartbeatMs?: number
  /** Snapshots that it says it may end; see `runRecord`. */
  forgets?: readonly string[]
}

/** What a run needs of a repository. */
export interface RunPlace {
  readonly records: Records
  readonly snapshots: Snapshots
  /** As it is known by now: the newest. */
  readonly config: Config
}

/** Cleaning up must not wait for ever for a target that is gone. */
const CLEANUP_MS = 30_000

/** For calls that tidy up after an abort: they have a time limit of their own. */
export function cleanupSignal(): AbortSignal {
  return AbortSignal.timeout(CLEANUP_MS)
}

export class Run {
  readonly runId: string
  readonly startedAt: Date
  /** Packs that this run must neither reuse nor count on. */
  readonly absent: AbsentPacks
  /** What was there when it started; the parent is chosen from these. */
  readonly found: FoundSnapshots
  readonly heartbeat: Heartbeat
  readonly #records: Records
  #kept = false
  #gone = false

  constructor(records: Records, start: RunStart) {
    this.#records = records
    this.runId = start.runId
    this.startedAt = start.startedAt
    this.absent = start.absent
    this.found = start.found
    this.heartbeat = start.heartbeat
  }

  /**
   * Whether the commit happened is not known: `runs/<id>` has to stay, so that a prune waits for the answer or makes it
   * certain.
   */
  keep(): void {
    this.#kept = true
  }

  /**
   * Ends it: stops the heartbeat and takes `runs/<id>` away. For every end, good or bad; a second call does nothing
   * new. Resolves false if the object is still there, which the next prune cleans up.
   */
  async finish(): Promise<boolean> {
    await this.heartbeat.stop()
    if (this.#kept) return false
    this.#gone ||= await removeRun(this.#records, this.runId)
    return this.#gone
  }
}

interface RunStart extends Presence {
  runId: string
  absent: AbsentPacks
  found: FoundSnapshots
}

/**
 * The order is the safety: `runs/<id>`, then `gc/`, then the snapshots; whoever loads the index or chooses a parent does it
 * after this. RUN_EXISTS if that id is in use or has been; RUN_FENCED if it was given up; FORMAT_UNSUPPORTED where writing needs more than
 * this version knows.
 */
export async function startRun(place: RunPlace, options: StartRunOptions): Promise<Run> {
  const { records, snapshots } = place
  const { runId, signal } = options
  const presence = await announceRun(records, options)
  try {
    // What this run stores is to be sealed under the newest epoch, also in an engine that is open for weeks.
    const [absent] = await Promise.all([readAbsentPacks(records, { signal }), records.refreshKeys(signal)])
    requireFeatures(place.config, 'write')
    const found = await snapshots.look({ signal })
    await requireUnused(runId, found, { signal })
    return new Run(records, { runId, absent, found, ...presence })
  } catch (error) {
    await leaveRun(records, runId, presence)
    throw error
  }
}

/** What others see of a run that is under way. */
export interface Presence {
  readonly startedAt: Date
  readonly heartbeat: Heartbeat
}

/** Creates `runs/<id>` and keeps it moving. RUN_EXISTS if that id is in use. */
export async function announceRun(records: Records, options: StartRunOptions): Promise<Presence> {
  const { runId, clock, signal } = options
  const startedAt = clock.now()
  const since = instantOf(clock)
  await announce(records, runId, sealRun(records, options, startedAt, 0), options)
  const heartbeat = new Heartbeat({
    clock,
    since,
    signal,
    beat: (n, stop) => records.target.put(runKey(runId), sealRun(records, options, startedAt, n), { signal: stop }),
    ...(options.heartbeatMs !== undefined && { everyMs: options.heartbeatMs }),
  })
  return { startedAt, heartbeat }
}

/** Ends what `announceRun` began. Resolves false if `runs/<id>` is still there, which the next prune cleans up. */
export async function leaveRun(records: Records, runId: string, { heartbeat }: Presence): Promise<boolean> {
  await heartbeat.stop()
  return removeRun(records, runId)
}

/** Stores the first beat. Where it is not known whether it was stored, it is taken away again. */
async function announce(
  records: Records,
  runId: string,
  sealed: Uint8Array<ArrayBuffer>,
  { signal }: CallSignal,
): Promise<void> {
  const outcome = await records.create(runKey(runId), sealed, { signal }).catch(async (error: unknown) => {
    await removeOwn(records, runId, sealed)
    throw error
  })
  if (outcome === 'exists') throw runExists(runId, 'is active')
}

function sealRun(records: Records, options: StartRunOptions, startedAt: Date, beat: number): Uint8Array<ArrayBuffer> {
  const { runId: id, verb, host, pid = process.pid, forgets } = options
  const run = { id, verb, startedAt, host, pid, beat, ...(forgets && { forgets: [...forgets] }) }
  return records.seal('control', runKey(id), runRecord.encode(run))
}

/** A damaged object of that id counts too: nobody can say what it was. */
async function requireUnused(runId: string, found: FoundSnapshots, options: CallSignal): Promise<void> {
  if (!found.has(runId)) return
  const { tombstones } = await found.one(runId, options)
  throw tombstones.has(runId) ? runFenced(runId) : runExists(runId, 'has made a snapshot')
}

/** Best effort: what stays is cleaned up by the next prune. */
async function removeRun(records: Records, runId: string): Promise<boolean> {
  return records.target.delete([runKey(runId)], { signal: cleanupSignal() }).then(
    () => true,
    () => false,
  )
}

/** The same, but only if it is what this run stored, and not another run's of the same id. */
async function removeOwn(records: Records, runId: string, sealed: Uint8Array): Promise<void> {
  const there = await records.find(runKey(runId), { signal: cleanupSignal() }).catch(() => undefined)
  if (there !== undefined && Buffer.compare(there, sealed) === 0) await removeRun(records, runId)
}

export function runExists(runId: string, why: string): BackupError {
  return new BackupError('RUN_EXISTS', `a run ${runId} ${why} already`, {
    origin: 'usage',
    details: { runId },
    hint: 'Give every run an id of its own, or none.',
  })
}

export function runFenced(runId: string, why = 'was given up by a prune'): BackupError {
  return new BackupError('RUN_FENCED', `the run ${runId} ${why}, and may not commit`, {
    origin: 'repository',
    retryable: true,
    details: { runId },
    hint: 'Run the backup again: what was uploaded is used if it is still there. It stood still for too long before.',
  })
}
