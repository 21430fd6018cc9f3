/** What waits for one follower of a run. Bounded, however slow the follower is. */
import type { Progress, Report, RunUpdate, Warning } from '../../events.ts'

const MAX_WARNINGS = 1000

/** Keeps the newest progress, the first 1000 warnings that wait, and the end; progress in between is left out. */
export class UpdateBuffer {
  #warnings: Warning[] = []
  #progress: Progress | undefined
  #report: Report | undefined
  #closed = false
  #wake: (() => void) | undefined

  progress(progress: Progress): void {
    this.#progress = progress
    this.#notify()
  }

  warning(warning: Warning): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push(warning)
    this.#notify()
  }

  end(report: Report): void {
    this.#report = report
    this.#notify()
  }

  /** The follower has gone: whatever waits is dropped. */
  close(): void {
    this.#closed = true
    this.#notify()
  }

  /** The next update, as soon as there is one; undefined once closed. Warnings come before the progress that followed. */
  async next(): Promise<RunUpdate | undefined> {
    for (;;) {
      if (this.#closed) return undefined
      const update = this.#take()
      if (update) return update
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #take(): RunUpdate | undefined {
    const warning = this.#warnings.shift()
    if (warning) return { type: 'warning', warning }
    if (this.#progress) return this.#takeProgress(this.#progress)
    return this.#report && { type: 'end', report: this.#report }
  }

  #takeProgress(progress: Progress): RunUpdate {
    this.#progress = undefined
    return { type: 'progress', progress }
  }

  #notify(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
