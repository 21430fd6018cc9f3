import { describe, expect, it } from 'vitest'
import { Calendar } from '../../../src/engine/forget/retention-calendar.ts'
import type { Duration } from '../../../src/engine/types/index.ts'

const at = (zone: string, time: string, weekStart?: 'sunday') => new Calendar(zone, weekStart).at(new Date(time))

describe('slots', () => {
  it.each([
    ['UTC', '2026-11-20T23:59:59.999Z', '2026-11-20', '2026-11-20 23:00Z'],
    ['Europe/Berlin', '2026-11-20T23:00:00Z', '2026-11-21', '2026-11-21 00:00+01:00'],
    ['America/New_York', '2026-11-20T03:00:00Z', '2026-11-19', '2026-11-19 22:00-05:00'],
    ['Asia/Kolkata', '2026-11-20T18:29:59Z', '2026-11-20', '2026-11-20 23:00+05:30'],
    ['Asia/Kathmandu', '2026-11-20T18:15:00Z', '2026-11-21', '2026-11-21 00:00+05:45'],
    // Comes twice.
    ['Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25', '2026-10-25 02:00+02:00'],
    ['Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25', '2026-10-25 02:00+01:00'],
    // Samoa left out 30 December 2011.
    ['Pacific/Apia', '2011-12-30T09:59:59Z', '2011-12-29', '2011-12-29 23:00-10:00'],
    ['Pacific/Apia', '2011-12-30T10:00:00Z', '2011-12-31', '2011-12-31 00:00+14:00'],
    // Before zones there were seconds, too.
    ['UTC', '1969-12-31T23:59:59.500Z', '1969-12-31', '1969-12-31 23:00Z'],
  ])('%s %s', (zone, time, date, hour) => expect(at(zone, time)).toMatchObject({ date, hour }))

  it.each([
    ['2026-11-15T12:00:00Z', '2026-11-09', '2026-11-15'],
    ['2026-11-16T12:00:00Z', '2026-11-16', '2026-11-15'],
    ['2026-11-21T12:00:00Z', '2026-11-16', '2026-11-15'],
    ['2027-01-01T12:00:00Z', '2026-12-28', '2026-12-27'],
  ])('week of %s', (time, monday, sunday) => {
    expect(at('UTC', time).week).toBe(monday)
    expect(at('UTC', time, 'sunday').week).toBe(sunday)
  })
})

describe('durations', () => {
  it.each<[string, string, Duration, number, string]>([
    ['UTC', '2026-03-31T12:00:00Z', '1mo', -1, '2026-02-28T12:00:00.000Z'],
    ['UTC', '2024-02-29T12:00:00Z', '1y', -1, '2023-02-28T12:00:00.000Z'],
    ['UTC', '2024-02-29T12:00:00Z', '1y', 4, '2028-02-29T12:00:00.000Z'],
    ['UTC', '2026-01-31T12:00:00Z', '1mo', 3, '2026-04-30T12:00:00.000Z'],
    ['UTC', '2026-11-20T12:00:00Z', '2w', -1, '2026-11-06T12:00:00.000Z'],
    ['UTC', '2026-11-20T12:00:00Z', '90m', -2, '2026-11-20T09:00:00.000Z'],
    ['UTC', '2026-11-20T12:00:00Z', 1500, -2, '2026-11-20T11:59:57.000Z'],
    // A day of 25 hours, and 24 hours.
    ['Europe/Berlin', '2026-10-25T11:00:00Z', '1d', -1, '2026-10-24T10:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25T11:00:00Z', '24h', -1, '2026-10-24T11:00:00.000Z'],
    // A day of 23 hours.
    ['Europe/Berlin', '2026-03-29T10:00:00Z', '1d', -1, '2026-03-28T11:00:00.000Z'],
    // 02:30 comes twice: the first. 02:30 is left out: as much after 03:00.
    ['Europe/Berlin', '2026-10-26T01:30:00Z', '1d', -1, '2026-10-25T00:30:00.000Z'],
    ['Europe/Berlin', '2026-03-30T00:30:00Z', '1d', -1, '2026-03-29T01:30:00.000Z'],
  ])('%s %s %s times %d', (zone, time, duration, times, expected) => {
    expect(new Calendar(zone).add(new Date(time), duration, times).toISOString()).toBe(expected)
  })
})
