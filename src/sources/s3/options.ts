/** Options of a bucket as a source and as a sink, parsed once. */
import { z } from 'zod'
import {
  connectionShape,
  type S3ConnectionOptions,
  type S3ConnectionSettings,
  settleConnection,
} from '../../s3/options.ts'
import { checkGlob } from '../filesystem/globs.ts'
import { parseSourceOptions } from '../options.ts'
import { SOURCE_NAME } from '../source.ts'

export interface S3SourceOptions extends S3ConnectionOptions {
  /** First segment of every entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /**
   * Globs (minimatch, with names that begin with a dot) of what to take in, relative to `prefix`; a folder that matches is
   * taken whole. Default: everything.
   */
  include?: readonly string[]
  /** Globs of what to leave out; wins over `include`. Default: none. */
  exclude?: readonly string[]
  /** Keys in one answer to a listing, 1 to 1,000. Default 1,000. */
  listPageSize?: number
}

export interface S3SinkOptions extends S3ConnectionOptions {
  /**
   * What happens to an object of another content or other metadata under a key that is to be restored: `fail` makes the plan
   * say `blocked`, `replace` overwrites it at the commit. Equal ones are left as they are. Default `fail`.
   */
  existing?: 'fail' | 'replace'
  /** Of the parts of a large object, in bytes, at least 5 MiB. One in each upload is in memory. Default 8 MiB. */
  partBytes?: number
}

const NAME_RULE = "must be 1 to 64 of letters, digits, '.', '_', '-', not beginning with '.'"
const GLOBS_RULE = 'must be a list of globs'
const globs = z.exactOptional(z.array(z.unknown(), GLOBS_RULE).max(10_000, 'must be a list of at most 10000 globs'))

const sourceSchema = z.strictObject({
  ...connectionShape,
  name: z.string(NAME_RULE).regex(SOURCE_NAME, NAME_RULE),
  include: globs,
  exclude: globs,
  listPageSize: z.exactOptional(z.int().min(1).max(1000)),
})

const MIB = 1024 * 1024
const sinkSchema = z.strictObject({
  ...connectionShape,
  existing: z.exactOptional(z.enum(['fail', 'replace'])),
  partBytes: z.exactOptional(
    z
      .int()
      .min(5 * MIB)
      .max(5 * 1024 * MIB),
  ),
})

export interface S3SourceSettings extends S3ConnectionSettings {
  readonly name: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly listPageSize: number
}

/** @throws BackupError INVALID_OPTIONS */
export function settleSource(options: S3SourceOptions): S3SourceSettings {
  const {
    name,
    include = [],
    exclude = [],
    listPageSize = 1000,
  } = parseSourceOptions(sourceSchema, options, 's3Source')
  return {
    ...settleConnection('s3Source', options),
    name,
    include: include.map((glob) => checkGlob('include', glob)),
    exclude: exclude.map((glob) => checkGlob('exclude', glob)),
    listPageSize,
  }
}

export interface S3SinkSettings extends S3ConnectionSettings {
  readonly existing: 'fail' | 'replace'
  readonly partBytes: number
}

/** @throws BackupError INVALID_OPTIONS */
export function settleSink(options: S3SinkOptions): S3SinkSettings {
  const { existing = 'fail', partBytes = 8 * MIB } = parseSourceOptions(sinkSchema, options, 's3Sink')
  return { ...settleConnection('s3Sink', options), existing, partBytes }
}
