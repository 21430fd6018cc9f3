/** Where a cache lies, and whether it is this user's own. */
import { lstat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** For those who chose none: below the system's temporary folder, one for each user and repository. */
export function defaultCacheFolder(repositoryId: string): string {
  const user = process.getuid?.()
  return join(tmpdir(), user === undefined ? 'holdfast-cache' : `holdfast-cache-${user}`, repositoryId)
}

const OTHERS_MAY_WRITE = 0o022

/**
 * The temporary folder is everybody's: somebody else may have made this one first. @throws Error where the folder is another
 * user's, can be written to by others, or is a link
 */
export async function checkPrivate(folder: string): Promise<void> {
  const found = await lstat(folder)
  if (!found.isDirectory()) throw new Error(`${folder} is no folder`)
  const user = process.getuid?.()
  if (user === undefined) return
  if (found.uid !== user) throw new Error(`${folder} belongs to another user`)
  if ((found.mode & OTHERS_MAY_WRITE) !== 0) throw new Error(`others may write to ${folder}`)
}

export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
