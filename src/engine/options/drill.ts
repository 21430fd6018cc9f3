/** Options of drill(). */
import { z } from 'zod'
import type { Sink } from '../../sources/sink.ts'
import type { DrillOptions } from '../types/drill.ts'
import type { SnapshotRef } from '../types/snapshot.ts'
import { assertCompatible, parseOptions } from './index.ts'
import { anyFunction, callShape, opt, pluginSchema, refSchema, selectionSchema, text } from './parts.ts'

const sinks = z.record(
  text(64),
  pluginSchema<Sink>('a sink, as folder() or defineSink() makes it', 'open'),
  'must be an object of sinks by source name',
)

const schema: z.ZodType<DrillOptions> = z.strictObject(
  {
    ...callShape,
    snapshot: opt(refSchema),
    select: opt(selectionSchema),
    sinks: opt(sinks),
    check: opt(anyFunction<NonNullable<DrillOptions['check']>>('a function')),
  },
  'must be an object',
)

export interface ParsedDrillOptions extends DrillOptions {
  snapshot: SnapshotRef
}

/** @throws BackupError INVALID_OPTIONS */
export function parseDrillOptions(options: DrillOptions = {}): ParsedDrillOptions {
  const parsed = parseOptions(schema, options, 'drill')
  for (const each of Object.values(parsed.sinks ?? {})) assertCompatible(each)
  return { snapshot: 'latest', ...parsed }
}
