/** One run while it is under way: its signal, its counters, its warnings and those who watch it. */
import type { Progress, Report, Verb, Warning } from '../../events.ts'
import { MAX_REPORT_WARNINGS } from '../../model/report.ts'
import { type LinkedAbort, linkAbort } from '../../util/abort.ts'
import type { Clock } from '../../util/clock.ts'
import type { ActiveRun } from '../types/run.ts'
import { ProgressMeter } from './progress.ts'
import type { UpdateBuffer } from './updates.ts'

/** In the result and the report; one less than a report can hold, for the line that counts the rest. */
const MAX_WARNINGS = MAX_REPORT_WARNINGS - 1

export interface RunInit {
  runId: string
  verb: Verb
  actor: string | undefined
  clock: Clock
  /** The caller's and the engine's; the run has one of its own that follows them. */
  signals: readonly (AbortSignal | undefined)[]
  /** Told of everything, before the followers are. */
  onProgress(progress: Progress): void
  onWarning(warning: Warning): void
}

export class Run {
  readonly runId: string
  readonly verb: Verb
  readonly actor: string | undefined
  readonly startedAt: Date
  readonly startedMs: number
  readonly progress: ProgressMeter
  readonly #warnings: Warning[] = []
  #omittedWarnings = 0
  readonly #abort: LinkedAbort
  readonly #followers = new Set<UpdateBuffer>()
  readonly #onWarning: (warning: Warning) => void
  readonly #ended = Promise.withResolvers<void>()

  constructor(init: RunInit) {
    this.runId = init.runId
    this.verb = init.verb
    this.actor = init.actor
    this.startedAt = init.clock.now()
    this.startedMs = init.clock.monotonicMs()
    this.#onWarning = init.onWarning
    this.#abort = linkAbort(...init.signals)
    this.progress = new ProgressMeter({
      runId: init.runId,
      verb: init.verb,
      clock: init.clock,
      emit: (progress) => {
        init.onProgress(progress)
        for (const follower of this.#followers) follower.progress(progress)
      },
    })
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The first ones, and how many more there were: a million unreadable files must not fill the memory. */
  get warnings(): Warning[] {
    if (this.#omittedWarnings === 0) return [...this.#warnings]
    const message = `${this.#omittedWarnings} more warnings were only sent as events`
    return [...this.#warnings, { code: 'WARNINGS_OMITTED', message, details: { count: this.#omittedWarnings } }]
  }

  /** Resolves when the run is over and its report is done. Never rejects. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  abort(reason?: unknown): void {
    this.#abort.abort(reason)
  }

  warn(warning: Warning): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push(warning)
    else this.#omittedWarnings++
    this.#onWarning(warning)
    for (const follower of this.#followers) follower.warning(warning)
  }

  /** Sends the current progress, then what comes. The returned function ends it. */
  follow(follower: UpdateBuffer): () => void {
    this.#followers.add(follower)
    follower.progress(this.progress.current())
    return () => this.#followers.delete(follower)
  }

  /** Lets go of everything outside. */
  end(report: Report): void {
    this.#abort.dispose()
    for (const follower of this.#followers) follower.end(report)
    this.#followers.clear()
    this.#ended.resolve()
  }

  describe(): ActiveRun {
    return {
      runId: this.runId,
      verb: this.verb,
      startedAt: this.startedAt,
      ...(this.actor === undefined ? {} : { actor: this.actor }),
      progress: this.progress.current(),
      abort: (reason) => this.abort(reason),
    }
  }
}
