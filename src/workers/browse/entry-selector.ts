/**
 * Which entries of a source a selection takes. An entry is taken if it or a folder above it is included, and neither it
 * nor a folder above it is excluded. Asked in path order: what was found out about folders is kept for the entries below.
 */
import { Minimatch } from 'minimatch'
import { type EntryMeta, isContainer, TYPE_DIRECTORY } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'

/** Patterns are of entry paths, `<source>/<path>`, and take what lies below a folder that they match. */
export interface SelectorPlain {
  /** Empty: everything. */
  include: readonly string[]
  exclude: readonly string[]
  /** Only entries modified at this time or later, in ns since 1970; directories above them come along. */
  changedAfterNs?: bigint | undefined
}

type Test = (path: string) => boolean

interface Folder {
  /** latin1, with a '/' at its end; '' is the source itself. */
  below: string
  isIncluded: boolean
  isExcluded: boolean
}

export class EntrySelector {
  private readonly source: string
  private readonly include: readonly Test[]
  private readonly exclude: readonly Test[]
  private readonly changedAfterNs: bigint | undefined
  /** The folder asked about last, below those above it. */
  private readonly folders: Folder[]
  /** Directories and tables above the current place that were not taken themselves. */
  private parents: EntryMeta[] = []

  constructor(source: string, plain: SelectorPlain) {
    this.source = source
    this.include = plain.include.map(compile)
    this.exclude = plain.exclude.map(compile)
    this.changedAfterNs = plain.changedAfterNs
    const isIncluded = this.include.length === 0 || this.include.some((test) => test(source))
    this.folders = [{ below: '', isIncluded, isExcluded: this.exclude.some((test) => test(source)) }]
  }

  selects(meta: EntryMeta): boolean {
    const verdict = this.judge(meta.path, this.folderOf(meta.path))
    const isTaken = verdict.isIncluded && !verdict.isExcluded && this.isNewEnough(meta)
    if (!isTaken && !verdict.isExcluded && isContainer(meta)) this.remember(meta)
    return isTaken
  }

  /** The folder that the path lies in; every folder on the way to it is judged once. */
  private folderOf(path: string): Folder {
    const { folders } = this
    while (!path.startsWith(folders.at(-1)!.below)) folders.pop()
    for (let slash = nextSlash(path, folders); slash >= 0; slash = nextSlash(path, folders)) {
      const { isIncluded, isExcluded } = this.judge(path.slice(0, slash), folders.at(-1)!)
      folders.push({ below: path.slice(0, slash + 1), isIncluded, isExcluded })
    }
    return folders.at(-1)!
  }

  private judge(path: string, above: Folder): { isIncluded: boolean; isExcluded: boolean } {
    if (above.isExcluded) return above
    if (above.isIncluded && this.exclude.length === 0) return above
    const user = `${this.source}/${latin1ToUser(path)}`
    return {
      isIncluded: above.isIncluded || this.include.some((test) => test(user)),
      isExcluded: this.exclude.some((test) => test(user)),
    }
  }

  private isNewEnough({ type, mtimeNs }: EntryMeta): boolean {
    if (this.changedAfterNs === undefined) return true
    return type !== TYPE_DIRECTORY && mtimeNs !== undefined && mtimeNs >= this.changedAfterNs
  }

  private remember(meta: EntryMeta): void {
    this.parents = this.parents.filter(({ path }) => meta.path.startsWith(`${path}/`))
    this.parents.push(meta)
  }

  /** Directories above a taken entry that have not been taken yet, outermost first. Each is given once. */
  takeParents(meta: EntryMeta): EntryMeta[] {
    if (this.parents.length === 0) return []
    const above = this.parents.filter(({ path }) => meta.path.startsWith(`${path}/`))
    this.parents = []
    return above
  }
}

function nextSlash(path: string, folders: readonly Folder[]): number {
  return path.indexOf('/', folders.at(-1)!.below.length)
}

// As the filesystem source has it: the same on every system, and '#' and '!' are names like any other.
const OPTIONS = { dot: true, nonegate: true, nocomment: true, platform: 'linux' } as const
const MAGIC = /[*?[\](){}!+@\\]/

function compile(pattern: string): Test {
  const plain = pattern.replace(/\/+$/, '')
  if (!MAGIC.test(plain)) return (path) => path === plain
  const matcher = new Minimatch(plain, OPTIONS)
  return (path) => matcher.match(path)
}
