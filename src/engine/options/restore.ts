/** Options of planRestore() and restore(). */
import { z } from 'zod'
import type { Json } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { Sink } from '../../sources/sink.ts'
import { parseRenames } from '../restore/renames.ts'
import type { PlanRestoreOptions, RestoreChangeType, RestoreOptions, RestorePlan } from '../types/restore.ts'
import { assertCompatible, parseOptions } from './index.ts'
import { callShape, flag, opt, pluginSchema, refSchema, selectionSchema, text } from './parts.ts'

const DEFAULT_INLINE_CHANGES = 1000
const MAX_INLINE_CHANGES = 10_000
/** Each is a walk of its own, merged with the others. */
const MAX_RENAMES = 1000

const sink = pluginSchema<Sink>('a sink, as folder() or defineSink() makes it', 'open')
const to = z.union(
  [
    z.strictObject({ folder: text(4096) }),
    z.strictObject({
      sinks: z
        .record(text(64), sink, 'must be an object of sinks by source name')
        .refine((sinks) => Object.keys(sinks).length > 0, 'must have at least one sink'),
    }),
  ],
  'must be { folder } or { sinks }',
)

const renameRule = `must be an object of 1 to ${MAX_RENAMES} new paths by old path`
const renames = z
  .record(text(65_536), text(65_536), renameRule)
  .refine((all) => Object.keys(all).length > 0 && Object.keys(all).length <= MAX_RENAMES, renameRule)

const inlineRule = `must be a whole number from 0 to ${MAX_INLINE_CHANGES}`
const planSchema: z.ZodType<PlanRestoreOptions> = z.strictObject(
  {
    ...callShape,
    snapshot: refSchema,
    to,
    select: opt(selectionSchema),
    rename: opt(renames),
    inlineChanges: opt(z.int(inlineRule).min(0, inlineRule).max(MAX_INLINE_CHANGES, inlineRule)),
  },
  'must be an object',
)

const restoreSchema: z.ZodType<RestoreOptions> = z.strictObject(
  { ...callShape, confirm: opt(text(256)), verify: opt(flag) },
  'must be an object',
)

export interface ParsedPlanRestoreOptions extends PlanRestoreOptions {
  inlineChanges: number
}

export interface ParsedRestoreOptions extends RestoreOptions {
  verify: boolean
}

/** @throws BackupError INVALID_OPTIONS */
export function parsePlanRestoreOptions(options: PlanRestoreOptions): ParsedPlanRestoreOptions {
  const parsed = parseOptions(planSchema, options, 'planRestore')
  for (const each of Object.values('sinks' in parsed.to ? parsed.to.sinks : {})) assertCompatible(each)
  parseRenames(parsed.rename)
  return { inlineChanges: DEFAULT_INLINE_CHANGES, ...parsed }
}

/** @throws BackupError INVALID_OPTIONS */
export function parseRestoreOptions(options: RestoreOptions = {}): ParsedRestoreOptions {
  return { verify: false, ...parseOptions(restoreSchema, options, 'restore') }
}

const count = z.number().min(0)
export const CHANGE_TYPES = [
  'create',
  'update-content',
  'update-metadata',
  'replace-type',
  'delete-extra',
  'identical',
  'conflict-modified',
  'conflict-deleted',
  'conflict-extra',
  'blocked',
] as const satisfies readonly RestoreChangeType[]
const changeType = z.enum(CHANGE_TYPES)
const json: z.ZodType<Json> = z.json()
const facts = z.record(z.string(), json)
const warning: z.ZodType<Warning> = z.strictObject({
  code: z.string(),
  message: z.string(),
  path: opt(z.string()),
  details: opt(facts),
})

const restorePlan: z.ZodType<RestorePlan> = z.strictObject(
  {
    kind: z.literal('restore', "must be 'restore'"),
    version: z.literal(1, 'must be 1, the only version there is'),
    digest: z.string().min(1),
    repositoryId: z.string().min(1),
    createdAt: z.string(),
    snapshot: z.string().min(1),
    request: json,
    destructive: z.boolean(),
    totals: z.record(changeType, z.strictObject({ count, bytes: count })),
    changes: z
      .array(
        z.strictObject({
          path: z.string(),
          to: z.string(),
          type: changeType,
          decision: z.enum(['overwrite', 'keep', 'rename', 'fail']),
          bytes: count,
          reason: opt(z.string()),
        }),
      )
      .max(MAX_INLINE_CHANGES),
    changesTruncated: z.boolean(),
    download: z.strictObject({ packs: count, bytes: count }),
    space: z.strictObject({ needed: count, free: opt(count) }),
    warnings: z.array(warning),
  },
  'must be a plan, as planRestore() makes it',
)

/** A plan may come back from a browser: its shape is checked here, its digest by restore(). @throws INVALID_OPTIONS */
export function parseRestorePlan(plan: RestorePlan): RestorePlan {
  return parseOptions(z.strictObject({ plan: restorePlan }), { plan }, 'restore').plan
}
