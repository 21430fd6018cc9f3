import { resolve } from 'node:path'
import { z } from 'zod'
import { parseSourceOptions } from '../options.ts'
import type { Sink } from '../sink.ts'
import { FolderSession } from './folder-session.ts'
import { WRITE_PROGRAM } from './place-xattrs.ts'
import { useXattrs, xattrsSchema } from './xattr-option.ts'

export interface FolderOptions {
  /** Made if it is not there. A relative path is taken from the working folder of now. */
  path: string
  /** Give entries their recorded uid and gid. Without the right to, warns OWNER_NOT_RESTORED and goes on. Default true. */
  owner?: boolean
  /**
   * Give entries their extended attributes and ACLs, by the program `setfattr` (package attr, Linux). What cannot be set warns
   * XATTRS_NOT_RESTORED. 'auto' (default): where the program is there, else the warning XATTRS_UNAVAILABLE if entries have
   * some. True: without it `open()` throws PEER_MISSING.
   */
  xattrs?: 'auto' | boolean
}

const PATH_RULE = 'must be the path of a folder'
const schema = z.strictObject({
  path: z.string(PATH_RULE).refine((text) => text !== '' && !text.includes('\0'), PATH_RULE),
  owner: z.exactOptional(z.boolean('must be true or false')),
  xattrs: xattrsSchema,
})

/**
 * A folder as a sink. Adds to it and replaces nothing: what is there already is RESTORE_CONFLICT. Restores type, content,
 * mode (of the folder itself only if it is new), links, and times to the nearest step that Node can set (at most 120 ns off, never in another second). Without
 * `owner`, or where another owner could not be set, files lose their setuid and setgid bits.
 * @throws BackupError INVALID_OPTIONS
 */
export function folder(options: FolderOptions): Sink {
  const { path, owner = true, xattrs = 'auto' } = parseSourceOptions(schema, options, 'folder')
  const root = resolve(path)
  return {
    apiVersion: 1,
    name: 'folder',
    async open(context) {
      // Said only when an entry has some: see XattrSetter.
      const used = useXattrs(xattrs, WRITE_PROGRAM, 'restored', () => {}) || (xattrs === 'auto' && 'missing')
      return await FolderSession.open({ kind: 'folder', root, owner, xattrs: used }, context)
    },
  }
}
