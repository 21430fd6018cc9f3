/** The middle of a run: its limits, its turn, its body. */
import { BackupError } from '../../errors.ts'
import { abortError, onAbort, throwIfAborted } from '../../util/abort.ts'
import type { EngineContext } from '../types/context.ts'
import type { CallOptions } from '../types/run.ts'
import { watchStall, watchTimeout } from './limits.ts'
import type { RunSummary } from './report.ts'
import type { Run } from './state.ts'

/**
 * A body has to stop by itself, within a second. One that hangs in somebody's plugin is given up after this, so that the
 * caller hears of the abort; its keys stay taken until it really ends.
 */
const GIVE_UP_MS = 10_000

export type Outcome<R> =
  | { readonly result: R; readonly summary: RunSummary; readonly error?: never }
  | { readonly error: BackupError }

export interface Execution<R> {
  options: CallOptions
  exclusive?: readonly string[]
  summarize?(result: R): RunSummary
}

/** Never rejects. */
export async function executeRun<R>(
  engine: EngineContext,
  run: Run,
  call: Execution<R>,
  body: () => Promise<R>,
): Promise<Outcome<R>> {
  const ended = new AbortController()
  const watch = { clock: engine.clock, signal: ended.signal, expired: (error: BackupError) => run.abort(error) }
  const { timeoutMs, stallMs } = call.options
  try {
    if (timeoutMs !== undefined) watchTimeout(timeoutMs, watch)
    const release = await engine.queue.acquire(call.exclusive ?? [], run.signal, () => run.progress.phase('waiting'))
    if (run.signal.aborted) release()
    throwIfAborted(run.signal)
    run.progress.phase('start')
    if (stallMs !== undefined) void watchStall(stallMs, () => run.progress.lastActivityMs, watch)
    const work = (async () => await body())()
    work.then(release, release)
    const result = await settle(engine, run, work)
    return { result, summary: call.summarize?.(result) ?? {} }
  } catch (error) {
    return { error: runError(error, run.signal) }
  } finally {
    ended.abort()
  }
}

/** As the work does; but on abort not much later than that. */
async function settle<R>(engine: EngineContext, run: Run, work: Promise<R>): Promise<R> {
  const settled = new AbortController()
  const givenUp = Promise.withResolvers<never>()
  const giveUp = (reason: unknown): void => {
    engine.logger.error({ runId: run.runId, verb: run.verb }, 'a run did not stop when aborted; it was given up')
    givenUp.reject(abortError(reason))
  }
  const remove = onAbort(run.signal, (reason) => {
    engine.clock.sleep(GIVE_UP_MS, { signal: settled.signal }).then(
      () => giveUp(reason),
      () => {},
    )
  })
  try {
    return await Promise.race([work, givenUp.promise])
  } finally {
    remove()
    settled.abort()
  }
}

/** After an abort, whatever fails fails because of it: the reason for the abort is the error that says most. */
function runError(error: unknown, signal: AbortSignal): BackupError {
  if (signal.aborted) return abortError(signal.reason)
  if (BackupError.is(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new BackupError('INTERNAL', `unexpected: ${message}`, {
    origin: 'repository',
    cause: error,
    hint: 'This is a fault in holdfast or in a plugin; the cause says where.',
  })
}
