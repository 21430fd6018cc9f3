import type { CallOptions } from './run.ts'
import type { SnapshotFilter } from './snapshot.ts'

export interface StatsOptions extends CallOptions {
  /**
   * Snapshots that are counted. Default: backups, no restore points and no imports. Of runs, `sources`, `tags`, `schedules`,
   * `hosts`, `after` and `before` are looked at. What the repository takes is never filtered.
   */
  filter?: SnapshotFilter
  /** Runs are counted, and `growth` begins, with the bucket of this time. Default: the oldest snapshot or run. */
  since?: Date
  /** Default 'day'. */
  buckets?: StatsBucket
  /** Default 'UTC'. */
  timeZone?: string
  /** Default 'monday'. */
  weekStart?: 'monday' | 'sunday'
  /** True: also counts all objects on the target, in `target`. Costs a listing of everything. Default false. */
  countTarget?: boolean
}

export type StatsBucket = 'day' | 'week' | 'month'

/** All sizes in bytes. Names as in `BackupCounts`. */
export interface Stats {
  /** When it was counted, by the engine's clock. */
  at: Date
  /** Of the buckets. */
  timeZone: string
  /** How many fit the filter. */
  snapshots: number
  /** Objects that nobody can read; they are counted nowhere else. */
  damagedSnapshots: number
  /** Times of creation; absent without any. */
  oldest?: Date
  newest?: Date
  /** What all of them hold: what it would take to restore each by itself. */
  sourceBytes: number
  /** Per snapshot; null without any. */
  averageSourceBytes: number | null
  averageNewBytes: number | null
  averageStoredBytes: number | null
  averageDurationMs: number | null
  /** 0 to 1: how many of them were last proved sound. Null without any. */
  verifiedShare: number | null
  /** By name of the source. */
  bySource: Readonly<Record<string, SourceStats>>
  /** By id; '' = those that no schedule asked for. */
  bySchedule: Readonly<Record<string, GroupStats>>
  /** A snapshot counts for each of its tags. */
  byTag: Readonly<Record<string, GroupStats>>
  byHost: Readonly<Record<string, GroupStats>>
  /** Backups that have ended, by their reports. */
  runs: RunCounts
  /** The same for every verb that leaves reports, backups too. */
  runsByVerb: Readonly<Record<string, RunCounts>>
  /** The 24 hours up to `at`. */
  last24h: StatsPeriod
  /** The 168 hours up to `at`. */
  last7d: StatsPeriod
  /** Oldest first, without gaps, up to now. At most the last 10,000. */
  growth: readonly StatsPeriod[]
  /** Packs of the repository as it is now, whatever the filter. What only forgotten snapshots need is in it until a prune. */
  packs: number
  storedBytes: number
  /** What these packs hold, before compression. */
  rawBytes: number
  /** Of all snapshots of every kind what they hold, to `rawBytes`. Above 1: shared between files or snapshots. Null: no packs. */
  dedupRatio: number | null
  /** `rawBytes` to `storedBytes`. Null: no packs. */
  compressionRatio: number | null
  /** With `countTarget`. */
  target?: TargetStats
}

export interface GroupStats {
  readonly snapshots: number
  readonly sourceBytes: number
  /** What these backups added when they were made, before and after compression. */
  readonly newBytes: number
  readonly storedBytes: number
  readonly newest: Date
}

export interface SourceStats {
  readonly snapshots: number
  /** Of all of them together. */
  readonly bytes: number
  /** Of the newest one. */
  readonly newestBytes: number
  readonly newestEntries: number
  readonly newest: Date
}

export interface RunCounts {
  readonly ok: number
  readonly failed: number
  readonly aborted: number
  /** 0 to 1: `ok` of `ok` and `failed`. What somebody stopped is neither. Null without any. */
  readonly successRate: number | null
}

/** From `from` on and before `to`. Snapshots count at the time when they came into this repository. */
export interface StatsPeriod {
  readonly from: Date
  readonly to: Date
  /** Those that are still there. */
  readonly snapshots: number
  readonly sourceBytes: number
  /** What backups added, before and after compression, also those whose snapshots are forgotten by now. */
  readonly newBytes: number
  readonly storedBytes: number
  /** What prunes freed. */
  readonly freedBytes: number
  /** Of backups. */
  readonly runs: RunCounts
  /** Of backups that succeeded, by their reports. Null without any. */
  readonly averageDurationMs: number | null
}

export interface TargetStats {
  readonly objects: number
  readonly bytes: number
  /** 'packs', 'index', 'snapshots' … */
  readonly byArea: Readonly<Record<string, { readonly objects: number; readonly bytes: number }>>
}
