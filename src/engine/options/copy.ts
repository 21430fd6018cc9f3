/** Options of copySnapshots(). */
import { z } from 'zod'
import type { BackupEngine } from '../engine.ts'
import { contextOf } from '../engine-contexts.ts'
import type { EngineContext } from '../types/context.ts'
import type { CopyOptions } from '../types/copy.ts'
import { invalidOption, parseOptions } from './index.ts'
import { callShape, filterSchema, list, opt, refSchema } from './parts.ts'

const isEngine = (value: unknown): value is BackupEngine =>
  typeof value === 'object' && value !== null && contextOf(value) !== undefined
const engine = z.custom<BackupEngine>(isEngine, 'must be an engine, as BackupEngine.open() makes it')

const schema: z.ZodType<CopyOptions> = z.strictObject(
  {
    ...callShape,
    from: engine,
    to: engine,
    snapshots: opt(z.union([list(refSchema, 10_000), filterSchema], 'must be a list of snapshots, or a filter')),
  },
  'must be an object',
)

export type ParsedCopyOptions = CopyOptions

/** @throws BackupError INVALID_OPTIONS */
export function parseCopyOptions(options: CopyOptions): {
  options: ParsedCopyOptions
  from: EngineContext
  to: EngineContext
} {
  const parsed = parseOptions(schema, options, 'copySnapshots')
  if (parsed.from === parsed.to) throw invalidOption('to', 'another engine than from', 'the same', 'copySnapshots')
  return { options: parsed, from: contextOf(parsed.from)!, to: contextOf(parsed.to)! }
}
