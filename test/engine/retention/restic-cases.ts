/** What restic is asked, and what the same policy is called here. */
import type { Retention } from '../../../src/engine/types/index.ts'
import type { ListName } from './lists.ts'

export interface ResticCase {
  flags: readonly string[]
  retention: Retention
}

const OPTIONS: Readonly<Record<string, keyof Retention>> = {
  '--keep-last': 'keepLast',
  '--keep-hourly': 'keepHourly',
  '--keep-daily': 'keepDaily',
  '--keep-weekly': 'keepWeekly',
  '--keep-monthly': 'keepMonthly',
  '--keep-yearly': 'keepYearly',
  '--keep-within': 'keepWithin',
}

/** restic's 'm' is a month. */
function duration(text: string): string {
  return text.replace(/m$/, 'mo')
}

function toCase(text: string): ResticCase {
  const flags = text.split(' ')
  const retention: Record<string, unknown> = {}
  for (let at = 0; at < flags.length; at += 2) {
    const [flag = '', value = ''] = flags.slice(at, at + 2)
    const option = OPTIONS[flag]
    if (flag === '--group-by') retention.groupBy = value === "''" ? [] : value.split(',').map((name) => GROUPS[name])
    else if (option) retention[option] = option === 'keepWithin' ? duration(value) : Number(value)
  }
  return { flags: flags.map((flag) => (flag === "''" ? '' : flag)), retention: retention as Retention }
}

const GROUPS: Readonly<Record<string, string>> = { host: 'host', paths: 'sources', tags: 'tags' }

const COMMON = [
  '--keep-last 1',
  '--keep-last 10',
  '--keep-hourly 5',
  '--keep-hourly 24',
  '--keep-daily 1',
  '--keep-daily 7',
  '--keep-daily 30',
  '--keep-weekly 4',
  '--keep-weekly 52',
  '--keep-monthly 6',
  '--keep-monthly 60',
  '--keep-yearly 2',
  '--keep-yearly 10',
  '--keep-last 3 --keep-daily 3 --keep-weekly 3',
  '--keep-hourly 6 --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly 3',
  '--keep-within 2d',
  '--keep-within 36h',
  '--keep-within 1m',
  '--keep-within 13m',
  '--keep-within 1y',
  '--keep-within 2d --keep-monthly 4',
]

export const RESTIC_LISTS = {
  sparse: { timeZone: 'UTC', cases: COMMON.map(toCase) },
  autumn: { timeZone: 'Europe/Berlin', cases: COMMON.map(toCase) },
  hosts: {
    timeZone: 'America/New_York',
    cases: [
      ...COMMON,
      "--group-by '' --keep-daily 5",
      '--group-by host --keep-monthly 3',
      '--group-by host,tags --keep-last 2',
      '--group-by tags --keep-monthly 2 --keep-last 1',
    ].map(toCase),
  },
  february: {
    timeZone: 'UTC',
    cases: ['--keep-within 1m', '--keep-within 1d', '--keep-within 1m --keep-weekly 2', '--keep-monthly 2'].map(toCase),
  },
} satisfies Partial<Record<ListName, { timeZone: string; cases: ResticCase[] }>>
export type ResticList = keyof typeof RESTIC_LISTS

/** Where this differs on purpose: what is kept here and not by restic. Nothing is the other way round. */
export const DIFFERENCES: Readonly<Partial<Record<`${ResticList} ${string}`, readonly string[]>>> = {
  // 31 March less a month is the last of February here, 3 March ("31 February") there.
  'february --keep-within 1m': ['2026-02-28', '2026-03-01', '2026-03-02', '2026-03-03'],
  'february --keep-within 1m --keep-weekly 2': ['2026-02-28', '2026-03-01', '2026-03-02', '2026-03-03'],
  // What is exactly so old is within.
  'february --keep-within 1d': ['2026-03-30'],
}

export interface Recorded {
  restic: string
  timeZone: string
  /** By case, its flags as one text: times of what restic would keep, oldest first, as `<ISO time> <host>`. */
  kept: Record<string, string[]>
}
