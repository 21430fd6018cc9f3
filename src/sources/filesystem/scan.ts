/**
 * Reads file trees in path order, for a worker: synchronous calls are several times faster than promises, and a scan that
 * is asked for batches can be held back. Memory is the names of the folders on the way down, whatever the tree's size.
 */
import type { BigIntStats } from 'node:fs'
import type { EntryMeta } from '../../model/entry.ts'
import type { EntryBatch } from '../../model/entry-batch.ts'
import { abortError } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ScanPlan } from '../source.ts'
import { ExcludedFolders } from './excluded-folders.ts'
import { Selection } from './globs.ts'
import { type Listing, ListingWriter } from './listing.ts'
import { lookAt, lookThrough, type Names, namesIn, typedNamesIn } from './look.ts'
import { checkRootHeld, rootMissing, rootsOf, type ScanRoot, statRoot } from './scan-root.ts'
import { EntryTaker, type ScanOptions, VISITS_PER_ABORT_CHECK } from './scan-taker.ts'
import { metaFromStat, S_IFDIR, S_IFLNK, S_IFMT } from './stat.ts'

export type { ScanOptions } from './scan-taker.ts'

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
  /** Which of the names are folders; undefined: not known, or of no use. */
  readonly folders: ReadonlySet<string> | undefined
  next: number
  readonly whole: boolean
  readonly stat: BigIntStats
  /** The folder's own entry, as long as it is open whether anything below it is included. */
  pending: EntryMeta | null
}

/** A scan of excluded names must return now and then too, to be aborted or held back. */
const VISITS_PER_ENTRY = 16
const MAX_BATCH_BYTES = 4 << 20
const NO_NAMES: Names = { names: [], folders: undefined }

export class TreeScanner extends EntryTaker {
  private readonly selection: Selection
  private readonly selects: boolean
  private readonly excluded: ExcludedFolders
  private readonly roots: readonly ScanRoot[]
  private readonly stack: Frame[] = []
  private pendingFrames = 0
  private nextRoot = 0
  private batchRoot = ''
  private prefixBytes = 0
  /** Undefined: this scan looks at everything itself. */
  private listing: ListingWriter | undefined
  private rootStat = { dev: 0n, ino: 0n }

  constructor(plan: ScanPlan, options: ScanOptions) {
    super(plan, options)
    this.selection = new Selection(plan.include, plan.exclude)
    this.selects = !this.selection.isEverything
    this.excluded = new ExcludedFolders(plan.excludePaths)
    this.roots = rootsOf(plan)
  }

  /**
   * The next batch: `maxEntries` or a few more, or fewer (even none) at the end of a root, or where much is left out.
   * After the last one, each call gives an empty batch that is done.
   * Throws SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE, SOURCE_INCOMPLETE (a root went away), ABORTED.
   */
  next(maxEntries: number): { batch: EntryBatch; done: boolean } {
    this.beginBatch()
    if (this.stack.length === 0 && this.nextRoot < this.roots.length) this.beginRoot(this.roots[this.nextRoot++]!)
    this.walk(maxEntries)
    const done = this.stack.length === 0 && this.nextRoot >= this.roots.length
    return { batch: this.writer.take(this.batchRoot, this.prefixBytes, this.plan.followSymlinks), done }
  }

  /**
   * As `next`, but leaves what is no folder to an EntryLooker. Not to be mixed with `next`. A scan that follows links
   * must know the folders above, so it leaves nothing.
   */
  list(maxEntries: number): { listing: Listing; done: boolean } {
    this.listing ??= new ListingWriter()
    const { batch, done } = this.next(maxEntries)
    return { listing: this.listing.take(batch, this.rootStat), done }
  }

  private beginRoot(root: ScanRoot): void {
    const stat = statRoot(root)
    this.rootStat = stat
    this.batchRoot = root.path
    this.prefixBytes = root.prefix === '' ? 0 : root.prefix.length + 1
    if ((Number(stat.mode) & S_IFMT) === S_IFDIR) this.openRootFolder(root, stat)
    else this.takeRootFile(root, stat)
  }

