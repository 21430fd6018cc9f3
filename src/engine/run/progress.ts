/** Counts what a run does and says so at most 10 times a second. Has no timer: it speaks when it is fed. */
import type { Progress, Verb } from '../../events.ts'
import type { Clock } from '../../util/clock.ts'
import { Throughput } from './progress-rate.ts'

const INTERVAL_MS = 100
/** Only a run that has ended is at 100: after the last byte there is still a commit. */
const MOST_WHILE_RUNNING = 99.9

export interface ProgressMeterOptions {
  runId: string
  verb: Verb
  clock: Clock
  /** Gets each report; must not throw. */
  emit(progress: Progress): void
}

/** What has been done since the last call. */
export interface ProgressStep {
  items?: number
  bytes?: number
  rows?: number
  storedBytes?: number
  currentPath?: string
}

/** Cheap enough for every file; on hot paths call it once a batch. */
export class ProgressMeter {
  readonly #options: ProgressMeterOptions
  readonly #startedMs: number
  readonly #bytesRate: Throughput
  readonly #itemsRate: Throughput
  #phase = 'start'
  #currentPath: string | undefined
  #items = 0
  #bytes = 0
  #rows = 0
  #storedBytes = 0
  #totalItems: number | null = null
  #totalBytes: number | null = null
  /** Undefined: nobody counts rows. */
  #totalRows: number | null | undefined
  #percent: number | null = null
  #lastEmitMs = Number.NEGATIVE_INFINITY
  #lastActivityMs: number
  #ended = false

  constructor(options: ProgressMeterOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
    this.#lastActivityMs = this.#startedMs
    this.#bytesRate = new Throughput(this.#startedMs)
    this.#itemsRate = new Throughput(this.#startedMs)
  }

  /** Monotonic time of the last sign of life: an item, a byte, a new phase or total. */
  get lastActivityMs(): number {
    return this.#lastActivityMs
  }

  /** Adds to what is done. */
  add(step: ProgressStep): void {
    this.#items += step.items ?? 0
    this.#bytes += step.bytes ?? 0
    this.#storedBytes += step.storedBytes ?? 0
    if (step.rows !== undefined) {
      this.#rows += step.rows
      this.#totalRows ??= null
    }
    if (step.currentPath !== undefined) this.#currentPath = step.currentPath
    const worked = (step.items ?? 0) > 0 || (step.bytes ?? 0) > 0 || (step.storedBytes ?? 0) > 0
    this.#tick(worked)
  }

  /** Names what the run does now. */
  phase(name: string): void {
    this.#phase = name
    this.#currentPath = undefined
    this.#tick(true)
  }

  /** Says how much there is; may come late and may change. Null = not known (any more). */
  total(total: { items?: number | null; bytes?: number | null; rows?: number | null }): void {
    if (total.items !== undefined) this.#totalItems = total.items
    if (total.bytes !== undefined) this.#totalBytes = total.bytes
    if (total.rows !== undefined) this.#totalRows = total.rows
    this.#tick(true)
  }

  /** A sign of life where nothing can be counted, e.g. a server that is still thinking. */
  touch(): void {
    this.#lastActivityMs = this.#options.clock.monotonicMs()
  }

  /** The last report, always sent. At 100 percent if all went well. Whatever is fed after it is ignored. */
  end(ok: boolean): void {
    if (this.#ended) return
    this.#sample()
    if (ok) this.#percent = 100
    this.#ended = true
    this.#options.emit(this.current())
  }

  current(): Progress {
    return {
      runId: this.#options.runId,
      verb: this.#options.verb,
      phase: this.#phase,
      percent: this.#percent,
      etaMs: this.#eta(),
      elapsedMs: Math.round(this.#options.clock.monotonicMs() - this.#startedMs),
      ...(this.#currentPath === undefined ? {} : { currentPath: this.#currentPath }),
      items: { done: this.#items, total: this.#totalItems },
      bytes: { done: this.#bytes, total: this.#totalBytes },
      ...(this.#totalRows === undefined ? {} : { rows: this.#rowsDone(this.#totalRows) }),
      storedBytes: this.#storedBytes,
      bytesPerSecond: Math.round(this.#bytesRate.perSecond),
    }
  }

  /** A total that was estimated may turn out to be too low. */
  #rowsDone(total: number | null): NonNullable<Progress['rows']> {
    return { done: this.#rows, total: total === null ? null : Math.max(total, this.#rows) }
  }

  #tick(activity: boolean): void {
    if (this.#ended) return
    const now = this.#options.clock.monotonicMs()
    if (activity) this.#lastActivityMs = now
    if (now - this.#lastEmitMs < INTERVAL_MS) return
    this.#lastEmitMs = now
    this.#sample()
    this.#options.emit(this.current())
  }

  #sample(): void {
    const now = this.#options.clock.monotonicMs()
    this.#bytesRate.sample(now, this.#bytes)
    this.#itemsRate.sample(now, this.#items)
    const share = this.#share()
    if (share === null) return
    const percent = Math.min(Math.round(share * 1000) / 10, MOST_WHILE_RUNNING)
    this.#percent = Math.max(this.#percent ?? 0, percent)
  }

  /** By bytes where their total is known and not zero, else by items. */
  #share(): number | null {
    if (this.#totalBytes) return Math.min(this.#bytes / this.#totalBytes, 1)
    if (this.#totalItems) return Math.min(this.#items / this.#totalItems, 1)
    return null
  }

  #eta(): number | null {
    if (this.#ended) return this.#percent === 100 ? 0 : null
    if (this.#totalBytes) return this.#bytesRate.msFor(this.#totalBytes - this.#bytes)
    if (this.#totalItems) return this.#itemsRate.msFor(this.#totalItems - this.#items)
    return null
  }
}
