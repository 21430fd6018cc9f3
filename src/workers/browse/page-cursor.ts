/** Walks the leaves of one source's tree in path order, from the start or from a path on. */
import { BackupError } from '../../errors.ts'
import { FINGERPRINT_BYTES, peekPath } from '../../model/entry.ts'
import { decodeInner, fingerprintPageBytes, openLeaf, type PageRef, type TreeRoot } from '../../model/page.ts'
import { ByteReader, MalformedBytes } from '../../util/bytes.ts'
import { comparePaths } from '../../util/paths.ts'
import { type ChunkReader, corruptRecord, isLost } from '../chunks/chunk-reader.ts'

/** A page that a walk has come to. Level 0: a leaf. */
export interface PageStop {
  ref: PageRef
  level: number
}

/** Children of an opened inner page; those before `next` are behind the walk. */
interface Frame {
  children: readonly PageRef[]
  next: number
  level: number
}

/** And how many entries they were about. */
export interface LostPages {
  pages: number
  entries: number
}

function noteLost(lost: LostPages, entries: number): void {
  lost.pages++
  lost.entries += entries
}

/** Pages in order, none opened before it is asked for, so that whoever knows a page by its id can pass it by. */
export class PageWalk {
  private readonly reader: ChunkReader
  private readonly from: string
  private readonly passesLost: boolean
  private readonly stack: Frame[]
  /** What was passed by since the repository has lost it. */
  readonly lost: LostPages = { pages: 0, entries: 0 }

  /**
   * Pages in which no entry at or after `from` can be are passed by. `passesLost`: so are those that the repository has lost,
   * with all below them.
   */
  constructor(reader: ChunkReader, root: TreeRoot, from: string, passesLost = false) {
    this.reader = reader
    this.passesLost = passesLost
    this.from = from
    this.stack = [{ children: [root], next: 0, level: root.level }]
  }

  /** The page that comes next, unopened; undefined at the end. */
  peek(): PageStop | undefined {
    const { stack } = this
    for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
      if (frame.next < frame.children.length) return { ref: frame.children[frame.next]!, level: frame.level }
      stack.pop()
    }
    return undefined
  }

  /** Passes by the page that `peek` gave, and all below it. */
  skip(): void {
    this.stack.at(-1)!.next++
  }

  /** Opens the inner page that `peek` gave: its first child comes next. */
  async descend({ ref, level }: PageStop): Promise<void> {
    const page = await this.reader.chunk(ref.id, ref.pageBytes)
    const children = guard('page', () => decodeInner(page, level))
    this.skip()
    this.stack.push({ children, next: firstChild(children, this.from), level: level - 1 })
  }

  /** Opens the next leaf. */
  async nextLeaf(): Promise<{ ref: PageRef; page: Uint8Array } | undefined> {
    for (let stop = this.peek(); stop; stop = this.peek()) {
      const page = await this.orPass(() => this.openPage(stop))
      if (page) return { ref: stop.ref, page }
    }
    return undefined
  }

  /** Of a leaf its bytes; an inner page is gone into. */
  private async openPage(stop: PageStop): Promise<Uint8Array | undefined> {
    if (stop.level > 0) {
      await this.descend(stop)
      return undefined
    }
    const page = await this.reader.chunk(stop.ref.id, stop.ref.pageBytes)
    this.skip()
    return page
  }

  private async orPass<T>(body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body()
    } catch (error) {
      if (!this.passesLost || !isLost(error)) throw error
      noteLost(this.lost, this.peek()!.ref.entries)
      this.skip()
      return undefined
    }
  }
}

/** The last child that begins at or before the path. */
function firstChild(children: readonly PageRef[], from: string): number {
  let low = 0
  let high = children.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (comparePaths(children[middle]!.firstPath, from) <= 0) low = middle
    else high = middle - 1
  }
  return low
}

export function guard<T>(what: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof MalformedBytes || error instanceof RangeError) throw corruptRecord(what, error)
    throw error
  }
}

/** One entry at a time, as views of its page: path, meta bytes, streams bytes, fingerprint. */
export class EntryCursor {
  private readonly reader: ChunkReader
  private readonly walk: PageWalk
  private readonly withFingerprints: boolean
  private readonly passesLost: boolean
  private records: ByteReader | undefined
  private leaf: PageRef | undefined
  private entries = 0
  private left = 0
  private fingerprintAt = 0
  private fingerprints: Uint8Array | undefined
  /** Decoded when it is asked for: a join with an unchanged tree compares bytes only. */
  private text: string | undefined
  /** False past the end. */
  isAtEntry = false
  recordStart = 0
  recordEnd = 0
  metaStart = 0
  metaEnd = 0
  streamsStart = 0
  page: Buffer = Buffer.alloc(0)

