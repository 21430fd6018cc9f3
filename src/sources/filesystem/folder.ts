import { resolve } from 'node:path'
import { z } from 'zod'
import { parseSourceOptions } from '../options.ts'
import type { Sink } from '../sink.ts'
import { FolderSession } from './folder-session.ts'

export interface FolderOptions {
  /** Made if it is not there. A relative path is taken from the working folder of now. */
  path: string
  /** Give entries their recorded uid and gid. Without the right to, warns OWNER_NOT_RESTORED and goes on. Default true. */
  owner?: boolean
}

const PATH_RULE = 'must be the path of a folder'
const schema = z.strictObject({
  path: z.string(PATH_RULE).refine((text) => text !== '' && !text.includes('\0'), PATH_RULE),
  owner: z.exactOptional(z.boolean('must be true or false')),
})

/**
 * A folder as a sink. Adds to it and replaces nothing: what is there already is RESTORE_CONFLICT. Restores type, content,
 * mode (of the folder itself only if it is new), links, and times to the nearest step that Node can set (at most 120 ns off, never in another second). Without
 * `owner`, or where another owner could not be set, files lose their setuid and setgid bits.
 * @throws BackupError INVALID_OPTIONS
 */
export function folder(options: FolderOptions): Sink {
  const { path, owner = true } = parseSourceOptions(schema, options, 'folder')
  const root = resolve(path)
  return {
    apiVersion: 1,
    name: 'folder',
    async open(context) {
      return await FolderSession.open({ kind: 'folder', root, owner }, context)
    },
  }
}
