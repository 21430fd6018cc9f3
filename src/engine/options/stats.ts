/** Options of stats(). */
import { z } from 'zod'
import type { StatsOptions } from '../types/stats.ts'
import { parseOptions } from './index.ts'
import { callShape, date, filterSchema, flag, oneOf, opt } from './parts.ts'
import { timeZone } from './retention.ts'

const statsSchema: z.ZodType<StatsOptions> = z.strictObject(
  {
    ...callShape,
    filter: opt(filterSchema),
    since: opt(date),
    buckets: opt(oneOf('day', 'week', 'month')),
    timeZone: opt(timeZone),
    weekStart: opt(oneOf('monday', 'sunday')),
    countTarget: opt(flag),
  },
  'must be an object',
)

export type ParsedStatsOptions = StatsOptions & Required<Pick<StatsOptions, 'buckets' | 'timeZone' | 'weekStart'>>

/** @throws BackupError INVALID_OPTIONS */
export function parseStatsOptions(options: StatsOptions = {}): ParsedStatsOptions {
  return { buckets: 'day', timeZone: 'UTC', weekStart: 'monday', ...parseOptions(statsSchema, options, 'stats') }
}
