/** Options of planErase() and erase(). */
import { z } from 'zod'
import type { Warning } from '../../events.ts'
import type { EraseOptions, ErasePlan, PlanEraseOptions } from '../types/erase.ts'
import type { SnapshotRef } from '../types/snapshot.ts'
import { parseOptions } from './index.ts'
import { callShape, flag, glob, list, opt, refSchema, text, words } from './parts.ts'

const MAX_REFS = 10_000
const patterns = list(glob, 10_000)
const planSchema: z.ZodType<PlanEraseOptions> = z.strictObject(
  {
    ...callShape,
    paths: patterns,
    sources: opt(words),
    snapshots: opt(list(refSchema, MAX_REFS) as z.ZodType<readonly SnapshotRef[]>),
    includeHeld: opt(flag),
  },
  'must be an object',
)
const eraseSchema: z.ZodType<EraseOptions> = z.strictObject(
  { ...callShape, confirm: opt(text(256)) },
  'must be an object',
)

export type ParsedPlanEraseOptions = PlanEraseOptions & Required<Pick<PlanEraseOptions, 'includeHeld'>>

/** @throws BackupError INVALID_OPTIONS */
export function parsePlanEraseOptions(options: PlanEraseOptions): ParsedPlanEraseOptions {
  return { includeHeld: false, ...parseOptions(planSchema, options, 'planErase') }
}

/** @throws BackupError INVALID_OPTIONS */
export function parseEraseOptions(options: EraseOptions = {}): EraseOptions {
  return parseOptions(eraseSchema, options, 'erase')
}

const count = z.number().min(0)
const found = { snapshot: z.string().min(1), entries: count, bytes: count }
const warning: z.ZodType<Warning> = z.strictObject({
  code: z.string(),
  message: z.string(),
  path: opt(z.string()),
  details: opt(z.record(z.string(), z.json())),
})
const erasePlan: z.ZodType<ErasePlan> = z.strictObject(
  {
    kind: z.literal('erase', "must be 'erase'"),
    version: z.literal(1, 'must be 1, the only version there is'),
    digest: z.string().min(1),
    repositoryId: z.string().min(1),
    createdAt: z.iso.datetime(),
    destructive: z.boolean(),
    request: z.strictObject({ paths: patterns, sources: opt(words), includeHeld: z.boolean() }),
    snapshots: z.array(z.strictObject({ ...found, state: z.string(), successor: opt(z.string()) })),
    forgotten: z.array(z.strictObject(found)),
    others: z.array(z.string()),
    looked: z.array(z.string()),
    entries: count,
    bytes: count,
    paths: z.array(z.string()),
    distinctPaths: count,
    shared: z.array(z.strictObject({ path: z.string(), bytes: count, linked: z.boolean() })),
    distinctShared: count,
    warnings: z.array(warning),
  },
  'must be a plan, as planErase() makes it',
)

/** Its shape; its digest is checked by erase(). @throws BackupError INVALID_OPTIONS */
export function parseErasePlan(plan: ErasePlan): ErasePlan {
  return parseOptions(z.strictObject({ plan: erasePlan }), { plan }, 'erase').plan
}
