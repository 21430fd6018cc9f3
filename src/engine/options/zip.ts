/** Options of exportZip() and importZip(). */
import type { Readable, Writable } from 'node:stream'
import { z } from 'zod'
import type { Key } from '../../repository/key-slots-key.ts'
import type { Target } from '../../targets/target.ts'
import type { ExportZipOptions, ImportZipOptions } from '../types/zip.ts'
import { assertCompatible, parseOptions } from './index.ts'
import { callShape, opt, pluginSchema, refSchema, selectionSchema, text } from './parts.ts'

const MIB = 1024 * 1024
const DEFAULT_LEVEL = 6
const DEFAULT_VOLUME_BYTES = 32 * MIB
const DEFAULT_MAX_ENTRIES = 1_000_000
const DEFAULT_MAX_RATIO = 200

const target = pluginSchema<Target>('a target, as localTarget() or defineTarget() makes it', 'put', 'get', 'stat')
const place = [z.strictObject({ path: text(4096) }), z.strictObject({ target, key: text(1000) })] as const
const writable = pluginSchema<Writable>('a writable stream of Node', 'write', 'end', 'destroy')
const readable = pluginSchema<Readable>('a readable stream of Node', 'pipe', 'read', 'destroy')

const key = z.custom<Key>(
  (value) => typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'passphrase',
  'must be a key that passphrase() has made',
)

const whole = (min: number, max: number, what = 'a whole number') => {
  const rule = `must be ${what} from ${min} to ${max}`
  return z.int(rule).min(min, rule).max(max, rule)
}

const exportSchema: z.ZodType<ExportZipOptions> = z.strictObject(
  {
    ...callShape,
    snapshot: refSchema,
    to: z.union([...place, z.strictObject({ stream: writable })], 'must be { path }, { stream } or { target, key }'),
    select: opt(selectionSchema),
    compressionLevel: opt(whole(0, 9)),
    encrypt: opt(key),
    maxVolumeBytes: opt(whole(MIB, 1024 * MIB, 'a number of bytes')),
  },
  'must be an object',
)

const NAME_RULE = "must be 1 to 64 of letters, digits, '.', '_', '-', not beginning with '.'"
const importSchema: z.ZodType<ImportZipOptions> = z.strictObject(
  {
    ...callShape,
    from: z.union([...place, z.strictObject({ stream: readable })], 'must be { path }, { stream } or { target, key }'),
    key: opt(key),
    source: opt(z.string(NAME_RULE).regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/, NAME_RULE)),
    name: opt(text(256)),
    tags: opt(z.array(text(128), 'must be a list of at most 64').max(64, 'must be a list of at most 64')),
    maxEntries: opt(whole(1, 100_000_000)),
    maxBytes: opt(whole(1, Number.MAX_SAFE_INTEGER, 'a number of bytes')),
    maxRatio: opt(whole(1, 100_000)),
  },
  'must be an object',
)

export type ParsedExportZipOptions = ExportZipOptions & { compressionLevel: number; maxVolumeBytes: number }
export type ParsedImportZipOptions = ImportZipOptions & { source: string; maxEntries: number; maxRatio: number }

/** @throws BackupError INVALID_OPTIONS */
export function parseExportZipOptions(options: ExportZipOptions): ParsedExportZipOptions {
  const parsed = parseOptions(exportSchema, options, 'exportZip')
  if ('target' in parsed.to) assertCompatible(parsed.to.target)
  return { compressionLevel: DEFAULT_LEVEL, maxVolumeBytes: DEFAULT_VOLUME_BYTES, ...parsed }
}

/** @throws BackupError INVALID_OPTIONS */
export function parseImportZipOptions(options: ImportZipOptions): ParsedImportZipOptions {
  const parsed = parseOptions(importSchema, options, 'importZip')
  if ('target' in parsed.from) assertCompatible(parsed.from.target)
  return { source: 'zip', maxEntries: DEFAULT_MAX_ENTRIES, maxRatio: DEFAULT_MAX_RATIO, ...parsed }
}
