/** Options of planForget(), forget(), planPrune() and prune(). */
import { z } from 'zod'
import type { Warning } from '../../events.ts'
import type {
  ForgetOptions,
  ForgetPlan,
  PlanForgetOptions,
  PlanPruneOptions,
  PruneOptions,
  PrunePlan,
} from '../types/prune.ts'
import type { Retention } from '../types/retention.ts'
import type { SnapshotRef } from '../types/snapshot.ts'
import { invalidOption, parseOptions } from './index.ts'
import { callShape, filterSchema, flag, list, opt, positive, refSchema, text } from './parts.ts'
import { retentionSchema, simulationSchema } from './retention.ts'

const MAX_REFS = 10_000
const DEFAULT_DEAD_SHARE = 0.2
const DEFAULT_KEEP_DELETED_MS = 7 * 24 * 60 * 60 * 1000
/** Runs give a sign of life every minute. */
const MIN_DEAD_RUN_MS = 180_000
const DEFAULT_DEAD_RUN_MS = 900_000
const DEFAULT_GRACE_MS = 3_600_000

const milliseconds = (least: number): z.ZodNumber => {
  const rule = `must be a number of milliseconds, ${least} or more`
  return z.number(rule).min(least, rule)
}
const share = z
  .number('must be above 0 and up to 1')
  .gt(0, 'must be above 0 and up to 1')
  .max(1, 'must be above 0 and up to 1')
const confirm = opt(text(256))

const planForgetSchema: z.ZodType<PlanForgetOptions> = z.strictObject(
  {
    ...callShape,
    snapshots: opt(list(refSchema, MAX_REFS) as z.ZodType<readonly SnapshotRef[]>),
    retention: opt(retentionSchema),
    filter: opt(filterSchema),
    simulate: opt(simulationSchema),
  },
  'must be an object',
)
const deadRunMs = opt(positive.pipe(milliseconds(MIN_DEAD_RUN_MS)))
const forgetSchema: z.ZodType<ForgetOptions> = z.strictObject({ ...callShape, confirm, deadRunMs }, 'must be an object')
const planPruneSchema: z.ZodType<PlanPruneOptions> = z.strictObject(
  { ...callShape, minDeadShare: opt(share), keepDeletedMs: opt(milliseconds(0)), rekeyOldData: opt(flag) },
  'must be an object',
)
const pruneSchema: z.ZodType<PruneOptions> = z.strictObject(
  {
    ...callShape,
    confirm,
    waitMs: opt(milliseconds(0)),
    deadRunMs,
    graceMs: opt(milliseconds(0)),
  },
  'must be an object',
)

export type ParsedPlanPruneOptions = PlanPruneOptions &
  Required<Pick<PlanPruneOptions, 'minDeadShare' | 'keepDeletedMs'>>
export type ParsedForgetOptions = ForgetOptions & Required<Pick<ForgetOptions, 'deadRunMs'>>
export type ParsedPruneOptions = PruneOptions & Required<Pick<PruneOptions, 'deadRunMs' | 'graceMs'>>

/** Either some snapshots or a policy. */
export type ParsedPlanForgetOptions = PlanForgetOptions &
  ({ snapshots: readonly SnapshotRef[] } | { snapshots?: never; retention: Retention })

/** @throws BackupError INVALID_OPTIONS */
export function parsePlanForgetOptions(
  options: PlanForgetOptions = {},
  engine: { readonly retention?: Retention } = {},
): ParsedPlanForgetOptions {
  const parsed = parseOptions(planForgetSchema, options, 'planForget')
  const { snapshots, ...others } = parsed
  if (snapshots !== undefined) {
    const extra = (['retention', 'filter', 'simulate'] as const).find((name) => others[name] !== undefined)
    if (extra === undefined) return { ...others, snapshots }
    throw invalidOption(extra, 'left out where snapshots are named', others[extra], 'planForget')
  }
  const retention = others.retention ?? engine.retention
  if (retention !== undefined) return { ...others, retention }
  throw invalidOption('retention', 'given, here or to open(), where no snapshots are named', undefined, 'planForget')
}

/** @throws BackupError INVALID_OPTIONS */
export function parseForgetOptions(options: ForgetOptions = {}): ParsedForgetOptions {
  return { deadRunMs: DEFAULT_DEAD_RUN_MS, ...parseOptions(forgetSchema, options, 'forget') }
}

/** @throws BackupError INVALID_OPTIONS */
export function parsePlanPruneOptions(options: PlanPruneOptions = {}): ParsedPlanPruneOptions {
  const parsed = parseOptions(planPruneSchema, options, 'planPrune')
  return { minDeadShare: DEFAULT_DEAD_SHARE, keepDeletedMs: DEFAULT_KEEP_DELETED_MS, ...parsed }
}

/** @throws BackupError INVALID_OPTIONS */
export function parsePruneOptions(options: PruneOptions = {}): ParsedPruneOptions {
  return { deadRunMs: DEFAULT_DEAD_RUN_MS, graceMs: DEFAULT_GRACE_MS, ...parseOptions(pruneSchema, options, 'prune') }
}

const count = z.number().min(0)
const cost = z.strictObject({ packs: count, bytes: z.number() })
const warning: z.ZodType<Warning> = z.strictObject({
  code: z.string(),
  message: z.string(),
  path: opt(z.string()),
  details: opt(z.record(z.string(), z.json())),
})
const planShape = {
  version: z.literal(1, 'must be 1, the only version there is'),
  digest: z.string().min(1),
  repositoryId: z.string().min(1),
  createdAt: z.string(),
  destructive: z.boolean(),
}
const forgetPlan: z.ZodType<ForgetPlan> = z.strictObject(
  {
    ...planShape,
    kind: z.literal('forget', "must be 'forget'"),
    decisions: z.array(
      z.strictObject({
        snapshot: z.string().min(1),
        keep: z.boolean(),
        reasons: z.array(z.string()),
        group: opt(z.string()),
        state: z.string(),
      }),
    ),
    warnings: z.array(warning),
    retention: opt(retentionSchema),
    simulation: opt(
      z.strictObject({
        at: z.string(),
        kept: z.array(
          z.strictObject({
            snapshot: opt(z.string()),
            createdAt: z.string(),
            reasons: z.array(z.string()),
            group: z.string(),
          }),
        ),
      }),
    ),
  },
  'must be a plan, as planForget() makes it',
)
const prunePlan: z.ZodType<PrunePlan> = z.strictObject(
  {
    ...planShape,
    kind: z.literal('prune', "must be 'prune'"),
    request: z.strictObject({ minDeadShare: share, keepDeletedMs: milliseconds(0), rekeyOldData: opt(flag) }),
    snapshots: z.array(z.string()),
    expired: z.array(z.string()),
    sequence: count,
    free: cost,
    rewrite: cost,
    keep: cost,
    requests: count,
    estimatedMs: count,
    warnings: z.array(warning),
  },
  'must be a plan, as planPrune() makes it',
)

/** Its shape; its digest is checked by forget(). @throws BackupError INVALID_OPTIONS */
export function parseForgetPlan(plan: ForgetPlan): ForgetPlan {
  return parseOptions(z.strictObject({ plan: forgetPlan }), { plan }, 'forget').plan
}

/** Its shape; its digest is checked by prune(). @throws BackupError INVALID_OPTIONS */
export function parsePrunePlan(plan: PrunePlan): PrunePlan {
  return parseOptions(z.strictObject({ plan: prunePlan }), { plan }, 'prune').plan
}
