/** The end of a run: last progress, report, last event, followers; then the caller. */
import { BackupError, type Json } from '../../errors.ts'
import type { Report, ReportedVerb } from '../../events.ts'
import { linkAbort, race } from '../../util/abort.ts'
import type { EngineContext } from '../types/context.ts'
import type { RunResults } from '../types/index.ts'
import type { RunResult } from '../types/run.ts'
import { announceComplete, announceError } from './announce.ts'
import type { BodyResult } from './context.ts'
import type { Outcome } from './execute.ts'
import { buildReport } from './report.ts'
import type { Run } from './state.ts'

/** A target that hangs must not keep back the result of a run that is durable. */
const SAVE_MS = 10_000
/** Whoever aborted wants an end now. */
const SAVE_AFTER_STOP_MS = 1_000

/** What the report says the options were. */
interface Described {
  describe?: Json
}

interface Times {
  endedAt: Date
  durationMs: number
}

export async function concludeRun<V extends ReportedVerb>(
  engine: EngineContext,
  run: Run,
  call: Described,
  outcome: Outcome<BodyResult<V>>,
): Promise<RunResults[V]> {
  run.progress.end(outcome.error === undefined)
  const times = timesOf(engine, run)
  const stored = await saveReport(engine, run, reportOf(engine, run, times, call, outcome))
  endRun(engine, run, stored ?? reportOf(engine, run, times, call, outcome), () => {
    if (outcome.error !== undefined) announceError(engine, run, outcome.error)
    else announceComplete(engine, run, { ...outcome.result, ...runFields(run, times) })
  })
  if (outcome.error !== undefined) throw outcome.error
  return { ...outcome.result, ...runFields(run, times) } as unknown as RunResults[V]
}

export async function concludeQuietly<R>(
  engine: EngineContext,
  run: Run,
  call: Described,
  outcome: Outcome<R>,
): Promise<R> {
  run.progress.end(outcome.error === undefined)
  endRun(engine, run, reportOf(engine, run, timesOf(engine, run), call, outcome), () => {})
  if (outcome.error !== undefined) throw outcome.error
  return outcome.result
}

/** The order matters: who hears the last event, or the end of `follow`, finds the run gone and its report there. */
function endRun(engine: EngineContext, run: Run, report: Report, announce: () => void): void {
  engine.runs.finish(run, report)
  announce()
  run.end(report)
}

function timesOf(engine: EngineContext, run: Run): Times {
  return { endedAt: engine.clock.now(), durationMs: Math.round(engine.clock.monotonicMs() - run.startedMs) }
}

function runFields(run: Run, times: Times): RunResult {
  return { runId: run.runId, startedAt: run.startedAt, ...times, warnings: run.warnings }
}

function reportOf(engine: EngineContext, run: Run, times: Times, call: Described, outcome: Outcome<unknown>): Report {
  return buildReport({
    ...runFields(run, times),
    verb: run.verb,
    actor: run.actor,
    host: engine.host,
    options: call.describe ?? {},
    error: outcome.error,
    summary: outcome.error === undefined ? outcome.summary : {},
  })
}

/** The report, if it was stored; else undefined and a warning, since the run itself is as good as it was. */
async function saveReport(engine: EngineContext, run: Run, report: Report): Promise<Report | undefined> {
  const limit = linkAbort()
  const saved = new AbortController()
  const limitMs = run.signal.aborted ? SAVE_AFTER_STOP_MS : SAVE_MS
  engine.clock.sleep(limitMs, { signal: saved.signal }).then(
    () => limit.abort(new BackupError('TIMEOUT', `not stored within ${limitMs} ms`, { origin: 'target' })),
    () => {},
  )
  try {
    await race(engine.reports.save(report, { signal: limit.signal }), limit.signal)
    return report
  } catch (error) {
    run.warn({ code: 'REPORT_NOT_SAVED', message: `the report of this run was not stored: ${textOf(error)}` })
    return undefined
  } finally {
    saved.abort()
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
