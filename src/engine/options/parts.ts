/** The pieces that the verbs' schemas are made of. Messages complete "must be …". */
import { z } from 'zod'
import { isRunId } from '../../model/ids.ts'
import type { CallOptions } from '../types/run.ts'
import type { SnapshotFilter, SnapshotRef } from '../types/snapshot.ts'

/** Absent is fine; present but undefined is not. */
export const opt = <S extends z.ZodType>(schema: S): z.ZodExactOptional<S> => z.exactOptional(schema)

export const text = (max: number, min = 1): z.ZodString => {
  const rule = `must be a text of ${min} to ${max} characters`
  return z.string(rule).min(min, rule).max(max, rule)
}

/** Listed rather than open, so that the message can name them all. */
export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `must be one of ${values.map((v) => `'${v}'`).join(', ')}` })

export const flag = z.boolean('must be true or false')
export const positive = z
  .number('must be a number above 0')
  .refine((n) => n > 0 && Number.isFinite(n), 'must be a number above 0')
export const wholeBytes = z
  .number('must be a whole number of bytes, 0 or more')
  .refine((n) => Number.isSafeInteger(n) && n >= 0, 'must be a whole number of bytes, 0 or more')
export const date = z.date('must be a valid Date')

export const list = <S extends z.ZodType>(item: S, max: number) =>
  z
    .array(item, `must be a list of 1 to ${max}`)
    .min(1, `must be a list of 1 to ${max}`)
    .max(max, `must be a list of 1 to ${max}`)

export const anyFunction = <F>(rule: string) => z.custom<F>((value) => typeof value === 'function', `must be ${rule}`)

/** Duck-typed: it may come from another realm or a polyfill. */
const abortSignal = z.custom<AbortSignal>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    'addEventListener' in value &&
    'reason' in value,
  'must be an AbortSignal',
)
/** The one option that may be undefined: people pass on a signal that they may not have been given. */
export const signal = abortSignal.optional()

const RUN_ID_RULE = 'must be 1 to 64 visible ASCII characters'
const runId = z.string(RUN_ID_RULE).refine(isRunId, RUN_ID_RULE)

export const callShape = {
  signal,
  onProgress: opt(anyFunction<NonNullable<CallOptions['onProgress']>>('a function')),
  runId: opt(runId),
  actor: opt(text(256)),
  timeoutMs: opt(positive),
  stallMs: opt(positive),
}

export const words = list(text(128), 64)
const filterShape = {
  tags: opt(words),
  sources: opt(words),
  schedules: opt(words),
  hosts: opt(list(text(255), 64)),
  kinds: opt(list(oneOf('backup', 'restore-point', 'import'), 3)),
  after: opt(date),
  before: opt(date),
  search: opt(text(256)),
  complete: opt(flag),
  verified: opt(flag),
  order: opt(oneOf('newest', 'oldest')),
  signal,
}
export const filterSchema: z.ZodType<SnapshotFilter> = z.strictObject(filterShape, 'must be an object')

/** What a ref may be is checked here; whether there is such a snapshot, by `snapshot-ref.ts`. */
export const refSchema: z.ZodType<SnapshotRef> = z.union(
  [text(128), z.strictObject({ latest: filterSchema })],
  "must be a snapshot's id, a prefix of one, 'latest' or { latest: filter }",
)

export const glob = z
  .string('must be a glob pattern')
  .refine((pattern) => pattern !== '' && pattern.length <= 4096 && !pattern.includes('\0'), 'must be a glob pattern')

export const selectionSchema = z.strictObject(
  {
    sources: opt(words),
    include: opt(list(glob, 10_000)),
    exclude: opt(list(glob, 10_000)),
    changedAfter: opt(date),
  },
  'must be an object',
)

/** A plugin by its marks: what it must have, and the version of the contract it was written for. */
export function pluginSchema<T>(what: string, ...methods: readonly string[]) {
  const fits = (value: unknown): value is T =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  return z.custom<T>(fits, `must be ${what}`)
}
