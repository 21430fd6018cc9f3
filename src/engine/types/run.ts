import type { Progress, Verb, Warning } from '../../events.ts'

/** What every verb takes. */
export interface CallOptions<P extends Progress = Progress> {
  /** Stops the work within a second: the promise rejects with ABORTED and nothing half-done is left behind. */
  signal?: AbortSignal | undefined
  /** At most 10 a second, never going back, always a last one. A callback that throws is logged and ignored. */
  onProgress?: (progress: P) => void
  /**
   * Your id for this run (1 to 64 visible ASCII characters: a UUID, a ULID, a nanoid …; capitals count), so that a route can
   * answer before it ends. Default: generated. In every event and report. The id of an active run is RUN_EXISTS.
   */
  runId?: string
  /** Who asked; kept in the report. At most 256 characters. */
  actor?: string
  /** Milliseconds until TIMEOUT (retryable: what is uploaded stays, the next run goes on from there). Default: no limit. */
  timeoutMs?: number
  /** No byte and no entry for this many milliseconds: TIMEOUT with `details.stalled`. Default: no limit. */
  stallMs?: number
}

/** What every verb that is a run resolves with, beside its own fields. */
export interface RunResult {
  runId: string
  startedAt: Date
  endedAt: Date
  durationMs: number
  warnings: Warning[]
}

/** A run of this engine that has not ended yet. */
export interface ActiveRun {
  readonly runId: string
  readonly verb: Verb
  readonly startedAt: Date
  readonly actor?: string
  /** The latest one; absent before the first. */
  readonly progress?: Progress
  /** Ends the run with ABORTED; `reason` is the error's cause. */
  abort(reason?: unknown): void
}

/** What can be long: iterate over it, take a page of it, or take it all. Nothing is read before that. */
export interface Listing<T> extends AsyncIterable<T> {
  /** `limit`: 1 to 10,000, default 100. `cursor`: `next` of the page before; a foreign one is INVALID_OPTIONS. */
  page(options?: { limit?: number; cursor?: string }): Promise<Page<T>>
  /** All of it, or the first `limit`. */
  toArray(options?: { limit?: number }): Promise<T[]>
}

export interface Page<T> {
  items: T[]
  /** Cursor of the page that follows; absent on the last one. */
  next?: string
  /** How many there are on all pages, where that is known without reading them. */
  total?: number
}