  private openRootFolder(root: ScanRoot, stat: BigIntStats): void {
    const names = this.namesIn(root.path || '/', stat)
    if (names === undefined) throw rootMissing(root.path)
    const whole = !this.selection.hasIncludes
    const frame = { absolute: `${root.path}/`, relative: '', ...names, next: 0, whole, stat }
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
    this.takeFile(name, stat)
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
      if (writer.count + (this.listing?.left ?? 0) >= maxEntries || writer.metaBytes >= MAX_BATCH_BYTES) return
      if (visits >= maxEntries * VISITS_PER_ENTRY) return
    }
  }

  private leave(frame: Frame): void {
    this.stack.pop()
    if (frame.pending !== null) this.pendingFrames--
    if (this.stack.length === 0) checkRootHeld(this.roots[this.nextRoot - 1]!.path, frame.stat)
  }

  private visit(frame: Frame, name: string): void {
    const relative = frame.relative + name
    if (this.selects && this.selection.excludes(latin1ToUser(relative), latin1ToUser(name))) return
    const absolute = frame.absolute + name
    if (this.excluded.hasPath(absolute)) return
    if (this.listing && frame.whole && frame.folders && !frame.folders.has(name)) {
      this.listing.leave(relative)
      return
    }
    try {
      const stat = lookAt(absolute)
      if (stat === undefined) this.vanished++
      else this.take({ absolute, relative, name, stat, whole: frame.whole })
    } catch (error) {
      this.leaveOut(relative, error)
    }
  }

  private take(seen: Found): void {
    const found = seen.whole || !this.selects ? seen : { ...seen, whole: this.isIncluded(seen) }
    const format = Number(found.stat.mode) & S_IFMT
    if (format === S_IFDIR) this.takeFolder(found)
    else if (format === S_IFLNK && this.plan.followSymlinks && this.takeFollowed(found)) return
    else if (!found.whole) return
    else if (format === S_IFLNK) this.takeLink(found.relative, found.absolute, found.stat)
    else this.takeFile(found.relative, found.stat)
  }

  private isIncluded({ relative, name }: Found): boolean {
    return this.selection.includes(latin1ToUser(relative), latin1ToUser(name))
  }

  /** False where the link must stay one: it leads nowhere, or to a folder that it lies in. */
  private takeFollowed(found: Found): boolean {
    const stat = lookThrough(found.absolute)
    if (stat === undefined) return false
    const target = { ...found, stat }
    if ((Number(stat.mode) & S_IFMT) !== S_IFDIR) {
      if (found.whole && !this.excluded.has(found.absolute, stat)) this.takeFile(found.relative, stat)
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
    const listed = this.isEntered(found) ? this.namesBelow(found) : NO_NAMES
    if (listed === undefined) {
      this.vanished++
      return
    }
    const meta = metaFromStat(relative, stat)
    if (whole) this.emit(meta, stat, 0)
    if (listed.names.length === 0) return
    if (!whole) this.pendingFrames++
    const pending = whole ? null : meta
    this.stack.push({ absolute: `${absolute}/`, relative: `${relative}/`, ...listed, next: 0, whole, stat, pending })
  }

  private isEntered({ relative, name, stat }: Found): boolean {
    if (this.plan.oneFileSystem && stat.dev !== this.stack[0]?.stat.dev) return false
    return !this.selects || !this.selection.isEmptied(latin1ToUser(relative), latin1ToUser(name))
  }

  /** What cannot be listed is kept as a folder without content, and said. */
  private namesBelow({ absolute, relative, stat }: Found): Names | undefined {
    try {
      return this.namesIn(absolute, stat)
    } catch (error) {
      this.leaveOut(relative, error)
      return NO_NAMES
    }
  }

  private namesIn(absolute: string, { size }: BigIntStats): Names | undefined {
    return this.listing && !this.plan.followSymlinks ? typedNamesIn(absolute, Number(size)) : namesIn(absolute)
  }

  protected override emit(meta: EntryMeta, stat: BigIntStats, flags: number): void {
    if (this.pendingFrames > 0) this.emitPending()
    this.listing?.listed()
    super.emit(meta, stat, flags)
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
