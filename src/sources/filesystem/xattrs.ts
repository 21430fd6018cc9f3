/**
 * Extended attributes, ACLs among them (`system.posix_acl_*`). Node cannot read them, so the program `getfattr` is asked, for
 * many entries at once: 5 µs an entry.
 */
import { isLong, programPath } from './long-paths.ts'
import { type DumpedXattrs, readDump } from './xattr-dump.ts'
import { tellXattrs } from './xattr-helper.ts'

/** Attributes by path, as the paths were given. Those that have none are not there. */
export interface FoundXattrs {
  readonly found: ReadonlyMap<string, DumpedXattrs>
  /** Lines of what could not be read; what is gone or cannot have any is not among them. */
  readonly problems: readonly string[]
  /** Nothing is known of some. */
  readonly failed: boolean
}

/** Names in one start of the program: a system takes 128 KiB or more, and xargs starts it again where that is not enough. */
const MAX_AT_ONCE = 4096

/** Of absolute latin1 paths. `follow`: those that links lead to. Never rejects. */
export async function askXattrs(paths: readonly string[], follow: boolean): Promise<FoundXattrs> {
  const found = new Map<string, DumpedXattrs>()
  const problems: string[] = []
  let failed = false
  for (const { names, longPath } of portions(paths)) {
    const { output, errors, ended } = await tellXattrs(names, follow)
    for (const [name, xattrs] of readDump(output)) found.set(longPath ?? name, xattrs)
    const lines = errors.split('\n').filter((line) => line !== '' && !isHarmless(line))
    problems.push(...lines)
    failed ||= !ended || lines.some(isFailure)
  }
  return { found, problems, failed }
}

interface Portion {
  names: readonly string[]
  longPath?: string
}

/** Of long paths one by one: only a few folders on the way can be held. */
function* portions(paths: readonly string[]): Generator<Portion> {
  const names = paths.filter((path) => !isLong(path))
  for (const longPath of names.length < paths.length ? paths.filter(isLong) : []) {
    const name = shortOr(longPath)
    if (name !== undefined) yield { names: [name], longPath }
  }
  for (let at = 0; at < names.length; at += MAX_AT_ONCE) yield { names: names.slice(at, at + MAX_AT_ONCE) }
}

/** Undefined where a folder on the way is gone. */
function shortOr(longPath: string): string | undefined {
  try {
    return programPath(longPath)
  } catch {
    return undefined
  }
}

function isHarmless(line: string): boolean {
  return !isFailure(line) && /: (No such file or directory|Not a directory|Operation not supported)$/.test(line)
}

/** Of those that start the program. */
function isFailure(line: string): boolean {
  return /^(xargs|sh|head|spawn)\b/.test(line) || / (sh|ENOENT)$/.test(line)
}
