/** Instants as the calendar of a time zone has them: which hour, day, week …, and what lies so many months before. */
import type { Duration } from '../types/retention.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const EXACT: Readonly<Record<string, number>> = { m: MINUTE, h: HOUR }

export interface LocalTime {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  /** '2026-11-20'. */
  readonly date: string
  /** '2026-11-20 14:00+01:00': the hour that comes twice when clocks go back is two hours. */
  readonly hour: string
  /** '2026-11-16': the day that its week begins with. */
  readonly week: string
}

export type WeekStart = 'monday' | 'sunday'

export class Calendar {
  readonly #format: Intl.DateTimeFormat
  readonly #weekStart: WeekStart

  constructor(timeZone = 'UTC', weekStart: WeekStart = 'monday') {
    this.#weekStart = weekStart
    this.#format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
  }

  at(instant: Date): LocalTime {
    const offset = this.#offset(instant.getTime())
    const wall = instant.getTime() + offset
    const date = dateOf(wall)
    const [year = '', month = ''] = date.split('-')
    const clock = new Date(wall).toISOString().slice(11, 13)
    const week = dateOf(wall - daysSince(wall, this.#weekStart) * DAY)
    return { year: Number(year), month: Number(month), date, hour: `${date} ${clock}:00${offsetText(offset)}`, week }
  }

  /** `times` such durations later; negative: earlier. Hours are hours; days and more go by the calendar. */
  add(instant: Date, duration: Duration, times: number): Date {
    if (typeof duration === 'number') return new Date(instant.getTime() + times * duration)
    const [, digits = '', unit = ''] = /^(\d+)([a-z]+)$/.exec(duration) ?? []
    const count = Number(digits) * times
    const exact = EXACT[unit]
    if (exact !== undefined) return new Date(instant.getTime() + count * exact)
    const wall = instant.getTime() + this.#offset(instant.getTime())
    return new Date(this.#instant(shift(wall, unit, count)))
  }

  /** When the day of this date ('2026-11-20') begins. */
  midnight(date: string): Date {
    return new Date(this.#instant(Date.parse(`${date}T00:00:00Z`)))
  }

  /** Milliseconds that its clocks are ahead of UTC. */
  #offset(instant: number): number {
    const parts: Record<string, number> = {}
    for (const { type, value } of this.#format.formatToParts(instant)) parts[type] = Number(value)
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000
  }

  /** What its clocks show twice means the first time; what they skip, as much later. */
  #instant(wall: number): number {
    const before = this.#offset(wall - DAY)
    const after = this.#offset(wall + DAY)
    const fitting = [wall - before, wall - after].filter((instant) => instant + this.#offset(instant) === wall)
    return fitting.length > 0 ? Math.min(...fitting) : wall - before
  }
}

function shift(wall: number, unit: string, count: number): number {
  if (unit === 'd' || unit === 'w') return wall + count * (unit === 'd' ? DAY : 7 * DAY)
  const time = new Date(wall)
  const day = time.getUTCDate()
  time.setUTCDate(1)
  time.setUTCMonth(time.getUTCMonth() + (unit === 'mo' ? count : 12 * count))
  const last = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1, 0)).getUTCDate()
  return time.setUTCDate(Math.min(day, last))
}

function daysSince(wall: number, weekStart: WeekStart): number {
  // 0 is a Sunday.
  const day = new Date(wall).getUTCDay()
  return weekStart === 'sunday' ? day : (day + 6) % 7
}

function dateOf(wall: number): string {
  return new Date(wall).toISOString().slice(0, 10)
}

function offsetText(offset: number): string {
  if (offset === 0) return 'Z'
  const minutes = Math.round(Math.abs(offset) / MINUTE)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
