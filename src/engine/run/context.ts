/** Around every verb: an id, one signal for all ways to stop, limits, a turn, events, a report, and a clean end. */
import type { Json } from '../../errors.ts'
import type { EngineEvents, ReportedVerb, Verb, Warning } from '../../events.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { callGuarded } from '../logger.ts'
import type { EngineContext } from '../types/context.ts'
import type { RunResults } from '../types/index.ts'
import type { CallOptions, RunResult } from '../types/run.ts'
import { announceProgress, announceStart, announceWarning, runEvent } from './announce.ts'
import { concludeQuietly, concludeRun } from './conclude.ts'
import { asCurrent } from './current-run.ts'
import { executeRun } from './execute.ts'
import type { ProgressMeter } from './progress.ts'
import type { RunSummary } from './report.ts'
import { Run } from './state.ts'

/** What a verb's body is given. */
export interface RunContext {
  readonly runId: string
  readonly verb: Verb
  readonly actor: string | undefined
  readonly startedAt: Date
  /** Aborts on the caller's signal, on `abort()` of the run, on its limits, and when the engine closes. */
  readonly signal: AbortSignal
  readonly progress: ProgressMeter
  warn(warning: Warning): void
  /** Emits an event that is not the verb's own; run, actor and time are added. */
  emit<K extends RunEventName>(event: K, fields: RunEventFields<K>): void
}

export type RunEventName = 'source:open' | 'source:release' | 'target:retry'
export type RunEventFields<K extends RunEventName> = Omit<EngineEvents[K], 'runId' | 'actor' | 'at'>

export interface RunCall<V extends Verb, R> {
  verb: V
  /** Checked already. */
  options: CallOptions
  /** No two runs that share one of these are under way at once, e.g. `source:uploads`. */
  exclusive?: readonly string[]
  /** The options for the report: plain, no secrets (see `describeOptions`). Default: nothing. */
  describe?: Json
  /** What the report says about a result. */
  summarize?(result: R): RunSummary
}

/** A body's own part of a verb's result: `withRun` adds the rest. */
export type BodyResult<V extends ReportedVerb> = Omit<RunResults[V], keyof RunResult>

/**
 * Runs a verb that has events and a report. Registers the run before it first waits, so a caller can follow it at once.
 * @throws BackupError RUN_EXISTS, ABORTED, TIMEOUT, whatever the body throws; INTERNAL for anything else
 */
export async function withRun<V extends ReportedVerb>(
  engine: EngineContext,
  call: RunCall<V, BodyResult<V>>,
  body: (run: RunContext) => Promise<BodyResult<V>>,
): Promise<RunResults[V]> {
  const run = beginRun(engine, call)
  announceStart(engine, run)
  const outcome = await executeRun(engine, run, call, () => asCurrent(contextOf(engine, run), body))
  return await concludeRun(engine, run, call, outcome)
}

/**
 * Runs a verb that only looks: it can be listed, followed, aborted and limited, but emits no events and leaves no report.
 * @throws as `withRun`
 */
export async function withQuietRun<R>(
  engine: EngineContext,
  call: RunCall<Exclude<Verb, ReportedVerb>, R>,
  body: (run: RunContext) => Promise<R>,
): Promise<R> {
  const run = beginRun(engine, call)
  const outcome = await executeRun(engine, run, call, () => body(contextOf(engine, run)))
  return await concludeQuietly(engine, run, call, outcome)
}

function beginRun<R>(engine: EngineContext, { verb, options }: RunCall<Verb, R>): Run {
  engine.lifetime.assertOpen()
  throwIfAborted(options.signal)
  const { onProgress } = options
  const run: Run = new Run({
    runId: options.runId ?? engine.newRunId(),
    verb,
    actor: options.actor,
    clock: engine.clock,
    signals: [options.signal, engine.lifetime.signal],
    onProgress: (progress) => {
      announceProgress(engine, run, progress)
      if (onProgress) callGuarded(engine.logger, 'onProgress', onProgress, progress)
    },
    onWarning: (warning) => announceWarning(engine, run, warning),
  })
  engine.runs.add(run)
  return run
}

function contextOf(engine: EngineContext, run: Run): RunContext {
  return {
    runId: run.runId,
    verb: run.verb,
    actor: run.actor,
    startedAt: run.startedAt,
    signal: run.signal,
    progress: run.progress,
    warn: (warning) => run.warn(warning),
    emit: (event, fields) =>
      engine.emitter.emit(event, { ...fields, ...runEvent(engine, run) } as EngineEvents[typeof event]),
  }
}
