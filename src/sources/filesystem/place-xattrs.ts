/** Sets extended attributes, for many entries with one start of `setfattr`. It reads a dump: see xattr-dump.ts. */
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import type { Warning } from '../../events.ts'
import { type EntryMeta, TYPE_FILE, xattrsOf } from '../../model/entry.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { PlacePlan } from '../sink.ts'
import { isLong, programPath } from './long-paths.ts'
import { searchPath } from './programs.ts'
import { nativePath } from './stat.ts'
import { type DumpedXattrs, writeDump } from './xattr-dump.ts'
import { XATTRS_HINT } from './xattr-option.ts'

export const WRITE_PROGRAM = 'setfattr'

/** Rights that a program gets whoever runs it: as with setuid, not without the owner that it was saved with. */
const CAPABILITY = 'security.capability'
const OWNER_WRITE = 0o200
const MAX_AT_ONCE = 1000

export interface Dressable {
  /** latin1, absolute, where it is now. */
  readonly path: string
  readonly meta: EntryMeta
}

interface Waiting extends Dressable {
  /** It has its attributes. */
  done(): void
  giveUp(): void
}

export class XattrSetter {
  private readonly mode: boolean | 'missing'
  private readonly owner: boolean
  private readonly isRoot = process.geteuid?.() === 0
  private refused = 0
  private firstRefusal = ''
  private missed = 0
  private readonly waiting: Waiting[] = []

  constructor({ xattrs = false, owner }: Pick<PlacePlan, 'xattrs' | 'owner'>) {
    this.mode = xattrs
    this.owner = owner
  }

  /** Whether it has attributes to be set. Those that nobody can set are counted. */
  has(meta: EntryMeta): boolean {
    if (this.mode === false || meta.attributes === undefined || xattrsOf(meta) === undefined) return false
    if (this.mode === 'missing') this.missed++
    return this.mode === true
  }

  /** It gets its attributes with others, at the next `flush`. */
  add(each: Waiting): void {
    this.waiting.push(each)
    if (this.waiting.length >= MAX_AT_ONCE) this.flush()
  }

  /** What `done` throws, or setting does; all that follow are given up then. */
  flush(): void {
    const { waiting } = this
    if (waiting.length === 0) return
    try {
      this.set(waiting)
      for (let each = waiting[0]; each !== undefined; each = waiting[0]) {
        each.done()
        waiting.shift()
      }
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  /** Gives up what waits. */
  abandon(): void {
    for (const each of this.waiting.splice(0)) each.giveUp()
  }

  /** Those that cannot be set are told by `takeWarning`. */
  set(files: readonly Dressable[]): void {
    const short = files.filter(({ path }) => !isLong(path))
    if (short.length < files.length) for (const file of files) if (isLong(file.path)) this.run([file])
    for (let at = 0; at < short.length; at += MAX_AT_ONCE) this.run(short.slice(at, at + MAX_AT_ONCE))
  }

  private run(files: readonly Dressable[]): void {
    // Only who may write to it can give a file attributes: its owner, who took that away, must get it back for a moment.
    const closed = this.isRoot ? [] : files.filter(({ meta: { type, mode } }) => type === TYPE_FILE && isClosed(mode))
    for (const { path, meta } of closed) chmodSync(nativePath(path), meta.mode! | OWNER_WRITE)
    const dump = writeDump(files.map(({ path, meta }) => [programPath(path), this.ofMeta(meta)] as const))
    const { status, stderr, error } = spawnSync(WRITE_PROGRAM, ['--no-dereference', '--restore=-'], {
      input: Buffer.from(dump, 'latin1'),
      env: { PATH: searchPath(), LC_ALL: 'C' },
    })
    for (const { path, meta } of closed) chmodSync(nativePath(path), meta.mode!)
    if (error) this.note([error.message])
    else if (status !== 0)
      this.note(
        stderr
          .toString('latin1')
          .split('\n')
          .filter((line) => line !== ''),
      )
  }

  private ofMeta(meta: EntryMeta): DumpedXattrs {
    const all = xattrsOf(meta) ?? {}
    if (this.owner || !(CAPABILITY in all)) return all
    const { [CAPABILITY]: _, ...rest } = all
    this.note([`${latin1ToUser(meta.path)}: ${CAPABILITY} is not set without the owner`])
    return rest
  }

  private note(problems: readonly string[]): void {
    this.refused += Math.max(1, problems.length)
    this.firstRefusal ||= latin1ToUser(problems[0] ?? `${WRITE_PROGRAM} failed`)
  }

  /** One warning for all of a kind. */
  takeWarnings(): Warning[] {
    const { refused, missed } = this
    this.refused = 0
    this.missed = 0
    const warnings: Warning[] = []
    if (refused > 0) {
      const message = `${refused} extended attributes could not be set: ${this.firstRefusal}`
      warnings.push({ code: 'XATTRS_NOT_RESTORED', message, details: { count: refused } })
    }
    if (missed > 0) {
      const message = `${missed} entries are without their extended attributes and ACLs: there is no ${WRITE_PROGRAM}. ${XATTRS_HINT}`
      warnings.push({ code: 'XATTRS_UNAVAILABLE', message, details: { count: missed, program: WRITE_PROGRAM } })
    }
    return warnings
  }
}

function isClosed(mode: number | undefined): boolean {
  return mode !== undefined && (mode & OWNER_WRITE) === 0
}
