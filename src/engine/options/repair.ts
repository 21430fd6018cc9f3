/** Options of planRepair() and repair(). */
import { z } from 'zod'
import type { Finding, Warning } from '../../events.ts'
import type { Source } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import type { PlanRepairOptions, RepairOptions, RepairPlan, RepairStep } from '../types/repair.ts'
import { parseOptions } from './index.ts'
import { callShape, oneOf, opt, pluginSchema, positive, text } from './parts.ts'

const MIN_DEAD_RUN_MS = 180_000
const DEFAULT_DEAD_RUN_MS = 900_000
const DEFAULT_GRACE_MS = 3_600_000

const milliseconds = (least: number): z.ZodNumber => {
  const rule = `must be a number of milliseconds, ${least} or more`
  return z.number(rule).min(least, rule)
}

/** None at all is an answer too. */
const places = <S extends z.ZodType>(item: S, max: number) =>
  z.array(item, `must be a list of up to ${max}`).max(max, `must be a list of up to ${max}`)

const placesShape = {
  sources: opt(places(pluginSchema<Source>('a source', 'open'), 256)),
  mirrors: opt(places(pluginSchema<Target>('a target', 'get', 'stat', 'list'), 16)),
}

const planSchema: z.ZodType<PlanRepairOptions> = z.strictObject(
  { ...callShape, ...placesShape, level: opt(oneOf('structure', 'data')) },
  'must be an object',
)

const repairSchema: z.ZodType<RepairOptions> = z.strictObject(
  {
    ...callShape,
    ...placesShape,
    drop: opt(
      z.union([z.boolean(), z.enum(['entries', 'snapshots'])], "must be true, false, 'entries' or 'snapshots'"),
    ),
    confirm: opt(text(256)),
    waitMs: opt(milliseconds(0)),
    deadRunMs: opt(positive.pipe(milliseconds(MIN_DEAD_RUN_MS))),
    graceMs: opt(milliseconds(0)),
  },
  'must be an object',
)

export interface ParsedPlanRepairOptions extends PlanRepairOptions {
  level: 'structure' | 'data'
  sources: readonly Source[]
  mirrors: readonly Target[]
}

export interface ParsedRepairOptions extends Omit<RepairOptions, 'drop'> {
  drop: 'nothing' | 'entries' | 'snapshots'
  sources: readonly Source[]
  mirrors: readonly Target[]
  deadRunMs: number
  graceMs: number
}

/** @throws BackupError INVALID_OPTIONS */
export function parsePlanRepairOptions(
  options: PlanRepairOptions = {},
  engine: { readonly sources: readonly Source[] } = { sources: [] },
): ParsedPlanRepairOptions {
  const { sources } = engine
  return { level: 'data', sources, mirrors: [], ...parseOptions(planSchema, options, 'planRepair') }
}

/** @throws BackupError INVALID_OPTIONS */
export function parseRepairOptions(
  options: RepairOptions = {},
  engine: { readonly sources: readonly Source[] } = { sources: [] },
): ParsedRepairOptions {
  const { drop = false, ...parsed } = parseOptions(repairSchema, options, 'repair')
  return {
    sources: engine.sources,
    mirrors: [],
    deadRunMs: DEFAULT_DEAD_RUN_MS,
    graceMs: DEFAULT_GRACE_MS,
    ...parsed,
    drop: drop === true ? 'entries' : drop || 'nothing',
  }
}

const count = z.number().min(0)
const json = z.record(z.string(), z.json())
const warning: z.ZodType<Warning> = z.strictObject({
  code: z.string(),
  message: z.string(),
  path: opt(z.string()),
  details: opt(json),
})
const finding: z.ZodType<Finding> = z.strictObject({
  code: z.string(),
  severity: z.enum(['info', 'warning', 'error']),
  message: z.string(),
  fix: opt(z.string()),
  object: opt(z.string()),
  affects: opt(z.strictObject({ snapshots: z.array(z.string()), entries: count, bytes: count })),
  details: opt(json),
})
const step: z.ZodType<RepairStep> = z.strictObject({
  action: z.enum([
    'copy-object',
    'restate-index',
    'remove-object',
    'heal-content',
    'replace-packs',
    'retire-packs',
    'rewrite-snapshot',
    'drop-snapshot',
  ]),
  message: z.string(),
  objects: z.array(z.string()),
  loses: z.string().nullable(),
})
const losses = z.strictObject({
  snapshots: z.array(z.strictObject({ snapshot: z.string(), entries: count, bytes: count, unreadable: z.boolean() })),
  entries: z.array(z.strictObject({ path: z.string(), entries: count, bytes: count, snapshots: z.array(z.string()) })),
  total: z.strictObject({ entries: count, bytes: count }),
})
const repairPlan: z.ZodType<RepairPlan> = z.strictObject(
  {
    kind: z.literal('repair', "must be 'repair'"),
    version: z.literal(1, 'must be 1, the only version there is'),
    digest: z.string().min(1),
    repositoryId: z.string().min(1),
    createdAt: z.string(),
    destructive: z.boolean(),
    level: z.enum(['structure', 'data']),
    places: z.strictObject({ sources: z.array(z.string()), mirrors: z.array(z.string()) }),
    findings: z.array(finding),
    steps: z.array(step),
    losses,
    packs: z.array(z.string()),
    warnings: z.array(warning),
  },
  'must be a plan, as planRepair() makes it',
)

/** Its shape; its digest is checked by repair(). @throws BackupError INVALID_OPTIONS */
export function parseRepairPlan(plan: RepairPlan): RepairPlan {
  return parseOptions(z.strictObject({ plan: repairPlan }), { plan }, 'repair').plan
}
