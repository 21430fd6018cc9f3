/** Options of BackupEngine.open(). */
import { z } from 'zod'
import { isPin, type Pin } from '../../model/pin.ts'
import type { Target } from '../../targets/target.ts'
import type { Transform } from '../../transforms/transform.ts'
import type { Clock } from '../../util/clock.ts'
import type { CacheOptions, EngineOptions, Key, Logger, WorkerPool } from '../types/engine.ts'
import { assertUniqueNames, defaultsShape, sourceSchema } from './backup.ts'
import { assertCompatible, parseOptions } from './index.ts'
import { flag, oneOf, opt, pluginSchema, positive, signal, text } from './parts.ts'
import { retentionSchema } from './retention.ts'

const key = z.custom<Key>(
  (value) => typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string',
  "must be a key, as passphrase() makes it, or 'none' for an unencrypted repository",
)

const CACHE_RULE = "must be { directory, maxBytes? } or 'none'"
const cache: z.ZodType<CacheOptions | 'none'> = z.union(
  [
    z.literal('none'),
    z.strictObject(
      { directory: z.string('must be a path').min(1, 'must be a path'), maxBytes: opt(positive) },
      CACHE_RULE,
    ),
  ],
  CACHE_RULE,
)

const schema: z.ZodType<EngineOptions> = z.strictObject(
  {
    target: pluginSchema<Target>(
      'a target, as localTarget() or defineTarget() makes it',
      'put',
      'get',
      'stat',
      'list',
      'delete',
      'close',
    ),
    key: z.union(
      [z.literal('none'), key],
      "must be a key, as passphrase() makes it, or 'none' for an unencrypted repository",
    ),
    sources: opt(z.array(sourceSchema, 'must be a list of sources').max(256, 'must be a list of at most 256 sources')),
    transforms: opt(
      z.array(
        pluginSchema<Transform>('a transform, as zstd() or defineTransform() makes it', 'encode', 'decode'),
        'must be a list of transforms',
      ),
    ),
    create: opt(oneOf('if-empty', 'never')),
    pin: opt(z.custom<Pin>(isPin, 'must be what engine.pin() gave')),
    signal,
    workers: opt(
      z.union([z.literal('inline'), pluginSchema<WorkerPool>("a pool made by workerPool(), or 'inline'", 'close')]),
    ),
    decodeCheck: opt(flag),
    defaults: opt(z.strictObject(defaultsShape, 'must be an object')),
    retention: opt(retentionSchema),
    maxConcurrentRuns: opt(z.int('must be a whole number above 0').min(1, 'must be a whole number above 0')),
    cache: opt(cache),
    host: opt(text(255)),
    logger: opt(pluginSchema<Logger>('a logger with debug, info, warn and error', 'debug', 'info', 'warn', 'error')),
    clock: opt(pluginSchema<Clock>('a clock with now, monotonicMs and sleep', 'now', 'monotonicMs', 'sleep')),
  },
  'must be an object',
)

/** @throws BackupError INVALID_OPTIONS; PLUGIN_INCOMPATIBLE for a plugin of another contract */
export function parseEngineOptions(options: EngineOptions): EngineOptions {
  const parsed = parseOptions(schema, options, 'open')
  assertUniqueNames(parsed.sources ?? [], 'open')
  const plugins = [parsed.target, ...(parsed.sources ?? []), ...(parsed.transforms ?? [])]
  for (const plugin of plugins) assertCompatible(plugin)
  return parsed
}
