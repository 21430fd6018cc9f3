/**
 * Reading one file, synchronously, in a worker, with as few calls as a torn read can be caught with: open, fstat, read,
 * fstat, close. The second fstat compared with the first tells whether the file changed meanwhile.
 *
 * Errors: SOURCE_NOT_FOUND when it vanished since the scan; SOURCE_CHANGED when it is no regular file any more;
 * SOURCE_UNREACHABLE for a failing disk or share (EIO, ESTALE, …; retryable); SOURCE_DENIED for anything else.
 */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { BackupError } from '../../errors.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { isGone, nativePath, readFailure, S_IFMT, S_IFREG, systemCode } from './stat.ts'

export { fingerprintFromStat, metaFromStat } from './stat.ts'

const BIGINT = { bigint: true } as const
// O_NONBLOCK: opening a FIFO that took the file's place must not wait for a writer. (Windows has neither flag.)
const FOLLOW = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const NO_FOLLOW = FOLLOW | (constants.O_NOFOLLOW ?? 0)

export interface OpenFile {
  readonly fd: number
  readonly stat: BigIntStats
}

/**
 * Opens a regular file. `path` is latin1 and absolute. A link in the last place is refused unless `follow` is set, as it
 * must be where the scan followed links.
 */
export function openFile(path: string, follow = false): OpenFile {
  let fd: number
  try {
    fd = openSync(nativePath(path), follow ? FOLLOW : NO_FOLLOW)
  } catch (error) {
    throw openFailure(path, error)
  }
  try {
    const stat = fstatSync(fd, BIGINT)
    if ((Number(stat.mode) & S_IFMT) !== S_IFREG) throw changed(path)
    return { fd, stat }
  } catch (error) {
    closeSync(fd)
    throw BackupError.is(error) ? error : readFailure('read', path, error)
  }
}

function openFailure(path: string, error: unknown): BackupError {
  const code = systemCode(error)
  // ENXIO: a socket, or a FIFO without a writer.
  if (code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR') return changed(path, error)
  if (!isGone(error)) return readFailure('open', path, error)
  const text = latin1ToUser(path)
  return new BackupError('SOURCE_NOT_FOUND', `${JSON.stringify(text)} is not there any more`, {
    origin: 'source',
    details: { path: text },
    cause: error,
  })
}

function changed(path: string, cause?: unknown): BackupError {
  const text = latin1ToUser(path)
  return new BackupError('SOURCE_CHANGED', `${JSON.stringify(text)} is no regular file any more`, {
    origin: 'source',
    retryable: true,
    details: { path: text },
    cause,
  })
}

/** Reads up to `length` bytes from `position` on; 0 at the end of the file. `path` is for the error only. */
export function readInto(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
  path = '',
): number {
  try {
    return readSync(fd, buffer, offset, length, position)
  } catch (error) {
    throw readFailure('read', path, error)
  }
}

const STAT_BLOCK = 512

/** Bytes that the file has no room for on its disk: holes, if it has any (a file system that compresses says so too). */
export function missingBytes({ size, blocks }: BigIntStats): number {
  return Math.max(0, Number(size) - Number(blocks) * STAT_BLOCK)
}

export function statOpen(fd: number): BigIntStats {
  return fstatSync(fd, BIGINT)
}

/** True if the file was written to, or its metadata set, between the two. */
export function statChanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size !== after.size || before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs
}
