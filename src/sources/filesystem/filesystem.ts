import { resolve } from 'node:path'
import { z } from 'zod'
import type { Warning } from '../../events.ts'
import { parseSourceOptions } from '../options.ts'
import { SOURCE_NAME, type Source } from '../source.ts'
import { examineTrees } from './doctor.ts'
import { FilesystemSession } from './filesystem-session.ts'
import { folder } from './folder.ts'
import { checkGlob } from './globs.ts'
import { planScan } from './plan-scan.ts'
import { READ_PROGRAM } from './xattr-helper.ts'
import { useXattrs, xattrsSchema } from './xattr-option.ts'

export interface FilesystemOptions {
  /** First segment of every entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /**
   * A folder, or a single file. Relative ones are taken from the working folder of now. With several, each one's base name
   * is the first segment below the source's name, so two of one name are refused. A link is followed.
   */
  path: string | readonly string[]
  /**
   * Globs (minimatch, with dot files) of what to take in, relative to the source; a folder that matches is taken whole.
   * Default: everything.
   */
  include?: readonly string[]
  /** Globs of what to leave out; wins over `include`. Folders left out are not entered. Default: none. */
  exclude?: readonly string[]
  /** Do not enter folders on which another file system is mounted. Default false. */
  oneFileSystem?: boolean
  /** Take in what links lead to, instead of the links. One that leads to a folder above itself stays a link. Default false. */
  followSymlinks?: boolean
  /** Read all content each time, whatever size and times say. Default false. */
  checksum?: boolean
  /** Leave out files of more bytes than this, with the warning ENTRY_SKIPPED. Default: no limit. */
  maxFileBytes?: number
  /**
   * Extended attributes and ACLs, by the program `getfattr` (package attr, Linux). Only entries that are not known to be
   * unchanged are asked for theirs. 'auto' (default): where the program is there, else the warning XATTRS_UNAVAILABLE. True:
   * without it `open()` throws PEER_MISSING. What the last snapshot was made without is read once more when they come in.
   */
  xattrs?: 'auto' | boolean
}

const PATH_RULE = 'must be the path of a folder or file, or a list of 1 to 1000 of them'
const GLOBS_RULE = 'must be a list of globs'
const pathText = z.string(PATH_RULE).refine((text) => text !== '' && !text.includes('\0'), PATH_RULE)
const globs = z.exactOptional(z.array(z.unknown(), GLOBS_RULE).max(10_000, 'must be a list of at most 10000 globs'))
const flag = z.exactOptional(z.boolean('must be true or false'))
const NAME_RULE = "must be 1 to 64 of letters, digits, '.', '_', '-', not beginning with '.'"
const BYTES_RULE = 'must be a whole number of bytes, 0 or more'

const schema = z.strictObject({
  name: z.string(NAME_RULE).regex(SOURCE_NAME, NAME_RULE),
  path: z.union([pathText, z.array(pathText, PATH_RULE).min(1, PATH_RULE).max(1000, PATH_RULE)], PATH_RULE),
  include: globs,
  exclude: globs,
  oneFileSystem: flag,
  followSymlinks: flag,
  checksum: flag,
  xattrs: xattrsSchema,
  maxFileBytes: z.exactOptional(
    z.number(BYTES_RULE).refine((bytes) => Number.isSafeInteger(bytes) && bytes >= 0, BYTES_RULE),
  ),
})

/**
 * A file tree as a source: files, folders, symbolic and hard links, FIFOs, sockets and devices, with owner, mode and
 * nanosecond times. What did not change since the last snapshot (by size, mtime, ctime, inode) is not read again.
 * @throws BackupError INVALID_OPTIONS; its `open()`: SOURCE_NOT_FOUND, SOURCE_DENIED
 */
export function filesystem(options: FilesystemOptions): Source {
  const { name, path, ...rest } = parseSourceOptions(schema, options, 'filesystem')
  const include = checkGlobs('include', rest.include)
  const exclude = checkGlobs('exclude', rest.exclude)
  const paths = [path].flat().map((one) => resolve(one))
  const settings = {
    include,
    exclude,
    oneFileSystem: rest.oneFileSystem ?? false,
    followSymlinks: rest.followSymlinks ?? false,
    checksum: rest.checksum ?? false,
    maxFileBytes: rest.maxFileBytes ?? null,
  }
  return {
    apiVersion: 1,
    name,
    kind: 'filesystem',
    async open(context) {
      const warn = (warning: Warning): void =>
        context.warn({ ...warning, details: { ...warning.details, source: name } })
      const xattrs = useXattrs(rest.xattrs ?? 'auto', READ_PROGRAM, 'kept', warn)
      const isNew = xattrs && context.parent !== undefined && context.parent.facts.xattrs !== true
      const checksum = settings.checksum || isNew
      const plan = await planScan(paths, context.excludePaths ?? [], { ...settings, checksum, xattrs })
      return new FilesystemSession(name, paths, plan, context)
    },
    doctor: (context) => examineTrees(paths, { ...settings, xattrs: rest.xattrs ?? 'auto' }, context),
    ...(paths.length === 1 ? { sink: () => folder({ path: paths[0]! }) } : {}),
  }
}

function checkGlobs(option: string, list: readonly unknown[] = []): readonly string[] {
  return list.map((glob) => checkGlob(option, glob))
}
