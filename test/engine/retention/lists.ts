/** Lists of snapshots for golden files and for the comparison with restic: made by rules, the same every time. */
import type { Candidate } from '../../../src/engine/forget/retention-rules.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

export function snapshot(at: string | number, over: Partial<Candidate> = {}): Candidate {
  const createdAt = new Date(at)
  const id = createdAt
    .toISOString()
    .replace(/[-:.Z]/g, '')
    .toLowerCase()
  return {
    id: `${id}-${over.host ?? 'web-1'}`,
    createdAt,
    host: 'web-1',
    tags: [],
    complete: true,
    kind: 'backup',
    holds: [],
    sources: [{ name: 'uploads' }],
    ...over,
  }
}

/** Numbers from 0 to 1, always the same ones. */
export function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function every(from: string, stepMs: number, count: number, over: (n: number) => Partial<Candidate> = () => ({})) {
  return Array.from({ length: count }, (_, n) => snapshot(Date.parse(from) + n * stepMs, over(n)))
}

/** Four years with gaps of hours to months, to the second. */
function sparse(): Candidate[] {
  const next = numbers(7)
  let at = Date.parse('2022-11-03T08:15:00Z')
  return Array.from({ length: 60 }, () => {
    at += Math.floor(next() ** 4 * 90 * 24 * 3600) * 1000 + 1800_000
    return snapshot(at)
  })
}

/** Every 45 minutes around the end of summer time in Berlin, with some before, and the beginning of summer time. */
function autumn(): Candidate[] {
  return [
    ...every('2025-12-28T23:30:00Z', 2 * DAY, 6),
    ...every('2026-03-28T20:30:00Z', 3 * HOUR, 10),
    ...every('2026-10-24T18:15:00Z', 45 * 60_000, 46),
  ]
}

/** Two hosts, tags on some, for a year. */
function hosts(): Candidate[] {
  const next = numbers(11)
  return every('2025-11-20T01:00:00Z', 6.7 * DAY, 54, (n) => ({
    host: n % 3 === 0 ? 'web-2' : 'web-1',
    tags: [...(n % 5 === 0 ? ['release'] : []), ...(next() < 0.3 ? ['nightly'] : [])],
  }))
}

/** Daily at the same time around the end of February, and at the end of March. */
function february(): Candidate[] {
  return [...every('2026-02-24T10:00:00Z', DAY, 12), snapshot('2026-03-30T10:00:00Z'), snapshot('2026-03-31T10:00:00Z')]
}

/** Hourly for ten days, daily for two years before, monthly for three years before that. */
function years(): Candidate[] {
  return [
    ...Array.from({ length: 36 }, (_, n) => snapshot(Date.UTC(2021, 11 + n, 1, 3))),
    ...every('2024-11-20T02:00:00Z', DAY, 720),
    ...every('2026-11-10T03:00:00Z', HOUR, 250),
  ]
}

/** One of everything that goes wrong or is special, at the end of some ordinary weeks. */
function troubled(): Candidate[] {
  const hold = (reason: string, expires?: string) => ({ reason, ...(expires && { expires: new Date(expires) }) })
  const proof = (level: 'structure' | 'data', sound = true) => ({ level, sound })
  const list = every('2026-10-01T02:00:00Z', DAY, 40)
  const change = (n: number, over: Partial<Candidate>): void => {
    list[n] = { ...list[n]!, ...over }
  }
  change(1, { holds: [{ ...hold('audit 17'), author: 'anna' }] })
  change(2, { holds: [hold('ended', '2026-11-01T00:00:00Z'), hold('tax', '2027-01-01T00:00:00Z')] })
  change(3, { lastVerified: proof('data') })
  change(5, { holds: [hold('ended', '2026-11-01T00:00:00Z')] })
  change(20, { lastVerified: proof('structure') })
  change(30, { lastVerified: proof('data', false) })
  for (const n of [33, 36, 37, 38, 39]) change(n, { complete: false })
  return [
    ...list,
    // The same instant, twice, by two schedules.
    snapshot('2026-11-05T02:00:00Z', { id: '20261105t020000000-twin', schedule: 'nightly' }),
    snapshot('2026-11-08T14:00:00Z', { schedule: 'hourly' }),
    snapshot('2026-11-08T15:00:00Z', { schedule: 'hourly' }),
    snapshot('2026-11-10T02:03:00Z', { id: '20261110t020300000-ahead' }),
    snapshot('2031-01-01T00:00:00Z', { id: '20310101t000000000-clock' }),
    snapshot('2026-11-07T05:00:00Z', { host: 'old-host', complete: false }),
    snapshot('2026-06-01T05:00:00Z', { host: 'gone-host' }),
    snapshot('2026-06-02T05:00:00Z', { host: 'gone-host' }),
  ]
}

export const LISTS = {
  sparse: sparse(),
  autumn: autumn(),
  hosts: hosts(),
  february: february(),
  years: years(),
  troubled: troubled(),
}
export type ListName = keyof typeof LISTS

/** When each is looked at. */
export const NOW: Readonly<Record<ListName, string>> = {
  sparse: '2026-11-21T12:00:00Z',
  autumn: '2026-10-26T05:00:00Z',
  hosts: '2026-11-21T12:00:00Z',
  february: '2026-03-31T12:00:00Z',
  years: '2026-11-20T14:00:00Z',
  troubled: '2026-11-10T02:00:00Z',
}
