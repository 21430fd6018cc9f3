/** How runs ended, by their reports. */
import type { Report } from '../../events.ts'
import type { SnapshotFilter } from '../types/snapshot.ts'
import type { RunCounts } from '../types/stats.ts'

export function countRuns(reports: readonly Pick<Report, 'status'>[]): RunCounts {
  const counts = { ok: 0, failed: 0, aborted: 0 }
  for (const { status } of reports) if (status !== 'running') counts[status]++
  const ended = counts.ok + counts.failed
  return { ...counts, successRate: ended === 0 ? null : counts.ok / ended }
}

/** Failed runs have no snapshot, so what was asked for decides, as far as a report has it. */
export function runFits({ host, options, schedule, startedAt }: Report, filter: SnapshotFilter = {}): boolean {
  return (
    hasAll(listOf(options, 'sources'), filter.sources) &&
    hasAll(listOf(options, 'tags'), filter.tags) &&
    (filter.hosts?.includes(host) ?? true) &&
    (filter.schedules?.includes(schedule ?? '') ?? true) &&
    (filter.after === undefined || startedAt >= filter.after) &&
    (filter.before === undefined || startedAt < filter.before)
  )
}

function listOf(options: Report['options'], name: string): readonly unknown[] {
  const value = typeof options === 'object' && options !== null ? Reflect.get(options, name) : undefined
  return Array.isArray(value) ? value : []
}

function hasAll(present: readonly unknown[], wanted: readonly string[] = []): boolean {
  return wanted.every((name) => present.includes(name))
}
