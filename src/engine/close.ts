/** The life of an engine: open, closing, closed. */
import { BackupError } from '../errors.ts'
import type { Clock } from '../util/clock.ts'
import type { RunRegistry } from './run/runs.ts'

export interface LifetimeParts {
  clock: Clock
  runs: RunRegistry
  /** See `EngineParts.closers`. */
  closers: readonly (() => Promise<void>)[]
}

const CLOSED = 'the engine was closed'

export class Lifetime {
  readonly #parts: LifetimeParts
  /** Aborted when running verbs have had their time: ends them, and whatever reads outside a run. */
  readonly #stop = new AbortController()
  #closing: Promise<void> | undefined

  constructor(parts: LifetimeParts) {
    this.#parts = parts
  }

  /** For everything that must end with the engine. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** @throws BackupError ENGINE_CLOSED once `close` has been called */
  assertOpen(): void {
    if (this.#closing === undefined) return
    throw new BackupError('ENGINE_CLOSED', 'the engine is closed', {
      origin: 'usage',
      hint: 'Open a new one, or close this one later.',
    })
  }

  /**
   * Takes no more calls at once, lets running ones finish for up to `graceMs`, aborts the rest, and gives everything back.
   * A second call waits for the same end; its `graceMs` can only shorten the time.
   */
  close(graceMs: number): Promise<void> {
    const ended = this.#runsEnded()
    this.#closing ??= ended.then(() => this.#release())
    void this.#stopAfter(graceMs, ended)
    return this.#closing
  }

  /** No run can be added any more, so those there are now are all. */
  async #runsEnded(): Promise<void> {
    await Promise.all(this.#parts.runs.all().map((run) => run.ended))
  }

  async #stopAfter(graceMs: number, ended: Promise<void>): Promise<void> {
    const done = new AbortController()
    const grace = graceMs > 0 ? this.#parts.clock.sleep(graceMs, { signal: done.signal }) : Promise.resolve()
    await Promise.race([grace, ended]).finally(() => done.abort())
    await grace.catch(() => {})
    this.#stop.abort(CLOSED)
  }

  async #release(): Promise<void> {
    this.#stop.abort(CLOSED)
    const failures: unknown[] = []
    for (const close of this.#parts.closers) await close().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
}
