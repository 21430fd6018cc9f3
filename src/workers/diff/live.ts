/** A stored tree compared with what its source holds now, batch by batch as the source is scanned. */
import { type EntryMeta, FINGERPRINT_BYTES, peekPath, readMeta, typeName } from '../../model/entry.ts'
import { type EntryBatch, FLAG_CONTENT, FLAG_LATE_FACTS } from '../../model/entry-batch.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type StreamRefs, writeStreams } from '../../model/streams.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'
import { comparePaths } from '../../util/paths.ts'
import type { EntrySelector } from '../browse/entry-selector.ts'
import { mainStream, metaAt, streamsAt } from '../browse/listed-entry.ts'
import { EntryCursor } from '../browse/page-cursor.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import { HASH_DIFFERS, HASH_UNKNOWN, type HashJob, type HashResult } from '../ingest/hash.ts'
import { type Host, Moved } from '../threads/rpc.ts'
import { assertOrder } from '../tree/entry-order.ts'
import { hasOtherMetadata, isSelected, takeXattrs } from './compare.ts'
import { type DiffRow, type DiffType, type RowBatch, RowWriter } from './rows.ts'

export interface LiveInit {
  source: string
  base: TreeRoot | null
  /** Read content even where metadata says that it is equal. */
  checksum: boolean
  /** The source's fingerprints stand for content alone. Those of a file tree stand for inode and ctime, and count nothing. */
  exactFingerprints: boolean
  /** The source does not say which extended attributes there are: those of the tree count nothing. */
  ignoreXattrs?: boolean
}

export interface LiveBatch {
  batch: EntryBatch
  /** Nothing comes after it: what the tree has beyond it was deleted. */
  last: boolean
  /** latin1; could not be looked at: nothing is known of these, and of what lies below them. */
  unreadable: readonly string[]
}

export interface LiveAnswer {
  number: number
  /** Null where content has to be read first: `settle` gives the rows then. */
  batch: RowBatch | null
  checks: HashJob | null
  /** Entries dealt with, on both sides together. */
  passed: number
  /** `run` has to go on with this batch. */
  more: boolean
}

/** A change, or an entry that is one only if its content differs. */
interface Item {
  type: DiffType | undefined
  before?: EntryMeta
  after?: EntryMeta
  isChecked: boolean
}

const MAX_ITEMS = 1024

export class LiveDiff {
  private readonly init: LiveInit
  private readonly base: EntryCursor | undefined
  private readonly selector: EntrySelector
  private readonly host: Host
  private readonly waiting = new Map<number, Item[]>()
  private readonly unreadable = new Set<string>()
  private number = 0
  private isStarted = false
  private current: LiveBatch | undefined
  private input = new ByteReader(new Uint8Array(0))
  private index = 0
  private lastPath = ''
  private items: Item[] = []
  private checks: CheckList | undefined

  constructor(reader: ChunkReader, init: LiveInit, selector: EntrySelector, host: Host) {
    const { base, exactFingerprints } = init
    this.init = init
    this.base = base ? new EntryCursor(reader, base, { fingerprints: exactFingerprints }) : undefined
    this.selector = selector
    this.host = host
  }

  async take(next: LiveBatch): Promise<Moved> {
    if (!this.isStarted) await this.base?.next()
    this.isStarted = true
    this.current = next
    for (const path of next.unreadable) this.unreadable.add(path)
    this.input = new ByteReader(next.batch.metas)
    this.index = 0
    return this.run()
  }

  /** Goes on with the batch, as far as one answer may be long. */
  async run(): Promise<Moved> {
    const { batch, last } = this.current!
    let passed = 0
    let more = false
    for (; ; passed++) {
      this.host.throwIfAborted()
      const path = this.index < batch.count ? this.peek() : undefined
      if (path === undefined && (!last || this.base?.path === undefined)) break
      more = this.items.length >= MAX_ITEMS
      if (more) break
      if (path === undefined || this.isBehind(path)) await this.takeDeleted()
      else await this.takeLive(path)
    }
    return this.answer(passed, more)
  }

  private peek(): string {
    const { input } = this
    const start = input.position
    input.take(4)
    const path = peekPath(input)
    input.position = start
    return path
  }

  /** The tree has an entry before this path. */
  private isBehind(path: string): boolean {
    const before = this.base?.path
    return before !== undefined && before !== path && comparePaths(before, path) < 0
  }

  private async takeDeleted(): Promise<void> {
    const { base } = this
    if (!this.isUnknown(base!.path!)) this.add({ type: 'deleted', before: metaAt(base!), isChecked: false })
    await base!.next()
  }

