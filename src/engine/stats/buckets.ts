/** Days, weeks or months of a time zone, one behind the other. */
import { Calendar } from '../forget/retention-calendar.ts'
import type { ParsedStatsOptions } from '../options/stats.ts'

/** Of days that is more than 27 years. */
export const MAX_BUCKETS = 10_000

/** Where each begins, oldest first, and where the last one ends. The last one is that of `until`. */
export function bucketBorders(
  from: Date,
  until: Date,
  { buckets, timeZone, weekStart }: Pick<ParsedStatsOptions, 'buckets' | 'timeZone' | 'weekStart'>,
): Date[] {
  const calendar = new Calendar(timeZone, weekStart)
  const firstDate = (instant: Date): string => {
    const { date, week } = calendar.at(instant)
    if (buckets === 'day') return date
    return buckets === 'week' ? week : `${date.slice(0, 8)}01`
  }
  const step = (date: string, count: number): string => stepped(date, buckets, count)
  const last = firstDate(until)
  const earliest = step(last, 1 - MAX_BUCKETS)
  const wanted = firstDate(from)
  const borders: Date[] = []
  // Dates of four digits compare as texts.
  for (let date = wanted > earliest ? wanted : earliest; date <= last; date = step(date, 1))
    borders.push(calendar.midnight(date))
  borders.push(calendar.midnight(step(last, 1)))
  return borders
}

/** By the calendar, not by hours: days have 23 to 25 of those. */
function stepped(date: string, unit: ParsedStatsOptions['buckets'], count: number): string {
  const time = new Date(`${date}T00:00:00Z`)
  if (unit === 'month') time.setUTCMonth(time.getUTCMonth() + count)
  else time.setUTCDate(time.getUTCDate() + count * (unit === 'week' ? 7 : 1))
  return time.toISOString().slice(0, 10)
}
