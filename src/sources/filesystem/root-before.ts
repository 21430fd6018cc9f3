/** What a restore finds where its root folder is to be: enough to leave the place as it was. */
import type { BigIntStats } from 'node:fs'
import { chmod, chown, opendir, rmdir, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { userToLatin1 } from '../../util/paths.ts'
import { secondsOf } from './file-times.ts'
import { placeError, placeFailure } from './place-errors.ts'
import { isGone, nativePath } from './stat.ts'

export class RootBefore {
  /** Nothing is in it, or it is not there at all. */
  readonly isEmpty: boolean
  private readonly path: string
  private readonly found: BigIntStats | undefined
  /** Folders above it that are not there either, deepest first. */
  private readonly missing: readonly string[]

  private constructor(path: string, found: BigIntStats | undefined, isEmpty: boolean, missing: readonly string[]) {
    this.path = path
    this.found = found
    this.isEmpty = isEmpty
    this.missing = missing
  }

  /** Throws RESTORE_CONFLICT if something else than a folder is there. */
  static async look(path: string): Promise<RootBefore> {
    const found = await statFolder(path)
    if (found) return new RootBefore(path, found, await isEmptyFolder(path), [])
    return new RootBefore(path, undefined, true, await missingAbove(path))
  }

  get exists(): boolean {
    return this.found !== undefined
  }

  /** After all that was made in it is gone. */
  async putBack(): Promise<void> {
    const { found } = this
    for (const path of this.missing) await rmdir(native(path)).catch(() => undefined)
    if (!found || !this.isEmpty) return
    const path = native(this.path)
    const seconds = secondsOf(found.mtimeNs)
    await chown(path, Number(found.uid), Number(found.gid)).catch(() => undefined)
    await chmod(path, Number(found.mode) & 0o7777).catch(() => undefined)
    await utimes(path, seconds, seconds).catch(() => undefined)
  }
}

function native(path: string): string | Buffer {
  return nativePath(userToLatin1(path))
}

async function statFolder(path: string): Promise<BigIntStats | undefined> {
  try {
    const found = await stat(native(path), { bigint: true })
    if (found.isDirectory()) return found
  } catch (error) {
    if (isGone(error)) return undefined
    throw placeFailure('look at this folder', userToLatin1(path), error)
  }
  throw placeError('RESTORE_CONFLICT', userToLatin1(path), 'is no folder')
}

/** One that cannot be read may hold something. */
async function isEmptyFolder(path: string): Promise<boolean> {
  try {
    const folder = await opendir(native(path) as string)
    const first = await folder.read()
    await folder.close()
    return first === null
  } catch {
    return false
  }
}

async function missingAbove(path: string): Promise<string[]> {
  const missing: string[] = []
  for (let above = dirname(path); above !== dirname(above); above = dirname(above)) {
    if (await stat(native(above)).catch(() => undefined)) break
    missing.push(above)
  }
  return missing
}
