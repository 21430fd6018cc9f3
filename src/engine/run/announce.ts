/** The events of a run. Verbs that only look have none. */
import type { BackupError } from '../../errors.ts'
import type { EngineEvents, Progress, ReportedVerb, RunEvent, Verb, Warning } from '../../events.ts'
import type { EngineContext } from '../types/context.ts'
import type { Run } from './state.ts'

const REPORTED: ReadonlySet<Verb> = new Set<Verb>([
  'backup',
  'verify',
  'restore',
  'drill',
  'copy',
  'forget',
  'prune',
  'repair',
  'undo',
  'keys',
  'erase',
  'export',
  'import',
] satisfies ReportedVerb[])

/** What every event of a run carries. */
export function runEvent(engine: EngineContext, run: Run): RunEvent {
  return {
    runId: run.runId,
    ...(run.actor === undefined ? {} : { actor: run.actor }),
    at: engine.clock.now(),
  }
}

export function announceStart(engine: EngineContext, run: Run): void {
  announce(engine, run, 'start', runEvent(engine, run))
}

export function announceProgress(engine: EngineContext, run: Run, progress: Progress): void {
  announce(engine, run, 'progress', progress)
}

export function announceWarning(engine: EngineContext, run: Run, warning: Warning): void {
  announce(engine, run, 'warning', { ...runEvent(engine, run), warning })
}

export function announceComplete(engine: EngineContext, run: Run, result: object): void {
  announce(engine, run, 'complete', { ...runEvent(engine, run), result })
}

export function announceError(engine: EngineContext, run: Run, error: BackupError): void {
  announce(engine, run, 'error', { ...runEvent(engine, run), error })
}

function announce(engine: EngineContext, run: Run, what: string, payload: object): void {
  if (!REPORTED.has(run.verb)) return
  const event = `${run.verb}:${what}` as keyof EngineEvents
  engine.emitter.emit(event, payload as EngineEvents[typeof event])
}
