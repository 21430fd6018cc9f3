/** Time comes in through this, so that tests need no waiting. */
import { setTimeout as delay } from 'node:timers/promises'
import { abortError, throwIfAborted } from './abort.ts'

export interface Clock {
  /** Wall clock: may jump. For what is shown and stored. */
  now(): Date
  /** Milliseconds from some start, never going back. For durations. */
  monotonicMs(): number
  /**
   * Resolves after `ms` milliseconds; rejects with ABORTED as soon as the signal aborts. With `unref` the wait alone does
   * not keep the process alive.
   */
  sleep(ms: number, options?: { signal?: AbortSignal | undefined; unref?: boolean }): Promise<void>
}

/** Node's timers take no more (about 25 days); a longer wait is several. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  async sleep(ms, { signal, unref = false } = {}) {
    throwIfAborted(signal)
    const end = performance.now() + ms
    for (let left = ms; left > 0; left = end - performance.now()) {
      await delay(Math.min(left, MAX_TIMER_MS), undefined, { ref: !unref, ...(signal && { signal }) }).catch(() => {
        throw abortError(signal?.reason)
      })
    }
  },
}
