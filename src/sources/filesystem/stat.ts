/** From what the system says about a file to what a snapshot keeps of it. Runs per entry, so it avoids work and objects. */
import type { BigIntStats } from 'node:fs'
import { BackupError, type ErrorCode } from '../../errors.ts'
import { type EntryMeta, TYPE_DIRECTORY, TYPE_FILE, TYPE_OTHER, TYPE_SYMLINK } from '../../model/entry.ts'
import { isAscii, latin1ToUser } from '../../util/paths.ts'
import { isLong, shortened } from './long-paths.ts'

export const S_IFMT = 0o170000
export const S_IFREG = 0o100000
export const S_IFDIR = 0o040000
export const S_IFLNK = 0o120000
const S_IFIFO = 0o010000
const S_IFSOCK = 0o140000
const S_IFCHR = 0o020000
const S_IFBLK = 0o060000

const MAX_I64 = 2n ** 63n - 1n
const MIN_I64 = -(2n ** 63n)

/** Attributes of a device: its number, as `st_rdev` has it, and whether it is a 'char' or a 'block' device. */
export const RDEV_ATTRIBUTE = 'holdfast.rdev'
export const DEVICE_ATTRIBUTE = 'holdfast.device'

/**
 * A latin1 path in the form that Node takes: it encodes strings as UTF-8, so only ASCII may stay one. To be used at once:
 * see long-paths.ts, whose errors it throws.
 */
export function nativePath(latin1: string): string | Buffer {
  const path = isLong(latin1) ? shortened(latin1) : latin1
  return isAscii(path) ? path : Buffer.from(path, 'latin1')
}

function typeOf(format: number): number {
  if (format === S_IFREG) return TYPE_FILE
  if (format === S_IFDIR) return TYPE_DIRECTORY
  if (format === S_IFLNK) return TYPE_SYMLINK
  if (format === S_IFIFO) return 3
  if (format === S_IFSOCK) return 4
  if (format === S_IFCHR) return 5
  return format === S_IFBLK ? 6 : TYPE_OTHER
}

/** Whether the time fits the stored form: nanoseconds since 1970 in 64 bits, which is 1677 to 2262. */
export function timeFits(ns: bigint): boolean {
  return ns <= MAX_I64 && ns >= MIN_I64
}

function clampTime(ns: bigint): bigint {
  return ns > MAX_I64 ? MAX_I64 : ns < MIN_I64 ? MIN_I64 : ns
}

/** The stored facts of one entry. `path` is latin1 and relative to the source. Times out of range are clamped. */
export function metaFromStat(path: string, stat: BigIntStats): EntryMeta {
  const mode = Number(stat.mode)
  const type = typeOf(mode & S_IFMT)
  const meta: EntryMeta = {
    path,
    type,
    mode: mode & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeNs: clampTime(stat.mtimeNs),
    sizeBytes: type === TYPE_FILE ? Number(stat.size) : undefined,
    linkTarget: undefined,
    linkGroup: undefined,
    attributes: undefined,
  }
  if (stat.nlink > 1n && type !== TYPE_DIRECTORY) meta.linkGroup = `${stat.dev.toString(16)}:${stat.ino.toString(16)}`
  if (type === 5 || type === 6) {
    meta.attributes = { [DEVICE_ATTRIBUTE]: type === 5 ? 'char' : 'block', [RDEV_ATTRIBUTE]: Number(stat.rdev) }
  }
  if (type === TYPE_OTHER) meta.attributes = { 'holdfast.type': `mode-${(mode & S_IFMT).toString(8)}` }
  return meta
}

/** Time stamps after this may still be equal when the content changes once more. See `isRacy`. */
export function racyAfterNs(nowMs: number): bigint {
  return BigInt(Math.trunc(nowMs) - 2000) * 1_000_000n
}

/**
 * Racily clean, as git calls it: a file written within the clock tick in which it was scanned can be written again
 * without any of its times changing (ticks are 1 to 10 ms on Linux, 2 s on FAT). So what changed in the last two seconds,
 * or in the future by this clock, gets no fingerprint and is read again next time.
 */
export function isRacy(stat: BigIntStats, racyAfter: bigint): boolean {
  return stat.ctimeNs > racyAfter || stat.mtimeNs > racyAfter
}

/** What must be equal, beside the metadata, for content to be taken as unchanged: ctime and inode. `[0n, 0n]`: never. */
export function fingerprintFromStat(stat: BigIntStats, nowMs: number): [bigint, bigint] {
  return isRacy(stat, racyAfterNs(nowMs)) ? [0n, 0n] : [stat.ctimeNs, stat.ino]
}

export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : 'UNKNOWN'
}

/** True where the thing is not there (any more), or a parent of it is no directory (any more). */
export function isGone(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EIO: 'the disk gave an input/output error',
  ELOOP: 'it is a symbolic link now',
  ENAMETOOLONG: 'the path is too long for the system',
  ESTALE: 'the network share lost it',
  ENOTCONN: 'the network share is not connected',
  EHOSTDOWN: 'the network share is down',
  ETIMEDOUT: 'the network share does not answer',
  ENXIO: 'no device is behind it',
}

// Of a network share, or of a descriptor table that is full for the moment: the next run may work.
const PASSING = new Set(['ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'EIO', 'EAGAIN'])

export function reasonOf(error: unknown): string {
  const code = systemCode(error)
  return REASONS[code] ?? (error instanceof Error ? error.message : code)
}

/** Anything the system refuses on reading. Codes of shares and disks are SOURCE_UNREACHABLE, the rest SOURCE_DENIED. */
export function readFailure(doing: string, latin1Path: string, error: unknown): BackupError {
  const system = systemCode(error)
  const code: ErrorCode = PASSING.has(system) ? 'SOURCE_UNREACHABLE' : 'SOURCE_DENIED'
  const path = latin1ToUser(latin1Path)
  return new BackupError(code, `cannot ${doing} ${JSON.stringify(path)}: ${reasonOf(error)}`, {
    origin: 'source',
    retryable: PASSING.has(system),
    details: { path, system },
    hint: 'Give the process the right to read it, exclude it, or let unreadable entries be skipped.',
    cause: error,
  })
}
