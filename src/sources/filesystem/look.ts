/** The system calls of a scan: undefined where the thing is gone, a BackupError where the system refuses. Paths are latin1. */
import { type BigIntStats, type Dirent, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { isGone, nativePath, readFailure, systemCode } from './stat.ts'

const BIGINT = { bigint: true, throwIfNoEntry: false } as const

export function lookAt(absolute: string): BigIntStats | undefined {
  try {
    return lstatSync(nativePath(absolute), BIGINT)
  } catch (error) {
    // ENOTDIR is not what `throwIfNoEntry` is about.
    if (isGone(error)) return undefined
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

export interface Names {
  /** Sorted by their bytes. */
  readonly names: readonly string[]
  /** Which of them are folders; undefined: not known. */
  readonly folders: ReadonlySet<string> | undefined
}

/** Undefined where the folder is gone. */
export function namesIn(absolute: string): Names | undefined {
  try {
    // Not Buffers: twice the time and three times the memory (1 M names: 2.8 s and 527 MB against 1.4 s and 162 MB).
    const names = readdirSync(nativePath(absolute), 'latin1' as BufferEncoding) as string[]
    return { names: names.sort(), folders: undefined }
  } catch (error) {
    if (isGone(error)) return undefined
    throw readFailure('list', absolute, error)
  }
}

/** With the types that the listing gives for next to nothing. */
export function typedNamesIn(absolute: string): Names | undefined {
  const entries = typedEntries(absolute)
  if (entries === undefined) return namesIn(absolute)
  const names: string[] = []
  const folders = new Set<string>()
  for (const entry of entries) {
    names.push(entry.name)
    if (entry.isDirectory()) folders.add(entry.name)
  }
  return { names: names.sort(), folders }
}

/**
 * Undefined where this does not work. Some file systems give no types; Node then looks at each entry, by a path that is
 * wrong for a name beyond ASCII, and fails as if the folder were gone when a single entry is.
 */
function typedEntries(absolute: string): Dirent[] | undefined {
  try {
    return readdirSync(nativePath(absolute), { withFileTypes: true, encoding: 'latin1' as BufferEncoding }) as Dirent[]
  } catch {
    return undefined
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
