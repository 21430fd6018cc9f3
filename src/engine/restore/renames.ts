/** Entries that a restore puts elsewhere than they were. The longest prefix that fits wins; all move at once. */
import type { BackupError } from '../../errors.ts'
import { MAX_PATH_BYTES } from '../../model/entry.ts'
import { isSafePath, latin1ToUser } from '../../util/paths.ts'
import { parseEntryPath } from '../browse/entry-path.ts'
import { invalidOption } from '../options/index.ts'
import type { EntryPath } from '../types/browse.ts'

/** Paths of one source, latin1. */
export class Renames {
  /** Old path to new path. */
  private readonly moves: ReadonlyMap<string, string>

  constructor(moves: ReadonlyMap<string, string> = new Map()) {
    this.moves = moves
  }

  get isEmpty(): boolean {
    return this.moves.size === 0
  }

  /** What moves, each with everything below it. */
  get from(): string[] {
    return [...this.moves.keys()]
  }

  apply(path: string): string {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const to = this.moves.get(path.slice(0, end))
      if (to !== undefined) return to + path.slice(end)
    }
    return path
  }
}

/** By source. @throws BackupError INVALID_OPTIONS */
export function parseRenames(rename: Readonly<Record<EntryPath, EntryPath>> = {}): ReadonlyMap<string, Renames> {
  const bySource = new Map<string, Map<string, string>>()
  for (const [from, to] of Object.entries(rename)) {
    const [old, now] = [parseEntryPath(from), parseEntryPath(to)]
    if (old.source !== now.source) throw invalid(`a path of the same source as ${JSON.stringify(from)}`, to)
    for (const [path, given] of [
      [old.path, from],
      [now.path, to],
    ] as const) {
      if (!isSafePath(path) || path.length > MAX_PATH_BYTES) throw invalid('paths as <source>/<path>', given)
    }
    const moves = bySource.get(old.source) ?? new Map<string, string>()
    bySource.set(old.source, moves)
    if (moves.has(old.path)) throw invalid('one new path for each old one', from)
    if ([...moves.values()].includes(now.path)) throw invalid('another new path for each old one', to)
    moves.set(old.path, now.path)
  }
  return new Map([...bySource].map(([source, moves]) => [source, new Renames(moves)]))
}

function invalid(rule: string, value: string): BackupError {
  return invalidOption('rename', `an object of old to new paths: ${rule}`, value, 'planRestore')
}

/** Two entries would go to one place, or one below something that can hold nothing. */
export function renameConflict(source: string, path: string, why: string): BackupError {
  return invalid(why, `${source}/${latin1ToUser(path)}`)
}

/** For a plan that comes back. */
export function renamesOf(rename: Readonly<Record<EntryPath, EntryPath>> | undefined, source: string): Renames {
  return parseRenames(rename).get(source) ?? new Renames()
}
