/** Reads of local objects. Only regular files are objects: no link is followed, and a pipe never blocks. */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, stat } from 'node:fs/promises'
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { checkRange, notFound, rangeWithin } from '../checks.ts'
import type { CallSignal, GetOptions, ObjectInfo } from '../target.ts'
import { errnoOf, ignore } from './errno.ts'
import type { LocalFolder } from './folder.ts'

// Windows lacks the last two, and reads as well without.
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const READ_BYTES = 16 * 1024 * 1024

export async function getFile(
  folder: LocalFolder,
  key: string,
  { range, signal }: GetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const path = folder.pathOf(key)
  checkRange(range)
  throwIfAborted(signal)
  const file = await openObject(folder, key, path)
  try {
    const found = await file.stat()
    if (!found.isFile()) throw notFound(key, { path })
    const { start, end } = rangeWithin(key, found.size, range)
    return await readExactly(file, start, end, path, signal)
  } finally {
    await file.close()
  }
}

async function openObject(folder: LocalFolder, key: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, READ_FLAGS)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOTDIR') await requireFolder(folder)
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') throw notFound(key, { path })
    throw error
  }
}

/** The file is not cut while it is read: objects are replaced by rename, so an end that comes early is damage. */
async function readExactly(
  file: FileHandle,
  start: number,
  end: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - start)
  for (let done = 0; done < bytes.byteLength; ) {
    throwIfAborted(signal)
    const length = Math.min(READ_BYTES, bytes.byteLength - done)
    const { bytesRead } = await file.read(bytes, done, length, start + done)
    if (bytesRead === 0) throw endedEarly(path, start + done, end)
    done += bytesRead
  }
  return bytes
}

function endedEarly(path: string, at: number, end: number): BackupError {
  return new BackupError('TARGET_PROTOCOL', `${path} ended at byte ${at}, before ${end}`, {
    origin: 'target',
    details: { path, at, end },
    hint: 'Something else writes to the repository folder; only Holdfast may.',
  })
}

export async function statFile(
  folder: LocalFolder,
  key: string,
  { signal }: CallSignal,
): Promise<ObjectInfo | undefined> {
  const path = folder.pathOf(key)
  throwIfAborted(signal)
  const info = await infoOf(path, key)
  if (info === undefined) await requireFolder(folder)
  return info
}

/** Undefined where there is no regular file. */
export async function infoOf(path: string, key: string): Promise<ObjectInfo | undefined> {
  const found = await lstat(path).catch(ignore('ENOENT', 'ENOTDIR'))
  return found?.isFile() ? { key, size: found.size, modifiedAt: found.mtime } : undefined
}

/** A root that does not exist yet is as good as an empty one; a root that is a file is a mistake of the caller. */
export async function requireFolder(folder: LocalFolder): Promise<void> {
  const found = await stat(folder.root).catch(ignore('ENOENT'))
  if (found === undefined || found.isDirectory()) return
  throw new BackupError('TARGET_NOT_FOUND', `${folder.root} is not a folder`, {
    origin: 'target',
    details: { path: folder.root },
    hint: 'Name a folder; one that does not exist yet is made by the first backup.',
  })
}
