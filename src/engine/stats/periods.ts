/** What came in which time: sums over periods, of snapshots and of reports. */
import type { Report } from '../../events.ts'
import { timeOfId } from '../../model/ids.ts'
import type { Snapshot } from '../types/snapshot.ts'
import type { StatsPeriod } from '../types/stats.ts'
import { countRuns } from './run-counts.ts'

/** Something that happened at a time. */
interface Dated<T> {
  readonly time: number
  readonly of: T
}

/** What a backup added, whether its snapshot is still there or not. */
interface Added {
  readonly newBytes: number
  readonly storedBytes: number
}

export interface History {
  readonly snapshots: readonly Dated<Snapshot>[]
  readonly added: readonly Dated<Added>[]
  readonly backups: readonly Dated<Report>[]
  readonly freed: readonly Dated<number>[]
}

/** All of it by time. `all`: every snapshot there is, also those that do not fit the filter. */
export function historyOf(
  snapshots: readonly Snapshot[],
  all: readonly Snapshot[],
  backups: readonly Report[],
  prunes: readonly Report[],
): History {
  const present = new Set(all.map(({ id }) => id))
  const gone = backups.filter(({ snapshot }) => snapshot !== undefined && !present.has(snapshot))
  const here = snapshots.map((of) => ({ time: cameAt(of), of }))
  const added = [
    ...here.filter(({ of }) => !isDerived(of)).map(({ time, of: { counts } }): Dated<Added> => ({ time, of: counts })),
    ...gone.map((report) => ({ time: report.startedAt.getTime(), of: addedBy(report) })),
  ]
  return {
    snapshots: here.sort(byTime),
    added: added.sort(byTime),
    backups: backups.map((of) => ({ time: of.startedAt.getTime(), of })).sort(byTime),
    freed: prunes
      .map(({ startedAt, counts }) => ({ time: startedAt.getTime(), of: counts.freedBytes ?? 0 }))
      .sort(byTime),
  }
}

/** It has taken the place of another: what that one added is in the report of its backup. */
function isDerived({ rewrittenFrom, undoneFrom }: Snapshot): boolean {
  return rewrittenFrom !== undefined || undoneFrom !== undefined
}

/** Into this repository: a copy keeps the time of its original. */
function cameAt(snapshot: Snapshot): number {
  return (isDerived(snapshot) ? undefined : timeOfId(snapshot.id)) ?? snapshot.createdAt.getTime()
}

function addedBy({ counts }: Report): Added {
  return { newBytes: counts.newBytes ?? 0, storedBytes: counts.storedBytes ?? 0 }
}

function byTime(a: Dated<unknown>, b: Dated<unknown>): number {
  return a.time - b.time
}

/** Of the time from `from` on and before `to`. */
export function periodOf(history: History, from: Date, to: Date): StatsPeriod {
  const within = <T>(list: readonly Dated<T>[]): T[] =>
    list.filter(({ time }) => time >= from.getTime() && time < to.getTime()).map(({ of }) => of)
  return summarize(from, to, {
    snapshots: within(history.snapshots),
    added: within(history.added),
    backups: within(history.backups),
    freed: within(history.freed),
  })
}

/** One period between each two borders. Everything is looked at once. */
export function periodsBetween(history: History, borders: readonly Date[]): StatsPeriod[] {
  const cut = {
    snapshots: cutter(history.snapshots),
    added: cutter(history.added),
    backups: cutter(history.backups),
    freed: cutter(history.freed),
  }
  const [first] = borders
  if (first === undefined) return []
  for (const take of Object.values(cut)) take(first.getTime())
  return borders.slice(1).map((to, at) => {
    const end = to.getTime()
    const parts = {
      snapshots: cut.snapshots(end),
      added: cut.added(end),
      backups: cut.backups(end),
      freed: cut.freed(end),
    }
    return summarize(borders[at]!, to, parts)
  })
}

/** Gives what comes before a time and was not given yet. */
function cutter<T>(list: readonly Dated<T>[]): (before: number) => T[] {
  let at = 0
  return (before) => {
    const taken: T[] = []
    for (; at < list.length && list[at]!.time < before; at++) taken.push(list[at]!.of)
    return taken
  }
}

interface Parts {
  snapshots: readonly Snapshot[]
  added: readonly Added[]
  backups: readonly Report[]
  freed: readonly number[]
}

function summarize(from: Date, to: Date, { snapshots, added, backups, freed }: Parts): StatsPeriod {
  const times = backups.filter(({ status }) => status === 'ok').map(({ durationMs = 0 }) => durationMs)
  return {
    from,
    to,
    snapshots: snapshots.length,
    sourceBytes: sum(snapshots.map(({ counts }) => counts.sourceBytes)),
    newBytes: sum(added.map(({ newBytes }) => newBytes)),
    storedBytes: sum(added.map(({ storedBytes }) => storedBytes)),
    freedBytes: sum(freed),
    runs: countRuns(backups),
    averageDurationMs: average(times),
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

export function average(numbers: readonly number[]): number | null {
  return numbers.length === 0 ? null : sum(numbers) / numbers.length
}