  /** `passesLost`: pages that the repository has lost are passed by, and lost fingerprints are equal to nothing. */
  constructor(
    reader: ChunkReader,
    root: TreeRoot,
    options: { from?: string; fingerprints?: boolean; passesLost?: boolean } = {},
  ) {
    this.reader = reader
    this.passesLost = options.passesLost ?? false
    this.walk = new PageWalk(reader, root, options.from ?? '', this.passesLost)
    this.withFingerprints = options.fingerprints ?? false
  }

  /** Pages, and pages of fingerprints, that were passed by. */
  get lost(): LostPages {
    return this.walk.lost
  }

  /** True if `next` needs to wait for a page. */
  get needsLeaf(): boolean {
    return this.left === 0
  }

  /** Loads the next leaf; false at the end, where `path` is undefined. */
  async loadLeaf(): Promise<boolean> {
    const leaf = await this.walk.nextLeaf()
    if (!leaf) {
      this.isAtEntry = false
      return false
    }
    const { records, entries } = guard('page', () => openLeaf(leaf.page))
    this.records = records
    this.page = records.bytes
    this.leaf = leaf.ref
    this.entries = entries
    this.left = entries
    this.fingerprintAt = -FINGERPRINT_BYTES
    if (this.withFingerprints) this.fingerprints = await this.loadFingerprints(leaf.ref, entries)
    return entries > 0 || this.loadLeaf()
  }

  private async loadFingerprints({ fingerprintId }: PageRef, entries: number): Promise<Uint8Array> {
    const bytes = fingerprintPageBytes(entries)
    try {
      return await this.reader.chunk(fingerprintId, bytes)
    } catch (error) {
      if (!this.passesLost || !isLost(error)) throw error
      noteLost(this.lost, entries)
      return new Uint8Array(bytes)
    }
  }

  /** Moves to the next entry of the leaf. */
  step(): void {
    const records = this.records!
    this.left--
    this.fingerprintAt += FINGERPRINT_BYTES
    this.text = undefined
    this.isAtEntry = true
    try {
      this.recordStart = records.position
      const metaBytes = records.varint()
      this.metaStart = records.take(metaBytes)
      this.metaEnd = records.position
      const streamsBytes = records.varint()
      this.streamsStart = records.take(streamsBytes)
      this.recordEnd = records.position
    } catch (error) {
      throw corruptRecord('page', error as Error)
    }
  }

  /** latin1; undefined past the end. */
  get path(): string | undefined {
    if (!this.isAtEntry) return undefined
    this.text ??= guard('page', () => peekPath(new ByteReader(this.page, this.metaStart, this.metaEnd)))
    return this.text
  }

  /** Moves on, over a leaf's border too. False at the end. */
  async next(): Promise<boolean> {
    if (this.left === 0 && !(await this.loadLeaf())) return false
    this.step()
    return true
  }

  fingerprintEquals(other: Uint8Array, at: number): boolean {
    return this.isSameFingerprint(other, at) && !this.isBlankFingerprint()
  }

  /** Also where both are zero, which says nothing of the content. */
  isSameFingerprint(other: Uint8Array, at: number): boolean {
    const mine = this.fingerprints
    if (!mine) throw new BackupError('INTERNAL', 'no fingerprints were loaded', { origin: 'repository' })
    const { fingerprintAt } = this
    for (let i = 0; i < FINGERPRINT_BYTES; i++) if (mine[fingerprintAt + i] !== other[at + i]) return false
    return true
  }

  private isBlankFingerprint(): boolean {
    const { fingerprints, fingerprintAt } = this
    for (let i = 0; i < FINGERPRINT_BYTES; i++) if (fingerprints![fingerprintAt + i] !== 0) return false
    return true
  }

  /** The leaf that the current entry is in. */
  get currentLeaf(): PageRef {
    return this.leaf!
  }

  /** The leaf that the current entry is the first of. */
  get leafBegun(): PageStop | undefined {
    return this.leaf && this.left === this.entries - 1 ? { ref: this.leaf, level: 0 } : undefined
  }

  /** Gives up what is left of the leaf. */
  leaveLeaf(): void {
    this.left = 0
  }

  /** Behind the last entry of a leaf: the page that comes next, unopened. */
  get pageAhead(): PageStop | undefined {
    return this.walk.peek()
  }

  skipPage(): void {
    this.walk.skip()
  }

  async openPage(stop: PageStop): Promise<void> {
    await this.walk.descend(stop)
  }
}
