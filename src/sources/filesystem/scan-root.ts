/** The roots of a scan: where each lies, what its entries are called, and that it stays what it is meanwhile. */
import { type BigIntStats, statSync } from 'node:fs'
import { BackupError } from '../../errors.ts'
import { comparePaths, latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import type { ScanPlan } from '../source.ts'
import { isGone, nativePath, readFailure, S_IFDIR, S_IFMT, S_IFREG } from './stat.ts'

/** latin1 throughout. */
export interface ScanRoot {
  /** Absolute, without a '/' at its end. '' is the root of the file system. */
  readonly path: string
  readonly prefix: string
}

export function rootsOf(plan: ScanPlan): ScanRoot[] {
  return plan.roots
    .map(({ path, prefix }) => ({ path: userToLatin1(path).replace(/\/+$/, ''), prefix: userToLatin1(prefix) }))
    .sort((a, b) => comparePaths(a.prefix, b.prefix))
}

/** Follows a link: a root named by one means what it leads to. */
export function statRoot({ path }: ScanRoot): BigIntStats {
  let stat: BigIntStats
  try {
    stat = statSync(nativePath(path || '/'), { bigint: true })
  } catch (error) {
    throw isGone(error) ? rootMissing(path, error) : readFailure('look at', path, error)
  }
  const format = Number(stat.mode) & S_IFMT
  if (format === S_IFDIR || format === S_IFREG) return stat
  throw rootOfOtherType(path)
}

export function rootOfOtherType(path: string): BackupError {
  const text = latin1ToUser(path)
  return new BackupError('INVALID_OPTIONS', `path ${JSON.stringify(text)} is neither a folder nor a file`, {
    origin: 'usage',
    details: { option: 'path', path: text },
  })
}

export function rootMissing(path: string, cause?: unknown): BackupError {
  return new BackupError('SOURCE_NOT_FOUND', `there is no ${JSON.stringify(latin1ToUser(path) || '/')}`, {
    origin: 'source',
    details: { path: latin1ToUser(path) },
    hint: 'Check the path of the source, and that what holds it is mounted.',
    cause,
  })
}

/** A root that is moved away or unmounted reads as an empty folder: nothing else would tell it from one. */
export function checkRootHeld(latin1: string, before: { dev: bigint; ino: bigint }): void {
  let after: BigIntStats | undefined
  try {
    after = statSync(nativePath(latin1 || '/'), { bigint: true, throwIfNoEntry: false })
  } catch {
    // Reported below as well.
  }
  if (after?.dev === before.dev && after.ino === before.ino) return
  const path = latin1ToUser(latin1)
  throw new BackupError('SOURCE_INCOMPLETE', `${JSON.stringify(path)} was moved or unmounted while it was scanned`, {
    origin: 'source',
    retryable: true,
    details: { path },
    hint: 'Run the backup again when the folder stays in its place.',
  })
}
