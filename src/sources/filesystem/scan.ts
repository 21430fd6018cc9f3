/**
 * Reads file trees in path order, for a worker: synchronous calls are several times faster than promises, and a scan that
 * is asked for batches can be held back. Memory is the names of the folders on the way down, whatever the tree's size.
 */
import type { BigIntStats } from 'node:fs'
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { type EntryMeta, TYPE_FILE } from '../../model/entry.ts'
import { BatchWriter, type EntryBatch, FLAG_CONTENT, FLAG_FORCE_READ } from '../../model/entry-batch.ts'
import { abortError } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ScanPlan } from '../source.ts'
import { ExcludedFolders } from './excluded-folders.ts'
import { Selection } from './globs.ts'
import { lookAt, lookThrough, namesIn, targetOf } from './look.ts'
import { checkRootHeld, rootMissing, rootsOf, type ScanRoot, statRoot } from './scan-root.ts'
import { isRacy, metaFromStat, racyAfterNs, S_IFDIR, S_IFLNK, S_IFMT, timeFits } from './stat.ts'

export interface ScanOptions {
  /** `path` of these is relative to the source; whoever knows the source's name puts it in front. */
  warn(warning: Warning): void
  /** What to do about a folder or file that cannot be looked at: SOURCE_DENIED, or the warning ENTRY_SKIPPED. */
  onUnreadable: 'fail' | 'skip'
  aborted(): boolean
  nowMs(): number
}

/** Something found, on its way into the batch. Paths are latin1. */
interface Found {
  readonly absolute: string
  readonly relative: string
  readonly name: string
  readonly stat: BigIntStats
  /** An include glob matched this or a folder above it, or there is none. */
  readonly whole: boolean
}

/** A folder on the way down. */
interface Frame {
  /** latin1, ending in '/'. */
  readonly absolute: string
  /** latin1, relative to the source: '' or ending in '/'. */
  readonly relative: string
  readonly names: readonly string[]
  next: number
  readonly whole: boolean
  readonly stat: BigIntStats
  /** The folder's own entry, as long as it is open whether anything below it is included. */
  pending: EntryMeta | null
}

/** A scan of excluded names must return now and then too, to be aborted or held back. */
const VISITS_PER_ENTRY = 16
const MAX_BATCH_BYTES = 4 << 20
const VISITS_PER_ABORT_CHECK = 64

export class TreeScanner {
  /** Entries that were gone between listing and stat: normal in a living tree, and no part of the snapshot. */
  vanished = 0
  private readonly plan: ScanPlan
  private readonly options: ScanOptions
  private readonly selection: Selection
  private readonly selects: boolean
  private readonly excluded: ExcludedFolders
  private readonly contentFlags: number
  private readonly roots: readonly ScanRoot[]
  private readonly writer = new BatchWriter()
  private readonly stack: Frame[] = []
  private pendingFrames = 0
  private nextRoot = 0
  private batchRoot = ''
  private prefixBytes = 0
  private racyAfter = 0n

  constructor(plan: ScanPlan, options: ScanOptions) {
    this.plan = plan
    this.options = options
    this.selection = new Selection(plan.include, plan.exclude)
    this.selects = !this.selection.isEverything
    this.excluded = new ExcludedFolders(plan.excludePaths)
    this.contentFlags = plan.checksum ? FLAG_CONTENT | FLAG_FORCE_READ : FLAG_CONTENT
    this.roots = rootsOf(plan)
  }

  /**
   * The next batch: `maxEntries` or a few more, or fewer (even none) at the end of a root, or where much is left out.
   * After the last one, each call gives an empty batch that is done.
   * Throws SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE, SOURCE_INCOMPLETE (a root went away), ABORTED.
   */
  next(maxEntries: number): { batch: EntryBatch; done: boolean } {
    this.racyAfter = racyAfterNs(this.options.nowMs())
    if (this.stack.length === 0 && this.nextRoot < this.roots.length) this.beginRoot(this.roots[this.nextRoot++]!)
    this.walk(maxEntries)
    const done = this.stack.length === 0 && this.nextRoot >= this.roots.length
    return { batch: this.writer.take(this.batchRoot, this.prefixBytes, this.plan.followSymlinks), done }
  }

