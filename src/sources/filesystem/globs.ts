/**
 * Globs of one source, compiled once. What people mostly write (`*.ext`, `name`, `name/**`, each also below `**`) is
 * recognised and costs a look-up or a string comparison; the rest is left to minimatch, which also is the judge of what
 * the quick forms must answer (test/sources/filesystem/globs.test.ts).
 */
import { Minimatch } from 'minimatch'
import { BackupError } from '../../errors.ts'

export const MAX_GLOB_LENGTH = 64 * 1024

// The same on every system, and '#' and '!' are names like any other.
const OPTIONS = { dot: true, nocomment: true, nonegate: true, platform: 'linux' } as const
/** More than anybody writes by hand; a few braces in a row make millions. */
const MAX_ALTERNATIVES = 1000
const MAGIC = /[*?[\](){}!+@\\]/

function badGlob(option: string, glob: unknown, rule: string, hint?: string): BackupError {
  const value = typeof glob === 'string' ? glob.slice(0, 200) : String(glob)
  return new BackupError('INVALID_OPTIONS', `${option} ${JSON.stringify(value)} ${rule}`, {
    origin: 'usage',
    details: { option, value },
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Throws INVALID_OPTIONS for what can only be a mistake: such a glob would match nothing, silently. */
export function checkGlob(option: string, glob: unknown): string {
  if (typeof glob !== 'string') throw badGlob(option, glob, 'must be a text')
  if (glob === '') throw badGlob(option, glob, 'must not be empty')
  if (glob.length > MAX_GLOB_LENGTH) throw badGlob(option, glob, `must be at most ${MAX_GLOB_LENGTH} characters`)
  if (glob.includes('\0')) throw badGlob(option, glob, 'must not contain a NUL')
  if (glob.startsWith('/') || /^[A-Za-z]:[\\/]/.test(glob)) {
    throw badGlob(option, glob, 'must be relative to the source', 'Write it as the path appears in the snapshot.')
  }
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(glob)) throw badGlob(option, glob, "must not have '.' or '..' as a segment")
  if (glob.startsWith('!') && glob[1] !== '(') {
    throw badGlob(
      option,
      glob,
      "must not begin with '!'",
      "Globs are not negated; a name that begins with '!' is '\\!'.",
    )
  }
  const open = unclosed(glob)
  if (open !== null)
    throw badGlob(option, glob, `has '${open}' that is not closed`, `A plain '${open}' is '\\${open}'.`)
  checkCompiled(option, glob)
  return glob
}

function checkCompiled(option: string, glob: string): void {
  let alternatives: number
  try {
    // Beyond its limit minimatch drops alternatives silently, so it is asked for one more than allowed.
    alternatives = new Minimatch(glob, { ...OPTIONS, braceExpandMax: MAX_ALTERNATIVES + 1 }).globSet.length
  } catch (error) {
    throw badGlob(option, glob, `is not a glob: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (alternatives > MAX_ALTERNATIVES) throw badGlob(option, glob, `has more than ${MAX_ALTERNATIVES} alternatives`)
}

function unclosed(glob: string): string | null {
  const closers: string[] = []
  for (let i = 0; i < glob.length; i++) {
    const character = glob[i]!
    if (character === '\\') i++
    else if (closers.at(-1) === ']') {
      // In a class only its end counts, and not as its first character.
      if (character === ']') closers.pop()
    } else if (character === '[') {
      closers.push(']')
      if (/[!^]/.test(glob[i + 1] ?? '')) i++
      if (glob[i + 1] === ']') i++
    } else if (character === '{') closers.push('}')
    else if (character === '(' && /[!?*+@]/.test(glob[i - 1] ?? '')) closers.push(')')
    else if (character === closers.at(-1)) closers.pop()
  }
  const last = closers.at(-1)
  return last === undefined ? null : last === ']' ? '[' : last === '}' ? '{' : '('
}

/** True if the path, whose last segment is `name`, matches. */
type Test = (path: string, name: string) => boolean

/** Many globs as one question. Paths are as users write them, relative to the source. */
export class GlobSet {
  /** `**` before a plain name: all of them are one look-up. */
  private readonly names = new Set<string>()
  private readonly paths = new Set<string>()
  private readonly suffixes: string[] = []
  private readonly tests: Test[] = []

  constructor(globs: readonly string[]) {
    for (const glob of globs) this.add(glob.replace(/\/+$/, ''))
  }

  private add(glob: string): void {
    const anywhere = glob.startsWith('**/')
    const rest = anywhere ? glob.slice(3) : glob
    if (!MAGIC.test(rest)) {
      if (!rest.includes('/') && anywhere) this.names.add(rest)
      else if (anywhere) this.tests.push((path) => path === rest || path.endsWith(`/${rest}`))
      else this.paths.add(rest)
    } else if (/^\*\.[^/]+$/.test(rest) && !MAGIC.test(rest.slice(1))) this.addSuffix(rest.slice(1), anywhere)
    else if (rest.endsWith('/**') && !MAGIC.test(rest.slice(0, -3))) this.addFolder(rest.slice(0, -3), anywhere)
    else {
      const compiled = new Minimatch(glob, OPTIONS)
      this.tests.push((path) => compiled.match(path))
    }
  }

  private addSuffix(suffix: string, anywhere: boolean): void {
    if (anywhere) this.suffixes.push(suffix)
    else this.tests.push((path) => path.endsWith(suffix) && !path.includes('/'))
  }

  private addFolder(folder: string, anywhere: boolean): void {
    const below = `${folder}/`
    if (anywhere) {
      const inside = `/${below}`
      this.tests.push((path) => path.startsWith(below) || path.includes(inside))
    } else this.tests.push((path) => path.startsWith(below))
  }

  matches(path: string, name: string): boolean {
    if (this.names.has(name) || this.paths.has(path)) return true
    for (const suffix of this.suffixes) if (name.endsWith(suffix)) return true
    for (const test of this.tests) if (test(path, name)) return true
    return false
  }
}

/** What a source takes in. */
export class Selection {
  private readonly included: GlobSet | null
  private readonly excluded: GlobSet | null
  /** Folders of which all content is excluded, by globs that end in two stars: they are kept, but not entered. */
  private readonly emptied: GlobSet | null
  private readonly partial: readonly Minimatch[]

  constructor(include: readonly string[], exclude: readonly string[]) {
    const hollow = exclude.filter((glob) => glob.endsWith('/**')).map((glob) => glob.slice(0, -3))
    this.included = include.length > 0 ? new GlobSet(include) : null
    this.excluded = exclude.length > 0 ? new GlobSet(exclude) : null
    this.emptied = hollow.length > 0 ? new GlobSet(hollow) : null
    this.partial = include.map((glob) => new Minimatch(glob, OPTIONS))
  }

  get hasIncludes(): boolean {
    return this.included !== null
  }

  get isEverything(): boolean {
    return this.included === null && this.excluded === null
  }

  excludes(path: string, name: string): boolean {
    return this.excluded?.matches(path, name) ?? false
  }

  /** Ask only for what is below no included folder: those are included whole. */
  includes(path: string, name: string): boolean {
    return this.included?.matches(path, name) ?? true
  }

  isEmptied(path: string, name: string): boolean {
    return this.emptied?.matches(path, name) ?? false
  }

  /** Whether anything below this folder can be included. */
  mayInclude(folder: string): boolean {
    return this.partial.some((glob) => glob.match(folder, true))
  }
}
