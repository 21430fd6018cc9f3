import { spawnSync } from 'node:child_process'
import type { BackupError } from '../../errors.ts'
import type { EntryMeta } from '../../model/entry.ts'
import { programPath } from './long-paths.ts'
import { placeError } from './place-errors.ts'
import { RDEV_ATTRIBUTE } from './stat.ts'

export const TYPE_FIFO = 3
const TYPE_CHAR_DEVICE = 5
const TYPE_BLOCK_DEVICE = 6

/** The command that makes such an entry, with `path` as an argument; null for types that cannot be made (sockets). */
function commandFor(meta: EntryMeta, path: string): string[] | null {
  if (meta.type === TYPE_FIFO) return ['mkfifo', '-m', '600', '--', path]
  const device = meta.attributes?.[RDEV_ATTRIBUTE]
  if (typeof device !== 'number' || (meta.type !== TYPE_CHAR_DEVICE && meta.type !== TYPE_BLOCK_DEVICE)) return null
  const kind = meta.type === TYPE_CHAR_DEVICE ? 'c' : 'b'
  const { major, minor } = splitDevice(BigInt(device))
  return ['mknod', '-m', '600', '--', path, kind, String(major), String(minor)]
}

/** As glibc's gnu_dev_major and gnu_dev_minor. */
export function splitDevice(device: bigint): { major: bigint; minor: bigint } {
  return {
    major: ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n),
    minor: (device & 0xffn) | ((device >> 12n) & 0xffffff00n),
  }
}

/**
 * Makes a FIFO or a device. Node cannot, so it is done by the system's own programs. Their arguments go through xargs'
 * input, since Node's arguments are text, and a name may be any bytes. False: this type, user, or system has no way.
 */
export function makeSpecial(meta: EntryMeta, absolute: string): boolean {
  const command = commandFor(meta, programPath(absolute))
  if (command === null || process.platform === 'win32') return false
  const input = Buffer.from(`${command.slice(1).join('\0')}\0`, 'latin1')
  const env = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
  const { status, stderr, error } = spawnSync('xargs', ['-0', command[0]!], { input, env })
  if (error !== undefined || status === null || status === 127 || status === 126) return false
  if (status === 0) return true
  const said = stderr.toString('utf8')
  // Only root makes devices, and not every file system holds them.
  if (/Operation not (permitted|supported)/.test(said)) return false
  throw specialFailure(meta.path, said)
}

function specialFailure(path: string, said: string): BackupError {
  const code = /File exists/.test(said) ? 'RESTORE_CONFLICT' : /No space/.test(said) ? 'RESTORE_FULL' : 'RESTORE_DENIED'
  return placeError(code, path, `cannot be made: ${said.trim().slice(0, 500)}`)
}