  private beginRoot(root: ScanRoot): void {
    const stat = statRoot(root)
    this.batchRoot = root.path
    this.prefixBytes = root.prefix === '' ? 0 : root.prefix.length + 1
    if ((Number(stat.mode) & S_IFMT) === S_IFDIR) this.openRootFolder(root, stat)
    else this.takeRootFile(root, stat)
  }

  private openRootFolder(root: ScanRoot, stat: BigIntStats): void {
    const names = namesIn(root.path || '/')
    if (names === undefined) throw rootMissing(root.path)
    const frame = { absolute: `${root.path}/`, relative: '', names, next: 0, whole: !this.selection.hasIncludes, stat }
    if (root.prefix === '') this.stack.push({ ...frame, pending: null })
    else this.takeRootFolder(root.prefix, { ...frame, relative: `${root.prefix}/` })
  }

  private takeRootFile(root: ScanRoot, stat: BigIntStats): void {
    const slash = root.path.lastIndexOf('/')
    const name = root.path.slice(slash + 1)
    this.batchRoot = root.path.slice(0, slash)
    this.prefixBytes = 0
    const userName = latin1ToUser(name)
    if (this.selection.excludes(userName, userName) || !this.selection.includes(userName, userName)) return
    this.takeFile({ absolute: root.path, relative: name, name, stat, whole: true })
  }

  /** With several roots, each is an entry itself. */
  private takeRootFolder(prefix: string, frame: Omit<Frame, 'pending'>): void {
    const name = latin1ToUser(prefix)
    if (this.selection.excludes(name, name)) return
    const whole = this.selection.includes(name, name)
    const meta = metaFromStat(prefix, frame.stat)
    if (whole) this.emit(meta, frame.stat, 0)
    else this.pendingFrames++
    this.stack.push({ ...frame, whole, pending: whole ? null : meta })
  }

  private walk(maxEntries: number): void {
    const { writer, stack } = this
    for (let visits = 0; stack.length > 0; visits++) {
      if (visits % VISITS_PER_ABORT_CHECK === 0 && this.options.aborted()) throw abortError()
      const frame = stack[stack.length - 1]!
      if (frame.next < frame.names.length) this.visit(frame, frame.names[frame.next++]!)
      else this.leave(frame)
      if (writer.count >= maxEntries || writer.metaBytes >= MAX_BATCH_BYTES) return
      if (visits >= maxEntries * VISITS_PER_ENTRY) return
    }
  }

  private leave(frame: Frame): void {
    this.stack.pop()
    if (frame.pending !== null) this.pendingFrames--
    if (this.stack.length === 0) checkRootHeld(this.roots[this.nextRoot - 1]!, frame.stat)
  }

  private visit(frame: Frame, name: string): void {
    const relative = frame.relative + name
    if (this.selects && this.selection.excludes(latin1ToUser(relative), latin1ToUser(name))) return
    const absolute = frame.absolute + name
    try {
      const stat = lookAt(absolute)
      if (stat === undefined) this.vanished++
      else this.take({ absolute, relative, name, stat, whole: frame.whole })
    } catch (error) {
      this.leaveOut(relative, error)
    }
  }

  private leaveOut(relative: string, error: unknown): void {
    if (!BackupError.is(error) || error.origin !== 'source' || this.options.onUnreadable === 'fail') throw error
    this.skip(relative, error.message, error.details)
  }

  private skip(relative: string, message: string, details: NonNullable<Warning['details']>): void {
    const path = latin1ToUser(relative)
    this.options.warn({ code: 'ENTRY_SKIPPED', message, path, details })
  }

  private take(seen: Found): void {
    const found = seen.whole || !this.selects ? seen : { ...seen, whole: this.isIncluded(seen) }
    const format = Number(found.stat.mode) & S_IFMT
    if (format === S_IFDIR) this.takeFolder(found)
    else if (format === S_IFLNK) this.takeLink(found)
    else this.takeFile(found)
  }

