/** Keeps `runs/<id>` moving, so that a prune sees that its owner lives. */

import { linkAbort } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

/** A prune takes a run for dead only after many of these. */
export const HEARTBEAT_MS = 60_000
/** No prune takes a run for dead that has been silent for less: 3 minutes are the least that it can be told to wait. */
export const SURE_TO_LIVE_MS = 150_000
/** How long the end of a run waits for a beat that is under way before it aborts it. */
const LAST_BEAT_MS = 800
/** After a beat that failed. */
const RETRY_MS = 5_000

/** An instant by both clocks: the monotonic one may stand still while the machine sleeps, the other may be set. */
export interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

export function instantOf(clock: Clock): Instant {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.now().getTime() }
}

export interface HeartbeatOptions {
  clock: Clock
  /** From when on the run can be seen. Default: now. */
  since?: Instant
  /** Stores the n-th beat, n from 1. */
  beat: (n: number, signal: AbortSignal) => Promise<unknown>
  signal?: AbortSignal | undefined
  /** Milliseconds between beats. Default 60,000. */
  everyMs?: number
}

export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #stop: ReturnType<typeof linkAbort>
  readonly #cut = new AbortController()
  readonly #loop: Promise<void>
  #failure: unknown
  /** Begin of the latest beat that was stored. */
  #seen: Instant
  #longestMs = 0

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#seen = options.since ?? instantOf(options.clock)
    this.#stop = linkAbort(options.signal)
    this.#loop = this.#run()
  }

  /** Why the latest beat failed; undefined if it did not. It is tried again meanwhile. */
  get failure(): unknown {
    return this.#failure
  }

  /** The longest time, up to now, that others may have seen no beat for. */
  get longestSilenceMs(): number {
    const { monotonicMs, wallMs } = instantOf(this.#options.clock)
    return Math.max(this.#longestMs, monotonicMs - this.#seen.monotonicMs, wallMs - this.#seen.wallMs)
  }

  /** Resolves when no beat is under way and none will begin: a late one would put the object back. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort('the run has ended')
    const timer = setTimeout(() => this.#cut.abort('the run has ended'), LAST_BEAT_MS)
    await this.#loop
    clearTimeout(timer)
  }

  async #run(): Promise<void> {
    const { everyMs = HEARTBEAT_MS } = this.#options
    for (let n = 1; await this.#wait(this.#failure === undefined ? everyMs : RETRY_MS); n++) await this.#beat(n)
  }

  /** False: stopped. The wait alone does not keep the process alive. */
  async #wait(ms: number): Promise<boolean> {
    const { signal } = this.#stop
    return this.#options.clock.sleep(ms, { signal, unref: true }).then(
      () => !signal.aborted,
      () => false,
    )
  }

  async #beat(n: number): Promise<void> {
    const begun = instantOf(this.#options.clock)
    try {
      await this.#options.beat(n, this.#cut.signal)
      this.#failure = undefined
      this.#longestMs = this.longestSilenceMs
      this.#seen = begun
    } catch (error) {
      this.#failure = error
    }
  }
}
