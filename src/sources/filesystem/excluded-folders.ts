import { type BigIntStats, statSync } from 'node:fs'
import { userToLatin1 } from '../../util/paths.ts'
import { nativePath } from './stat.ts'

/** Folders and files that a scan leaves out, known by path and by identity: a bind mount or a link leads to the same one. */
export class ExcludedFolders {
  private readonly paths: ReadonlySet<string>
  private readonly identities = new Set<string>()

  constructor(paths: readonly string[]) {
    this.paths = new Set(paths.map((path) => userToLatin1(path).replace(/\/+$/, '')))
    for (const path of this.paths) {
      const stat = statOrNothing(path)
      if (stat) this.identities.add(identity(stat))
    }
  }

  /** Before it is looked at, which a scan leaves to others where it can: files are mostly known by this alone. */
  hasPath(absolute: string): boolean {
    return this.paths.size > 0 && this.paths.has(absolute)
  }

  /** `absolute` is latin1. */
  has(absolute: string, stat: BigIntStats): boolean {
    return this.paths.size > 0 && (this.paths.has(absolute) || this.identities.has(identity(stat)))
  }
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

/** One that cannot be looked at is still left out by its path. */
function statOrNothing(path: string): BigIntStats | undefined {
  try {
    return statSync(nativePath(path), { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
