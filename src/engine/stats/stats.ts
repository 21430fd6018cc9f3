/** stats: numbers about snapshots, runs and the repository. Reads what listings and the index say, no content. */
import type { Report } from '../../events.ts'
import type { ParsedStatsOptions } from '../options/stats.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import { makeHistory } from '../run/history.ts'
import { filterSnapshots } from '../snapshots/filter.ts'
import { loadRecords } from '../snapshots/load.ts'
import type { EngineContext } from '../types/context.ts'
import type { Snapshot } from '../types/snapshot.ts'
import type { Stats, StatsPeriod } from '../types/stats.ts'
import { bucketBorders } from './buckets.ts'
import { groupBy, groupBySource } from './groups.ts'
import { average, type History, historyOf, periodOf, periodsBetween, sum } from './periods.ts'
import { countTarget, packTotals } from './repository-size.ts'
import { countRuns, runFits } from './run-counts.ts'

const HOUR_MS = 3_600_000

export function stats(engine: EngineContext, options: ParsedStatsOptions): Promise<Stats> {
  return withQuietRun(engine, { verb: 'stats', options }, (run) => count(engine, options, run))
}

async function count(engine: EngineContext, options: ParsedStatsOptions, { signal }: RunContext): Promise<Stats> {
  const [loaded, reports, totals, target] = await allEnded([
    loadRecords(engine, signal),
    makeHistory(engine).list({ signal }).toArray(),
    packTotals(engine, signal),
    options.countTarget ? countTarget(engine, signal) : undefined,
  ])
  const at = engine.clock.now()
  const all = loaded.snapshots.map(({ view }) => view)
  const { order: _, ...filter } = options.filter ?? {}
  const newestFirst = filterSnapshots(all, filter)
  const fitting = reports.filter((report) => runFits(report, filter) && isSince(report, options))
  const backups = fitting.filter(({ verb }) => verb === 'backup')
  // What a prune freed belongs to no snapshot.
  const prunes = options.filter ? [] : fitting.filter(({ verb }) => verb === 'prune')
  const history = historyOf(newestFirst, all, backups, prunes)
  return {
    at,
    timeZone: options.timeZone,
    ...ofSnapshots(newestFirst),
    damagedSnapshots: loaded.damaged.length,
    runs: countRuns(backups),
    runsByVerb: countByVerb(fitting),
    last24h: upTo(history, at, 24 * HOUR_MS),
    last7d: upTo(history, at, 168 * HOUR_MS),
    growth: growthOf(history, at, options),
    ...totals,
    dedupRatio: ratio(sum(all.map(({ counts }) => counts.sourceBytes)), totals.rawBytes),
    compressionRatio: ratio(totals.rawBytes, totals.storedBytes),
    ...(target && { target }),
  }
}

/** All to their ends, so that none goes on behind the back of a run that has failed. */
async function allEnded<T extends readonly unknown[]>(work: [...T]): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return (await Promise.all(work)) as { [K in keyof T]: Awaited<T[K]> }
}

function isSince({ startedAt }: Report, { since }: ParsedStatsOptions): boolean {
  return since === undefined || startedAt >= since
}

function ofSnapshots(newestFirst: readonly Snapshot[]) {
  const newest = newestFirst[0]?.createdAt
  const oldest = newestFirst.at(-1)?.createdAt
  const counts = newestFirst.map((snapshot) => snapshot.counts)
  const isProved = ({ lastVerified }: Snapshot): boolean => lastVerified?.sound ?? false
  return {
    snapshots: newestFirst.length,
    ...(oldest && { oldest }),
    ...(newest && { newest }),
    sourceBytes: sum(counts.map(({ sourceBytes }) => sourceBytes)),
    averageSourceBytes: average(counts.map(({ sourceBytes }) => sourceBytes)),
    averageNewBytes: average(counts.map(({ newBytes }) => newBytes)),
    averageStoredBytes: average(counts.map(({ storedBytes }) => storedBytes)),
    averageDurationMs: average(newestFirst.map(({ durationMs }) => durationMs)),
    verifiedShare: average(newestFirst.map((snapshot) => Number(isProved(snapshot)))),
    bySource: groupBySource(newestFirst),
    bySchedule: groupBy(newestFirst, ({ schedule = '' }) => [schedule]),
    byTag: groupBy(newestFirst, ({ tags }) => tags),
    byHost: groupBy(newestFirst, ({ host }) => [host]),
  } satisfies Partial<Stats>
}

function countByVerb(reports: readonly Report[]): Stats['runsByVerb'] {
  const byVerb = Map.groupBy(reports, ({ verb }) => verb)
  return Object.fromEntries([...byVerb].sort().map(([verb, list]) => [verb, countRuns(list)]))
}

/** What happened at this very moment counts, too. */
function upTo(history: History, at: Date, ms: number): StatsPeriod {
  const period = periodOf(history, new Date(at.getTime() - ms + 1), new Date(at.getTime() + 1))
  return { ...period, from: new Date(at.getTime() - ms), to: at }
}

function growthOf(history: History, at: Date, options: ParsedStatsOptions): StatsPeriod[] {
  const lists = [history.snapshots, history.added, history.backups, history.freed]
  const times = lists.flatMap(([first]) => (first ? [first.time] : []))
  const first = options.since ?? (times.length > 0 ? new Date(Math.min(...times)) : undefined)
  return first === undefined || first > at ? [] : periodsBetween(history, bucketBorders(first, at, options))
}

function ratio(whole: number, part: number): number | null {
  return part === 0 ? null : whole / part
}
