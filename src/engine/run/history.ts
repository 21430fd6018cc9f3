/** What runs did: their reports, from memory for the last ones and from the repository for all. */
import type { Report, ReportedVerb, RunStatus, Verb } from '../../events.ts'
import { linkAbort, race } from '../../util/abort.ts'
import { listSorted } from '../listing.ts'
import { parseHistoryFilter } from '../options/look.ts'
import type { EngineContext } from '../types/context.ts'
import type { Listing } from '../types/run.ts'

/** Which reports; everything given must hold. Newest first. */
export interface HistoryFilter {
  verbs?: readonly ReportedVerb[]
  status?: readonly Exclude<RunStatus, 'running'>[]
  actor?: string
  /** Started at this time or later. */
  after?: Date
  /** Started before this time. */
  before?: Date
  /** Every word occurs in run id, verb, actor, host, snapshot or error; upper and lower case are the same. */
  search?: string
  signal?: AbortSignal | undefined
}

export interface History {
  /** A run that is not over yet has no report; see `runs()`. */
  list(filter?: HistoryFilter): Listing<Report>
  /** @throws BackupError RUN_NOT_FOUND */
  get(runId: string, options?: { signal?: AbortSignal | undefined }): Promise<Report>
}

export function makeHistory(engine: EngineContext): History {
  return {
    list: (filter) =>
      listSorted({
        load: async () => await matching(engine, parseHistoryFilter(filter)),
        placeOf: (report) => [report.startedAt.getTime(), report.runId],
        order: 'newest',
      }),
    get: async (runId, options = {}) => {
      engine.lifetime.assertOpen()
      const report = engine.runs.report(runId)
      return report && isReported(report) ? report : await findReport(engine, runId, options.signal)
    },
  }
}

/** From the repository. @throws BackupError RUN_NOT_FOUND */
export async function findReport(engine: EngineContext, runId: string, signal?: AbortSignal): Promise<Report> {
  return await untilClosed(engine, signal, (linked) => engine.reports.get(runId, { signal: linked }))
}

async function matching(engine: EngineContext, filter: HistoryFilter): Promise<Report[]> {
  engine.lifetime.assertOpen()
  const stored = await untilClosed(engine, filter.signal, (linked) => engine.reports.list({ signal: linked }))
  const all = new Map<string, Report>()
  for (const report of [...engine.runs.reports().filter(isReported), ...stored]) all.set(report.runId, report)
  const words = (filter.search ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  const fitting = [...all.values()].filter((report) => fits(report, filter) && hasWords(report, words))
  return fitting.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime() || (a.runId < b.runId ? 1 : -1))
}

/** Reads outside a run end with the caller's signal and with the engine. */
async function untilClosed<T>(
  engine: EngineContext,
  signal: AbortSignal | undefined,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const linked = linkAbort(signal, engine.lifetime.signal)
  try {
    return await race(read(linked.signal), linked.signal)
  } finally {
    linked.dispose()
  }
}

/** These leave nothing in the history. */
const QUIET: Readonly<Record<Exclude<Verb, ReportedVerb>, true>> = {
  diff: true,
  annotate: true,
  'plan-restore': true,
  'plan-forget': true,
  'plan-prune': true,
  'plan-repair': true,
  'plan-erase': true,
  stats: true,
  doctor: true,
}

function isReported({ verb }: Report): boolean {
  return !Object.hasOwn(QUIET, verb)
}

function fits(report: Report, filter: HistoryFilter): boolean {
  const verbs: readonly string[] | undefined = filter.verbs
  const status: readonly string[] | undefined = filter.status
  return (
    (verbs?.includes(report.verb) ?? true) &&
    (status?.includes(report.status) ?? true) &&
    (filter.actor === undefined || report.actor === filter.actor) &&
    (filter.after === undefined || report.startedAt >= filter.after) &&
    (filter.before === undefined || report.startedAt < filter.before)
  )
}

function hasWords(report: Report, words: readonly string[]): boolean {
  const { runId, verb, actor, host, snapshot, error } = report
  const haystack = [runId, verb, actor, host, snapshot, error?.code, error?.message].join('\n').toLowerCase()
  return words.every((word) => haystack.includes(word))
}
