import type { CallOptions } from './run.ts'
import type { Hold } from './snapshot.ts'

/**
 * What stays. A snapshot stays if any of the keep rules wants it; `maxAge` and `maxCount` then limit what they want. Rules
 * apply to each group by itself. At least one keep rule is needed: no policy means "forget all". Plain JSON.
 */
export interface Retention {
  /** The newest ones, so many. */
  keepLast?: number
  /** The newest one of each of the last so many hours that have any; the others alike. */
  keepHourly?: number
  keepDaily?: number
  keepWeekly?: number
  keepMonthly?: number
  keepQuarterly?: number
  keepYearly?: number
  /** All that are at most so much older than the newest of their group, which goes on when backups have stopped. */
  keepWithin?: Duration
  /** None that is older than this, whatever wants it. Holds are stronger. */
  maxAge?: Duration
  /** At most so many in each group; the oldest go. Holds are stronger. */
  maxCount?: number
  /** What tells groups apart; `[]`: all are one. Default ['host', 'sources']. */
  groupBy?: readonly RetentionGroup[]
  /** IANA name of the zone whose days and hours count, e.g. 'Europe/Berlin'. Default 'UTC'. */
  timeZone?: string
  /** Default 'monday'. */
  weekStart?: 'monday' | 'sunday'
  /** `maxAge` may take the last one of a group. Default false: the newest one stays, with a warning. */
  allowEmptyGroup?: boolean
  /** The newest snapshot that was proved sound may go. Default false: it stays, with a warning. */
  allowDropVerified?: boolean
}

/** `sources` and `tags`: the whole set. */
export type RetentionGroup = 'host' | 'sources' | 'tags' | 'schedule'

/**
 * Minutes, hours, days, weeks, months or years: '30d', '12h', '6mo'; or milliseconds. Days and longer are those of the
 * calendar in the policy's time zone, so a day may have 23 or 25 hours; 31 March less a month is the last of February.
 */
export type Duration = number | `${number}${'m' | 'h' | 'd' | 'w' | 'mo' | 'y'}`

/** What there will be, if the policy is applied after each backup. Give `until` or `inDays`. */
export interface Simulation {
  until?: Date
  /** Days of the calendar from now on. */
  inDays?: number
  /** Each group gets a complete snapshot so often. Default: no more snapshots, only time goes on. */
  every?: Duration
}

/** Says what to change; what is not given stays. At least one. */
export interface AnnotateOptions extends CallOptions {
  /** '' takes it away. */
  name?: string
  /** '' takes it away. */
  description?: string
  addTags?: readonly string[]
  removeTags?: readonly string[]
  /** Takes the place of one with the same reason. */
  addHold?: Hold
  /** The reason of one of its holds. */
  removeHold?: string
}
