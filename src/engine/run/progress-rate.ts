/** How long a change of speed takes to show: long enough to be calm, short enough to be true. */
const SMOOTHING_MS = 5_000
/** Before this, any guess is noise. */
const WARM_UP_MS = 1_000

/** Smoothed speed of a counter: an exponential mean over time, whatever the distance between samples. */
export class Throughput {
  readonly #startedMs: number
  #lastMs: number
  #lastDone = 0
  #perMs: number | undefined

  constructor(nowMs: number) {
    this.#startedMs = nowMs
    this.#lastMs = nowMs
  }

  get perSecond(): number {
    return (this.#perMs ?? 0) * 1000
  }

  sample(nowMs: number, done: number): void {
    const passed = nowMs - this.#lastMs
    if (passed <= 0) return
    const speed = (done - this.#lastDone) / passed
    const weight = 1 - Math.exp(-passed / SMOOTHING_MS)
    this.#perMs = this.#perMs === undefined ? speed : this.#perMs + weight * (speed - this.#perMs)
    this.#lastMs = nowMs
    this.#lastDone = done
  }

  /** Milliseconds for `left` more at this speed; null when that cannot be said. */
  msFor(left: number): number | null {
    if (this.#lastMs - this.#startedMs < WARM_UP_MS || !this.#perMs || this.#perMs <= 0) return null
    return Math.round(Math.max(left, 0) / this.#perMs)
  }
}
