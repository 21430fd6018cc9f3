/** One run from now to its end, as an async iterator. */
import type { Report, RunUpdate } from '../../events.ts'
import { onAbort } from '../../util/abort.ts'
import type { EngineContext } from '../types/context.ts'
import { findReport } from './history.ts'
import type { Run } from './state.ts'
import { UpdateBuffer } from './updates.ts'

/**
 * Current progress first, then updates, last the report; only the report for a run that has ended. A slow reader gets
 * the newest progress and at most 1000 warnings. On abort the iteration just ends: it is the reader who has gone.
 * @throws BackupError RUN_NOT_FOUND
 */
export async function* followRun(
  engine: EngineContext,
  runId: string,
  signal?: AbortSignal,
): AsyncGenerator<RunUpdate, void, undefined> {
  if (signal?.aborted) return
  const run = engine.runs.get(runId)
  if (run) yield* updatesOf(run, signal)
  else yield { type: 'end', report: await reportOf(engine, runId) }
}

async function* updatesOf(run: Run, signal: AbortSignal | undefined): AsyncGenerator<RunUpdate, void, undefined> {
  const buffer = new UpdateBuffer()
  const unfollow = run.follow(buffer)
  const remove = onAbort(signal, () => buffer.close())
  try {
    for (let update = await buffer.next(); update; update = await buffer.next()) {
      yield update
      if (update.type === 'end') return
    }
  } finally {
    remove()
    unfollow()
  }
}

async function reportOf(engine: EngineContext, runId: string): Promise<Report> {
  const report = engine.runs.report(runId)
  if (report) return report
  engine.lifetime.assertOpen()
  return await findReport(engine, runId)
}
