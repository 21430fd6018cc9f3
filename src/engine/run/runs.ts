/** The runs of one engine: those under way, and the reports of the last ones that ended. */
import { BackupError } from '../../errors.ts'
import type { Report } from '../../events.ts'
import type { ActiveRun } from '../types/run.ts'
import type { Run } from './state.ts'

/** For followers that come just after the end, and for runs whose report could not be stored. */
const KEPT_REPORTS = 200

export class RunRegistry {
  readonly #active = new Map<string, Run>()
  readonly #reports = new Map<string, Report>()

  /** @throws BackupError RUN_EXISTS */
  add(run: Run): void {
    if (this.#active.has(run.runId)) throw runExists(run.runId)
    this.#active.set(run.runId, run)
  }

  /** Takes the run out and keeps its report. */
  finish(run: Run, report: Report): void {
    this.#active.delete(run.runId)
    this.#reports.delete(run.runId)
    this.#reports.set(run.runId, report)
    const oldest = this.#reports.keys().next().value
    if (this.#reports.size > KEPT_REPORTS && oldest !== undefined) this.#reports.delete(oldest)
  }

  get(runId: string): Run | undefined {
    return this.#active.get(runId)
  }

  /** Report of a run that ended a short while ago. */
  report(runId: string): Report | undefined {
    return this.#reports.get(runId)
  }

  /** Reports that are still in memory, oldest first. */
  reports(): Report[] {
    return [...this.#reports.values()]
  }

  all(): readonly Run[] {
    return [...this.#active.values()]
  }

  list(): readonly ActiveRun[] {
    return this.all().map((run) => run.describe())
  }
}

function runExists(runId: string): BackupError {
  return new BackupError('RUN_EXISTS', `a run with the id '${runId}' is active`, {
    origin: 'usage',
    details: { runId },
    hint: 'Follow that run, or use another id.',
  })
}
