/** Options of a retention policy, of its simulation, and of annotate(). */
import { z } from 'zod'
import type { AnnotateOptions, Duration, Retention, Simulation } from '../types/retention.ts'
import { invalidOption, parseOptions } from './index.ts'
import { callShape, date, flag, list, oneOf, opt, text } from './parts.ts'

const KEEPS = [
  'keepLast',
  'keepHourly',
  'keepDaily',
  'keepWeekly',
  'keepMonthly',
  'keepQuarterly',
  'keepYearly',
  'keepWithin',
] as const satisfies readonly (keyof Retention)[]
const MAX_KEEP = 1_000_000
const MAX_DAYS = 36_525
/** A hundred years: longer ones are slips of the pen, and soon no date at all. */
const MAX_MS = MAX_DAYS * 86_400_000
const MS_OF = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, mo: 2_678_400_000, y: 31_622_400_000 } as const

const KEEP_RULE = `must be a whole number, 1 to ${MAX_KEEP}; leave the rule out if it is to keep nothing`
const keep = z.int(KEEP_RULE).min(1, KEEP_RULE).max(MAX_KEEP, KEEP_RULE)
const DURATION_RULE =
  "must be a whole number with 'm', 'h', 'd', 'w', 'mo' or 'y', as in '30d', or of milliseconds: above 0, up to 100 years"
const duration = z.custom<Duration>(isDuration, DURATION_RULE)
export const timeZone = z.string('must be the name of a time zone').refine(isTimeZone, {
  error: "must be the name of a time zone that this machine knows, e.g. 'Europe/Berlin'",
})
const GROUPS_RULE = 'must be a list without repetition'
const groupBy = z
  .array(oneOf('host', 'sources', 'tags', 'schedule'), GROUPS_RULE)
  .refine((names) => new Set(names).size === names.length, GROUPS_RULE)

/** All that keeps is absent: that would be a long word for "forget everything". */
const NO_KEEP = `must be a policy with at least one of ${KEEPS.join(', ')}; maxAge and maxCount only limit what those keep`

export const retentionSchema = z
  .strictObject(
    {
      keepLast: opt(keep),
      keepHourly: opt(keep),
      keepDaily: opt(keep),
      keepWeekly: opt(keep),
      keepMonthly: opt(keep),
      keepQuarterly: opt(keep),
      keepYearly: opt(keep),
      keepWithin: opt(duration),
      maxAge: opt(duration),
      maxCount: opt(keep),
      groupBy: opt(groupBy),
      timeZone: opt(timeZone),
      weekStart: opt(oneOf('monday', 'sunday')),
      allowEmptyGroup: opt(flag),
      allowDropVerified: opt(flag),
    },
    'must be an object',
  )
  .refine((policy) => KEEPS.some((name) => policy[name] !== undefined), NO_KEEP) satisfies z.ZodType<Retention>

const END_RULE = 'must be either until or inDays'
const DAYS_RULE = `must be a whole number of days, 1 to ${MAX_DAYS}`
export const simulationSchema = z
  .strictObject(
    {
      until: opt(date),
      inDays: opt(z.int(DAYS_RULE).min(1, DAYS_RULE).max(MAX_DAYS, DAYS_RULE)),
      every: opt(duration),
    },
    'must be an object',
  )
  .refine(
    ({ until, inDays }) => (until === undefined) !== (inDays === undefined),
    END_RULE,
  ) satisfies z.ZodType<Simulation>

function isDuration(value: unknown): boolean {
  if (typeof value === 'number') return value > 0 && value <= MAX_MS
  const parts = typeof value === 'string' ? /^([1-9]\d{0,9})(m|h|d|w|mo|y)$/.exec(value) : null
  return parts !== null && Number(parts[1]) * MS_OF[parts[2] as keyof typeof MS_OF] <= MAX_MS
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

const tags = list(text(128), 64)
const hold = z.strictObject(
  { reason: text(1024), author: opt(text(256)), expires: opt(date) },
  'must be { reason, author?, expires? }',
)
const annotateSchema = z.strictObject(
  {
    ...callShape,
    name: opt(text(256, 0)),
    description: opt(text(4096, 0)),
    addTags: opt(tags),
    removeTags: opt(tags),
    addHold: opt(hold),
    removeHold: opt(text(1024)),
  },
  'must be an object',
) satisfies z.ZodType<AnnotateOptions>
const CHANGES = ['name', 'description', 'addTags', 'removeTags', 'addHold', 'removeHold'] as const

/** @throws BackupError INVALID_OPTIONS */
export function parseAnnotateOptions(options: AnnotateOptions): AnnotateOptions {
  const parsed = parseOptions(annotateSchema, options, 'annotate')
  if (CHANGES.some((name) => parsed[name] !== undefined)) return parsed
  throw invalidOption('options', `at least one of ${CHANGES.join(', ')}`, options, 'annotate')
}