  /** It, or a folder above it, could not be looked at. */
  private isUnknown(path: string): boolean {
    const { unreadable } = this
    if (unreadable.size === 0) return false
    if (unreadable.has(path)) return true
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (unreadable.has(path.slice(0, at))) return true
    }
    return false
  }

  private async takeLive(path: string): Promise<void> {
    const { input, index, base } = this
    assertOrder(this.init.source, this.lastPath, path)
    this.lastPath = path
    const bytes = input.raw(input.u32())
    this.index++
    if (base?.path !== path) {
      this.add({ type: 'added', after: readMeta(new ByteReader(bytes)), isChecked: false })
      return
    }
    if (!this.isPlainlySame(base, bytes)) this.compare(base, bytes, index)
    await base.next()
  }

  /** Most entries of a file tree: not even decoded. */
  private isPlainlySame(base: EntryCursor, bytes: Buffer): boolean {
    if (this.init.checksum || this.init.exactFingerprints) return false
    return base.page.compare(bytes, 0, bytes.length, base.metaStart, base.metaEnd) === 0
  }

  private compare(base: EntryCursor, bytes: Buffer, index: number): void {
    const before = metaAt(base)
    const after = readMeta(new ByteReader(bytes))
    if (this.init.ignoreXattrs) takeXattrs(before, after)
    if (typeName(before) !== typeName(after)) {
      this.add({ type: 'type-changed', before, after, isChecked: false })
      return
    }
    const verdict = this.contentOf(base, before, after, index)
    // What a source does not say cannot have changed.
    if (verdict !== 'modified') after.sizeBytes ??= before.sizeBytes
    // Facts that come with the content are not there yet; the rest of them says nothing without these.
    const isLate = (this.current!.batch.flags[index]! & FLAG_LATE_FACTS) !== 0
    if (isLate) after.attributes = before.attributes
    const otherwise = hasOtherMetadata(before, after) ? 'metadata' : undefined
    if (verdict === 'modified') this.add({ type: 'modified', before, after, isChecked: false })
    else if (verdict === 'read') this.check({ type: otherwise, before, after, isChecked: true }, bytes, streamsAt(base))
    else if (otherwise) this.add({ type: otherwise, before, after, isChecked: false })
  }

  private contentOf(base: EntryCursor, before: EntryMeta, after: EntryMeta, i: number): 'same' | 'modified' | 'read' {
    const { batch } = this.current!
    const had = base.recordEnd - base.streamsStart > 1
    const has = (batch.flags[i]! & FLAG_CONTENT) !== 0
    if (before.linkTarget !== after.linkTarget) return 'modified'
    if (differ(before.sizeBytes, after.sizeBytes) || (had && !has)) return 'modified'
    if (!has) return 'same'
    if (this.init.checksum) return 'read'
    if (this.init.exactFingerprints && isSet(batch.fingerprints, i * FINGERPRINT_BYTES)) {
      return base.fingerprintEquals(batch.fingerprints, i * FINGERPRINT_BYTES) ? 'same' : 'modified'
    }
    return differ(before.mtimeNs, after.mtimeNs) ? 'modified' : 'same'
  }

  private add(item: Item): void {
    if (isSelected(this.selector, item as DiffRow)) this.items.push(item)
  }

  private check(item: Item, meta: Uint8Array, streams: readonly StreamRefs[]): void {
    if (!isSelected(this.selector, item as DiffRow)) return
    this.items.push(item)
    this.checks ??= new CheckList()
    this.checks.add(meta, mainStream(streams))
  }

  private answer(passed: number, more: boolean): Moved {
    const { items, checks } = this
    const number = this.number++
    this.items = []
    this.checks = undefined
    if (checks) {
      this.waiting.set(number, items)
      const job = checks.take(this.current!.batch)
      const answer: LiveAnswer = { number, batch: null, checks: job, passed, more }
      return new Moved(answer, [job.metas.buffer, job.expected.buffer])
    }
    const batch = rowsOf(items)
    const answer: LiveAnswer = { number, batch, checks: null, passed, more }
    return new Moved(answer, [batch.rows.buffer])
  }

  /** The rows of an answer whose content has been read. */
  settle({ number, result }: { number: number; result: HashResult }): Moved {
    const items = this.waiting.get(number)!
    this.waiting.delete(number)
    let check = 0
    for (const item of items) if (item.isChecked) applyHash(item, result, check++)
    const batch = rowsOf(items)
    return new Moved(batch, [batch.rows.buffer])
  }
}

function applyHash(item: Item, { statuses, sizes }: HashResult, check: number): void {
  const status = statuses[check]
  if (status === HASH_DIFFERS) item.type = 'modified'
  if (status !== HASH_UNKNOWN) item.after!.sizeBytes = sizes[check]!
}

function rowsOf(items: readonly Item[]): RowBatch {
  const rows = new RowWriter()
  for (const { type, before, after } of items) {
    if (type) rows.add({ type, ...(before && { before }), ...(after && { after }) })
  }
  return rows.take()
}

/** Entries whose content is to be read, with what the tree says of it. */
class CheckList {
  private readonly metas = new ByteWriter(16 * 1024)
  private readonly expected = new ByteWriter(16 * 1024)
  private count = 0

  add(meta: Uint8Array, stream: StreamRefs | undefined): void {
    this.count++
    this.metas.u32(meta.length)
    this.metas.raw(meta)
    const at = this.expected.reserve(4)
    writeStreams(this.expected, stream ? [stream] : [])
    this.expected.bytes.writeUInt32LE(this.expected.length - at - 4, at)
  }

  take({ root, prefixBytes, follow }: EntryBatch): HashJob {
    const { count } = this
    return { root, prefixBytes, follow, count, metas: this.metas.copy(), expected: this.expected.copy() }
  }
}

/** Where both are known. */
function differ<T>(before: T | undefined, after: T | undefined): boolean {
  return before !== undefined && after !== undefined && before !== after
}

function isSet(fingerprints: Uint8Array, at: number): boolean {
  for (let i = at; i < at + FINGERPRINT_BYTES; i++) if (fingerprints[i] !== 0) return true
  return false
}
