/** Options of verify(). */
import { z } from 'zod'
import type { SnapshotRef } from '../types/snapshot.ts'
import type { VerifyLevel, VerifyOptions } from '../types/verify.ts'
import { invalidOption, parseOptions } from './index.ts'
import { callShape, list, oneOf, opt, positive, refSchema, wholeBytes } from './parts.ts'

const share = z
  .number('must be a number above 0 and up to 1')
  .refine((n) => n > 0 && n <= 1, 'must be a number above 0 and up to 1')

const budget = z
  .strictObject({ bytes: opt(wholeBytes), ms: opt(positive), share: opt(share) }, 'must be an object')
  .refine((given) => Object.keys(given).length > 0, 'must have bytes, ms or share')

const schema: z.ZodType<VerifyOptions> = z.strictObject(
  {
    ...callShape,
    level: opt(oneOf('structure', 'data', 'content')),
    snapshots: opt(z.union([refSchema, list(refSchema, 10_000)], "must be 'all', a snapshot, or a list of them")),
    budget: opt(budget),
  },
  'must be an object',
)

export interface ParsedVerifyOptions extends VerifyOptions {
  level: VerifyLevel
  snapshots: 'all' | readonly SnapshotRef[]
}

/** @throws BackupError INVALID_OPTIONS */
export function parseVerifyOptions(options: VerifyOptions = {}): ParsedVerifyOptions {
  const parsed = parseOptions(schema, options, 'verify')
  const level = parsed.level ?? 'structure'
  if (parsed.budget !== undefined && level !== 'data') {
    throw invalidOption(
      'budget',
      "left out unless level is 'data': nothing else reads enough to limit it",
      level,
      'verify',
    )
  }
  return { ...parsed, level, snapshots: refsOf(parsed.snapshots) }
}

function refsOf(snapshots: VerifyOptions['snapshots'] = 'all'): ParsedVerifyOptions['snapshots'] {
  if (snapshots === 'all') return 'all'
  return Array.isArray(snapshots) ? snapshots : [snapshots as SnapshotRef]
}
