/** When to try again, and how long to wait before. */
import { BackupError } from '../../errors.ts'
import { type Clock, systemClock } from '../../util/clock.ts'

export interface RetryNotice {
  operation: 'put' | 'get' | 'stat' | 'list' | 'delete'
  /** The key; the prefix of a list; the first key of a delete. */
  key: string
  /** The attempt that failed, from 1. */
  attempt: number
  /** Until the next one. */
  delayMs: number
  error: BackupError
}
export interface RetryingOptions {
  /** Attempts per call, the first included. 1 or more; default 5. */
  attempts?: number
  /** No new attempt of a call begins later than this after its first. Default 60,000 ms. */
  budgetMs?: number
  /**
   * Repetitions that all calls together may have open: each takes one, and a call that succeeds gives back its own and
   * one more. So in an outage a thousand calls send a thousand requests and this many, not five thousand. Default 100.
   */
  sharedRetries?: number
  /** Told before each wait. */
  onRetry?: (notice: RetryNotice) => void
  /** For tests. Default: the system's. */
  clock?: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** For tests: numbers from 0 up to 1. Default: Math.random. */
  random?: () => number
}
export interface RepeatedCall<T> {
  operation: RetryNotice['operation']
  key: string
  signal: AbortSignal | undefined
  /** Gets the number of the attempt, from 1. */
  run(attempt: number): Promise<T>
  /**
   * Asked after each retryable failure, the last one too, where a failed call may have happened. A value ends the call
   * with it; undefined lets it be repeated; what it throws is final.
   */
  settle?(error: BackupError): Promise<T | undefined>
}

/** Repeats a call while it fails with a retryable error and attempts and budget last. */
export type Repeat = <T>(call: RepeatedCall<T>) => Promise<T>

const FIRST_DELAY_MS = 200
const LONGEST_DELAY_MS = 15_000

export function repeater(options: RetryingOptions): Repeat {
  const { attempts = 5, budgetMs = 60_000, clock = systemClock, random = Math.random, onRetry } = options
  const shared = new SharedRetries(options.sharedRetries ?? 100)
  return async ({ operation, key, signal, run, settle }) => {
    const end = clock.monotonicMs() + budgetMs
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await run(attempt)
        shared.giveBack(attempt)
        return result
      } catch (error) {
        if (!BackupError.is(error) || !error.retryable) throw error
        const settled = await settle?.(error)
        if (settled !== undefined) return settled
        const delayMs = delayBefore(attempt, error, random)
        if (attempt >= attempts || clock.monotonicMs() + delayMs > end || !shared.take()) throw error
        onRetry?.({ operation, key, attempt, delayMs, error })
        await clock.sleep(delayMs, { signal })
      }
    }
  }
}

/** A dead server is not helped by five times the requests. */
class SharedRetries {
  readonly #most: number
  #left: number

  constructor(most: number) {
    this.#most = most
    this.#left = most
  }

  take(): boolean {
    if (this.#left < 1) return false
    this.#left--
    return true
  }

  /** A success: what the call has taken (one less than its attempts), and one more, since the server is there. */
  giveBack(attempts: number): void {
    this.#left = Math.min(this.#most, this.#left + attempts)
  }
}

/** Full jitter: clients that failed together must not come back together. */
function delayBefore(attempt: number, error: BackupError, random: () => number): number {
  const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1))
  const { retryAfterMs } = error.details
  const asked = typeof retryAfterMs === 'number' && retryAfterMs > 0 ? retryAfterMs : 0
  return Math.max(Math.ceil(random() * most), asked)
}
