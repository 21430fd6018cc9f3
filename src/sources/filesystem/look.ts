/** The system calls of a scan: undefined where the thing is gone, a BackupError where the system refuses. Paths are latin1. */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { isGone, nativePath, readFailure, systemCode } from './stat.ts'

const BIGINT = { bigint: true, throwIfNoEntry: false } as const

export function lookAt(absolute: string): BigIntStats | undefined {
  try {
    return lstatSync(nativePath(absolute), BIGINT)
  } catch (error) {
    throw readFailure('look at', absolute, error)
  }
}

/** What a link leads to; undefined where it leads nowhere or in a circle. */
export function lookThrough(absolute: string): BigIntStats | undefined {
  try {
    return statSync(nativePath(absolute), BIGINT)
  } catch (error) {
    if (systemCode(error) === 'ELOOP') return undefined
    throw readFailure('follow', absolute, error)
  }
}

/** Names in a folder, sorted by their bytes. */
export function namesIn(absolute: string): string[] | undefined {
  try {
    // Not Buffers: twice the time and three times the memory (1 M names: 2.8 s and 527 MB against 1.4 s and 162 MB).
    return (readdirSync(nativePath(absolute), 'latin1' as BufferEncoding) as string[]).sort()
  } catch (error) {
    if (isGone(error)) return undefined
    throw readFailure('list', absolute, error)
  }
}

/** latin1 */
export function targetOf(absolute: string): string | undefined {
  try {
    return readlinkSync(nativePath(absolute), 'latin1' as BufferEncoding) as string
  } catch (error) {
    if (isGone(error)) return undefined
    throw readFailure('read the link', absolute, error)
  }
}