  private isIncluded({ relative, name }: Found): boolean {
    return this.selection.includes(latin1ToUser(relative), latin1ToUser(name))
  }

  private takeFile({ relative, stat, whole }: Found): void {
    if (!whole) return
    const meta = metaFromStat(relative, stat)
    const sizeBytes = meta.sizeBytes ?? 0
    const { maxFileBytes } = this.plan
    if (maxFileBytes !== null && sizeBytes > maxFileBytes) {
      const message = `${JSON.stringify(latin1ToUser(relative))} has ${sizeBytes} bytes, more than maxFileBytes`
      this.skip(relative, message, { sizeBytes, maxFileBytes })
    } else this.emit(meta, stat, meta.type === TYPE_FILE && sizeBytes > 0 ? this.contentFlags : 0)
  }

  private takeLink(found: Found): void {
    if (this.plan.followSymlinks && this.takeFollowed(found)) return
    if (!found.whole) return
    const target = targetOf(found.absolute)
    if (target === undefined) {
      this.vanished++
      return
    }
    const meta = metaFromStat(found.relative, found.stat)
    meta.linkTarget = target
    this.emit(meta, found.stat, 0)
  }

  /** False where the link must stay one: it leads nowhere, or to a folder that it lies in. */
  private takeFollowed(found: Found): boolean {
    const stat = lookThrough(found.absolute)
    if (stat === undefined) return false
    const target = { ...found, stat }
    if ((Number(stat.mode) & S_IFMT) !== S_IFDIR) {
      this.takeFile(target)
      return true
    }
    if (this.stack.some((frame) => frame.stat.ino === stat.ino && frame.stat.dev === stat.dev)) return false
    this.takeFolder(target)
    return true
  }

  private takeFolder(found: Found): void {
    const { absolute, relative, stat, whole } = found
    if (this.excluded.has(absolute, stat)) return
    if (!whole && !this.selection.mayInclude(latin1ToUser(relative))) return
    const names = this.isEntered(found) ? this.list(absolute, relative) : []
    if (names === undefined) {
      this.vanished++
      return
    }
    const meta = metaFromStat(relative, stat)
    if (whole) this.emit(meta, stat, 0)
    if (names.length === 0) return
    if (!whole) this.pendingFrames++
    const pending = whole ? null : meta
    this.stack.push({ absolute: `${absolute}/`, relative: `${relative}/`, names, next: 0, whole, stat, pending })
  }

  private isEntered({ relative, name, stat }: Found): boolean {
    if (this.plan.oneFileSystem && stat.dev !== this.stack[0]?.stat.dev) return false
    return !this.selects || !this.selection.isEmptied(latin1ToUser(relative), latin1ToUser(name))
  }

  /** What cannot be listed is kept as a folder without content, and said. */
  private list(absolute: string, relative: string): readonly string[] | undefined {
    try {
      return namesIn(absolute)
    } catch (error) {
      this.leaveOut(relative, error)
      return []
    }
  }

  private emit(meta: EntryMeta, stat: BigIntStats, flags: number): void {
    if (this.pendingFrames > 0) this.emitPending()
    const { ctimeNs, ino, mtimeNs } = stat
    if (!timeFits(mtimeNs)) this.warnTime(meta, mtimeNs)
    if (isRacy(stat, this.racyAfter) || !timeFits(ctimeNs)) this.writer.add(meta, flags, 0n, 0n)
    else this.writer.add(meta, flags, ctimeNs, ino < 0n ? BigInt.asUintN(64, ino) : ino)
  }

  private warnTime({ path: latin1 }: EntryMeta, mtimeNs: bigint): void {
    const path = latin1ToUser(latin1)
    const message = `${JSON.stringify(path)} has a modification time outside 1677 to 2262, kept as the nearest`
    this.options.warn({ code: 'TIME_OUT_OF_RANGE', message, path, details: { mtimeNs: String(mtimeNs) } })
  }

  /** Folders above the first included entry come before it. */
  private emitPending(): void {
    this.pendingFrames = 0
    for (const frame of this.stack) {
      const { pending, stat } = frame
      frame.pending = null
      if (pending !== null) this.emit(pending, stat, 0)
    }
  }
}
