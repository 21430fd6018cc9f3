/** Spreads bytes over time, for all streams of one reading together. */
import { setTimeout as sleep } from 'node:timers/promises'

export class Throttle {
  readonly #bytesPerSecond: number | undefined
  readonly #signal: AbortSignal
  /** When the bytes that were let through so far are paid for, in milliseconds of performance.now(). */
  #free = 0

  constructor(bytesPerSecond: number | undefined, signal: AbortSignal) {
    this.#bytesPerSecond = bytesPerSecond
    this.#signal = signal
  }

  /** Resolves when these bytes may go on. An abort ends the wait; whoever reads next sees it. */
  async pass(bytes: number): Promise<void> {
    if (this.#bytesPerSecond === undefined) return
    const now = performance.now()
    this.#free = Math.max(now, this.#free) + (bytes / this.#bytesPerSecond) * 1000
    if (this.#free > now) await sleep(this.#free - now, undefined, { signal: this.#signal }).catch(() => {})
  }
}
