/** Atomic, durable writes of whole objects. */
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { PutOptions } from '../target.ts'
import { errnoOf, ignore } from './errno.ts'
import type { LocalFolder } from './folder.ts'

const FILE_MODE = 0o600
/**
 * What one call writes, and an abort waits for at most. A kernel may not take the processor away from a call that copies:
 * with a whole pack in one call a host's requests waited up to 10 ms behind it, and small calls cost nothing to speak of.
 */
const WRITE_BYTES = 128 * 1024

export async function putFile(
  folder: LocalFolder,
  key: string,
  body: Uint8Array,
  { ifAbsent = false, signal }: PutOptions,
): Promise<boolean> {
  const path = folder.pathOf(key)
  throwIfAborted(signal)
  if (ifAbsent && (await isTaken(path))) return await leaveAsItIs(folder, path)
  const { reserve } = folder
  const isNew = await reserve.lend(key, body.byteLength, ifAbsent, () => createIn(folder, path, body, ifAbsent, signal))
  await reserve.afterPut(key, body.byteLength)
  return isNew
}

async function createIn(
  folder: LocalFolder,
  path: string,
  body: Uint8Array,
  ifAbsent: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return await create(folder, path, body, ifAbsent, signal)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    await folder.forgetFolders()
    return await create(folder, path, body, ifAbsent, signal)
  }
}

/**
 * The order makes it safe: the bytes are durable under a name nobody looks at before they get their own, and the name is
 * durable before anyone is told.
 */
async function create(
  folder: LocalFolder,
  path: string,
  body: Uint8Array,
  ifAbsent: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  await folder.ready(dirname(path))
  const temporary = await folder.temporaryPath()
  let renamed = false
  try {
    await writeWhole(temporary, body, folder.fsync, signal)
    throwIfAborted(signal)
    if (ifAbsent && !(await linkAbsent(temporary, path))) return await leaveAsItIs(folder, path)
    if (!ifAbsent) {
      await rename(temporary, path)
      renamed = true
    }
    await folder.sync(dirname(path))
    return true
  } finally {
    // A failure to clean up must not hide what happened; the file is no object, and a later day's put removes it.
    if (!renamed) await unlink(temporary).catch(() => {})
  }
}

/** The key exists. Whoever created it may have died before its name was durable, and our caller will rely on it. */
async function leaveAsItIs(folder: LocalFolder, path: string): Promise<false> {
  await folder.sync(dirname(path))
  return false
}

async function isTaken(path: string): Promise<boolean> {
  const found = await lstat(path).catch(ignore('ENOENT', 'ENOTDIR'))
  return found?.isFile() ?? false
}

async function writeWhole(
  path: string,
  body: Uint8Array,
  fsync: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await writeAll(file, body, signal)
    const { size } = await file.stat()
    if (size !== body.byteLength) throw shortWrite(path, size, body.byteLength)
    if (fsync) await file.sync()
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  for (let offset = 0; offset < body.byteLength; ) {
    const { bytesWritten } = await file.write(body, offset, Math.min(WRITE_BYTES, body.byteLength - offset))
    offset += bytesWritten
    throwIfAborted(signal)
  }
}

function shortWrite(path: string, size: number, expected: number): BackupError {
  return new BackupError('TARGET_PROTOCOL', `${path} has ${size} bytes after ${expected} were written`, {
    origin: 'target',
    retryable: true,
    details: { path, size, expected },
    hint: 'The file system loses data; check the disk.',
  })
}

/** A link fails where the name is taken, which a rename does not: that is what makes creation atomic. */
async function linkAbsent(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    const errno = errnoOf(error) ?? ''
    if (errno === 'EEXIST' && (await lstat(path).catch(ignore('ENOENT')))?.isDirectory() !== true) return false
    if (NO_LINKS.includes(errno)) throw withoutLinks(path, errno, error)
    throw error
  }
}

const NO_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

function withoutLinks(path: string, errno: string, cause: unknown): BackupError {
  return new BackupError('UNSUPPORTED', `the file system cannot create ${path} by a hard link (${errno})`, {
    origin: 'target',
    details: { path, errno },
    hint: 'A repository needs a file system with hard links (ext4, XFS, Btrfs, APFS, NTFS …); FAT and exFAT have none.',
    cause,
  })
}
