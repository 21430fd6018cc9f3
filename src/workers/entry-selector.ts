/** Which entries of a source a selection takes. Asked in path order, so a directory's answer holds for all below it. */
import { Minimatch } from 'minimatch'
import { type EntryMeta, TYPE_DIRECTORY } from '../model/entry.ts'
import { latin1ToUser } from '../util/paths.ts'

/** Patterns are of entry paths, `<source>/<path>`, and take what lies below a directory that they match. */
export interface SelectorPlain {
  /** Empty: everything. */
  include: readonly string[]
  exclude: readonly string[]
  /** Only entries modified after this, in ns since 1970; directories above them come along. */
  changedAfterNs?: bigint | undefined
}

type Test = (path: string) => boolean

export class EntrySelector {
  private readonly source: string
  private readonly include: readonly Test[]
  private readonly exclude: readonly Test[]
  private readonly changedAfterNs: bigint | undefined
  private readonly takesAll: boolean
  /** latin1, ending with '/': the directory whose content is taken, or left out, as a whole. */
  private takenBelow: string | undefined
  private leftBelow: string | undefined
  /** Directories above the current place that were not taken themselves. */
  private parents: EntryMeta[] = []

  constructor(source: string, plain: SelectorPlain) {
    this.source = source
    this.include = plain.include.map(compile)
    this.exclude = plain.exclude.map(compile)
    this.changedAfterNs = plain.changedAfterNs
    this.takesAll = this.include.some((test) => test(source)) || this.include.length === 0
  }

  selects(meta: EntryMeta): boolean {
    const { path } = meta
    if (this.leftBelow !== undefined && path.startsWith(this.leftBelow)) return false
    const user = `${this.source}/${latin1ToUser(path)}`
    if (this.exclude.some((test) => test(user))) {
      if (meta.type === TYPE_DIRECTORY) this.leftBelow = `${path}/`
      return false
    }
    const taken = this.isIncluded(meta, user) && this.isNewEnough(meta)
    if (!taken && meta.type === TYPE_DIRECTORY) this.remember(meta)
    return taken
  }

  private isIncluded(meta: EntryMeta, user: string): boolean {
    if (this.takesAll) return true
    if (this.takenBelow !== undefined && meta.path.startsWith(this.takenBelow)) return true
    if (!this.include.some((test) => test(user))) return false
    if (meta.type === TYPE_DIRECTORY) this.takenBelow = `${meta.path}/`
    return true
  }

  private isNewEnough({ type, mtimeNs }: EntryMeta): boolean {
    if (this.changedAfterNs === undefined) return true
    return type !== TYPE_DIRECTORY && mtimeNs !== undefined && mtimeNs > this.changedAfterNs
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

function compile(pattern: string): Test {
  const matcher = new Minimatch(pattern, { dot: true, nonegate: true, nocomment: true, magicalBraces: true })
  if (matcher.hasMagic()) return (path) => matcher.match(path)
  const plain = pattern.replace(/\/+$/, '')
  return (path) => path === plain || path.startsWith(`${plain}/`)
}
