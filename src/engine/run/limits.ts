/** Time limits of a run. On the engine's clock, and gone when the run ends. */
import { BackupError } from '../../errors.ts'
import type { Clock } from '../../util/clock.ts'

export interface Watch {
  clock: Clock
  /** Ends the watch. */
  signal: AbortSignal
  /** Called once, when the limit is passed. */
  expired(error: BackupError): void
}

/** TIMEOUT after `timeoutMs`, whatever happens. */
export function watchTimeout(timeoutMs: number, watch: Watch): void {
  sleep(timeoutMs, watch).then((slept) => {
    if (slept) watch.expired(timeoutError(`not done within ${timeoutMs} ms`, { timeoutMs, stalled: false }))
  })
}

/** TIMEOUT with `details.stalled` when nothing has moved for `stallMs`. */
export async function watchStall(stallMs: number, lastActivityMs: () => number, watch: Watch): Promise<void> {
  for (let idle = 0; idle < stallMs; idle = watch.clock.monotonicMs() - lastActivityMs()) {
    if (!(await sleep(stallMs - idle, watch))) return
  }
  watch.expired(timeoutError(`nothing moved for ${stallMs} ms`, { stallMs, stalled: true }))
}

/** False when the watch ended first. */
async function sleep(ms: number, { clock, signal }: Watch): Promise<boolean> {
  return await clock.sleep(ms, { signal }).then(
    () => true,
    () => false,
  )
}

function timeoutError(message: string, details: Record<string, number | boolean>): BackupError {
  return new BackupError('TIMEOUT', message, {
    origin: 'usage',
    retryable: true,
    details,
    hint: 'Run it again: what was uploaded is kept. Give more time if this comes back.',
  })
}
