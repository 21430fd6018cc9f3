/** How long something has been as it is, by the watcher's own monotonic clock and by what it has seen itself. */

interface Seen {
  stamp: string
  atMs: number
  stillMs: number
}

export class StandingStill {
  private readonly seen = new Map<string, Seen>()
  private readonly maxGapMs: number

  /**
   * `maxGapMs`: between two looks no more than this counts. A watcher that was itself suspended for an hour has not seen
   * that the other was not.
   */
  constructor(maxGapMs: number) {
    this.maxGapMs = maxGapMs
  }

  /** Milliseconds since `name` last changed. 0 for the first look, and whenever it has changed. */
  look(name: string, stamp: string, nowMs: number): number {
    const before = this.seen.get(name)
    const stillMs = before?.stamp === stamp ? before.stillMs + Math.min(nowMs - before.atMs, this.maxGapMs) : 0
    this.seen.set(name, { stamp, atMs: nowMs, stillMs })
    return stillMs
  }
}
