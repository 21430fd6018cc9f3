/** Sums by source, schedule, tag and host. */
import type { Snapshot, SnapshotSource } from '../types/snapshot.ts'
import type { GroupStats, SourceStats } from '../types/stats.ts'
import { sum } from './periods.ts'

/** A snapshot counts once for each of its names. Names sort by code units. */
export function groupBy(
  newestFirst: readonly Snapshot[],
  namesOf: (snapshot: Snapshot) => readonly string[],
): Record<string, GroupStats> {
  const members = new Map<string, Snapshot[]>()
  for (const snapshot of newestFirst) for (const name of new Set(namesOf(snapshot))) push(members, name, snapshot)
  return recordOf(members, (snapshots) => ({
    snapshots: snapshots.length,
    sourceBytes: sum(snapshots.map(({ counts }) => counts.sourceBytes)),
    newBytes: sum(snapshots.map(({ counts }) => counts.newBytes)),
    storedBytes: sum(snapshots.map(({ counts }) => counts.storedBytes)),
    newest: snapshots[0]!.createdAt,
  }))
}

export function groupBySource(newestFirst: readonly Snapshot[]): Record<string, SourceStats> {
  const members = new Map<string, { source: SnapshotSource; createdAt: Date }[]>()
  for (const { sources, createdAt } of newestFirst)
    for (const source of sources) push(members, source.name, { source, createdAt })
  return recordOf(members, (all) => {
    const { source, createdAt } = all[0]!
    return {
      snapshots: all.length,
      bytes: sum(all.map((each) => each.source.bytes)),
      newestBytes: source.bytes,
      newestEntries: source.entries,
      newest: createdAt,
    }
  })
}

function push<T>(members: Map<string, T[]>, name: string, item: T): void {
  const list = members.get(name)
  if (list) list.push(item)
  else members.set(name, [item])
}

/** Without a prototype, since a tag may be called '__proto__'. */
function recordOf<T, S>(members: ReadonlyMap<string, T[]>, stats: (items: readonly T[]) => S): Record<string, S> {
  const record: Record<string, S> = Object.create(null)
  for (const name of [...members.keys()].sort()) record[name] = stats(members.get(name)!)
  return record
}
