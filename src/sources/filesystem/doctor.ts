/** Preflight of a file tree: what would make a backup of it fail or be incomplete. */
import { constants, type Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BackupError } from '../../errors.ts'
import type { Finding, Warning } from '../../events.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { ScanPlan, SourceDoctorContext } from '../source.ts'
import { WRITE_PROGRAM } from './place-xattrs.ts'
import { planScan, realOrSame } from './plan-scan.ts'
import { hasProgram } from './programs.ts'
import { scanEntries } from './scan-entries.ts'
import { isGone, nativePath } from './stat.ts'
import { READ_PROGRAM } from './xattr-helper.ts'
import { XATTRS_HINT, type XattrsOption } from './xattr-option.ts'

/** A look, not a scan: a folder that cannot be read is mostly found among the first ones. */
const MOST_ENTRIES = 5_000
/** At most this many paths stand in `details`. */
const PATHS_SHOWN = 20

export interface TreeDoctorOptions extends Omit<ScanPlan, 'kind' | 'roots' | 'excludePaths' | 'xattrs'> {
  readonly xattrs: XattrsOption
}

/** Changes nothing. Looks at the first 5,000 entries of each path. */
export async function examineTrees(
  paths: readonly string[],
  options: TreeDoctorOptions,
  { signal, excludePaths = [] }: SourceDoctorContext,
): Promise<Finding[]> {
  const findings = programs(options.xattrs)
  const places = await Promise.all(excludePaths.map(realOrSame))
  for (const path of paths) {
    throwIfAborted(signal)
    findings.push(...(await examineTree(path, places, options, signal)))
  }
  if (paths.length > 1 && findings.every(({ severity }) => severity !== 'error')) {
    // Whether they go together: what each of them is, is known.
    await planScan(paths, [], { ...options, xattrs: false }).catch((error) => findings.push(...asFinding(error)))
  }
  return findings
}

function programs(xattrs: XattrsOption): Finding[] {
  if (xattrs === false) return []
  const isLinux = process.platform === 'linux'
  const missing = [READ_PROGRAM, WRITE_PROGRAM].filter((program) => !isLinux || !hasProgram(program))
  if (missing.length === 0) return []
  const isNeeded = xattrs === true && missing.includes(READ_PROGRAM)
  const message = `Extended attributes and ACLs are not ${missing.includes(READ_PROGRAM) ? 'kept' : 'restored'}: there is no program ${missing.join(' and ')}.`
  return [
    {
      code: isNeeded ? 'PEER_MISSING' : 'XATTRS_UNAVAILABLE',
      severity: isNeeded ? 'error' : 'warning',
      message,
      fix: XATTRS_HINT,
      details: { programs: missing },
    },
  ]
}

async function examineTree(
  path: string,
  places: readonly string[],
  options: TreeDoctorOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const real = await realOrSame(path)
  const holder = places.find((place) => isWithin(real, place))
  if (holder !== undefined) return [insideRepository(path, holder)]
  try {
    const plan = await planScan([path], places, { ...options, xattrs: false })
    const root = await stat(nativePath(userToLatin1(real)))
    const near =
      places.length > 0 ? [...holdsRepository(path, real, places), ...(await sameDisk(path, root, places))] : []
    return [...near, ...(root.isDirectory() ? await look(path, plan, signal) : [])]
  } catch (error) {
    throwIfAborted(signal)
    return asFinding(error)
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder.replace(/\/+$/, '')}/`)
}

function insideRepository(path: string, holder: string): Finding {
  const message = `${path} lies in ${holder}, where the repository is: backups leave all of that out, and refuse this source.`
  const fix = 'Keep the repository in a folder of its own, beside what is backed up.'
  return { code: 'SOURCE_IN_REPOSITORY', severity: 'error', message, fix, details: { path, repository: holder } }
}

function holdsRepository(path: string, real: string, places: readonly string[]): Finding[] {
  const inside = places.find((place) => place !== real && isWithin(place, real))
  if (inside === undefined) return []
  const message = `The repository (${inside}) lies in ${path}. Backups leave it out, but what destroys the folder destroys both.`
  const fix = 'Keep the repository outside of what it protects, best on another disk.'
  return [{ code: 'REPOSITORY_IN_SOURCE', severity: 'warning', message, fix, details: { path, repository: inside } }]
}

async function sameDisk(path: string, root: Stats, places: readonly string[]): Promise<Finding[]> {
  const shared = (await Promise.all(places.map(deviceOf))).indexOf(root.dev)
  if (shared < 0) return []
  const message = `${path} and the repository (${places[shared]}) are on one file system: a disk that fails takes both.`
  const fix = 'Keep the repository, or a mirror or copy of it, on another disk or in a bucket.'
  return [{ code: 'SAME_DISK', severity: 'info', message, fix, details: { path, repository: places[shared]! } }]
}

/** Of the place, or where it will be made. */
async function deviceOf(place: string): Promise<number | undefined> {
  try {
    return (await stat(place)).dev
  } catch (error) {
    return isGone(error) && place !== dirname(place) ? await deviceOf(dirname(place)) : undefined
  }
}

async function look(path: string, plan: ScanPlan, signal: AbortSignal): Promise<Finding[]> {
  const unreadable: string[] = []
  const warn = (warning: Warning): void => {
    if (warning.code === 'ENTRY_SKIPPED' && warning.path !== undefined) unreadable.push(warning.path)
  }
  let entries = 0
  for await (const batch of scanEntries({ ...plan, maxFileBytes: null }, { signal, warn })) {
    for (const { content, path: entry } of batch) {
      if (content?.from === 'file' && !(await isReadable(content.path))) unreadable.push(entry)
    }
    entries += batch.length
    if (entries >= MOST_ENTRIES) break
  }
  return [...empty(path, entries + unreadable.length), ...denied(path, unreadable, entries)]
}

async function isReadable(path: string): Promise<boolean> {
  try {
    // access() would ask for another user than the one that will read.
    const handle = await open(nativePath(userToLatin1(path)), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    await handle.close()
    return true
  } catch (error) {
    return isGone(error)
  }
}

function empty(path: string, entries: number): Finding[] {
  if (entries > 0) return []
  const message = `${path} holds nothing that would be backed up.`
  const fix = 'Check that its disk is mounted, and what include and exclude leave of it.'
  return [{ code: 'SOURCE_EMPTY', severity: 'warning', message, fix, details: { path } }]
}

function denied(path: string, unreadable: readonly string[], looked: number): Finding[] {
  if (unreadable.length === 0) return []
  const some = unreadable.slice(0, PATHS_SHOWN)
  const message = `${unreadable.length} of the first ${looked} entries of ${path} cannot be read, ${JSON.stringify(some[0])} among them: a backup ends with SOURCE_DENIED.`
  const fix = "Run as a user that may read them, exclude them, or back up with onEntryError: 'skip'."
  return [
    {
      code: 'ENTRIES_UNREADABLE',
      severity: 'error',
      message,
      fix,
      details: { path, count: unreadable.length, looked, paths: some },
    },
  ]
}

/** Not being able to look is a finding too. */
function asFinding(error: unknown): Finding[] {
  if (!BackupError.is(error)) throw error
  const { code, message, hint, details } = error
  return [{ code, severity: 'error', message, fix: hint ?? 'Check the path of the source.', details: { ...details } }]
}
