/** From the paths a user gave to the plan that a worker scans by: links resolved, roots named, all proved readable. */
import { constants } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { BackupError } from '../../errors.ts'
import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import { invalidSourceOption } from '../options.ts'
import type { ScanPlan } from '../source.ts'
import { rootMissing, rootOfOtherType } from './scan-root.ts'
import { isGone, nativePath, readFailure } from './stat.ts'

type PlanOptions = Omit<ScanPlan, 'kind' | 'roots' | 'excludePaths'>

/** Throws SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE, INVALID_OPTIONS. */
export async function planScan(
  paths: readonly string[],
  excludePaths: readonly string[],
  options: PlanOptions,
): Promise<ScanPlan> {
  const excluded = await Promise.all(excludePaths.map(realOrSame))
  const roots: { path: string; prefix: string }[] = []
  for (const configured of paths) {
    const path = await openRoot(configured)
    refuseExcluded(path, excluded)
    roots.push({ path, prefix: paths.length > 1 ? await prefixOf(configured, path) : '' })
  }
  refuseEqualPrefixes(roots)
  return { kind: 'filesystem', roots, excludePaths: excluded, ...options }
}

/** Where the root really lies. Pinned here, so that a link switched meanwhile does not mix two trees in one snapshot. */
async function openRoot(configured: string): Promise<string> {
  const latin1 = userToLatin1(configured)
  try {
    const real = await realpath(nativePath(latin1), 'latin1')
    await tryRoot(real)
    return latin1ToUser(real)
  } catch (error) {
    if (BackupError.is(error)) throw error
    throw isGone(error) ? rootMissing(latin1, error) : readFailure('open', latin1, error)
  }
}

/** Opens it, since access() asks for another user than the one that will read. A folder must also let one in. */
async function tryRoot(real: string): Promise<void> {
  const found = await stat(nativePath(real))
  if (!found.isDirectory() && !found.isFile()) throw rootOfOtherType(real)
  const handle = await open(nativePath(real), constants.O_RDONLY)
  await handle.close()
  if (found.isDirectory()) await stat(nativePath(`${real}/.`))
}

export async function realOrSame(path: string): Promise<string> {
  try {
    return latin1ToUser(await realpath(nativePath(userToLatin1(path)), 'latin1'))
  } catch {
    // Not there yet, or not to be seen: then only its name can be left out.
    return path
  }
}

function refuseExcluded(path: string, excluded: readonly string[]): void {
  const holder = excluded.find((folder) => path === folder || path.startsWith(`${folder.replace(/\/+$/, '')}/`))
  if (holder === undefined) return
  const where = path === holder ? 'is the very place' : `lies inside ${JSON.stringify(holder)},`
  throw invalidSourceOption(
    'filesystem',
    'path',
    `${JSON.stringify(path)} ${where} that the target writes to, which backups leave out`,
    'A repository cannot hold a backup of itself.',
  )
}

/** A folder keeps the name it was given by; a single file is read by its real one. */
async function prefixOf(configured: string, real: string): Promise<string> {
  const isFolder = (await stat(nativePath(userToLatin1(real)))).isDirectory()
  const path = isFolder ? configured : real
  const prefix = path.slice(path.lastIndexOf('/') + 1)
  if (prefix !== '') return prefix
  throw invalidSourceOption(
    'filesystem',
    'path',
    `${JSON.stringify(configured)} has no name, so it must be the only one`,
  )
}

function refuseEqualPrefixes(roots: readonly { path: string; prefix: string }[]): void {
  const seen = new Map<string, string>()
  for (const { path, prefix } of roots) {
    const other = seen.get(prefix)
    if (prefix !== '' && other !== undefined) {
      const both = `${JSON.stringify(other)} and ${JSON.stringify(path)}`
      const hint = 'Make a source of its own for one of them.'
      throw invalidSourceOption('filesystem', 'path', `has two entries of one name, ${both}`, hint)
    }
    seen.set(prefix, path)
  }
}
