/** The merge-join of a scan with the parent snapshot's tree: both in path order, one pass, bytes compared with bytes. */
import { BackupError } from '../errors.ts'
import { FINGERPRINT_BYTES, MetaPeek, readMeta, writeMeta } from '../model/entry.ts'
import { type EntryBatch, FLAG_CONTENT, FLAG_FORCE_READ, FLAG_LATE_FACTS } from '../model/entry-batch.ts'
import type { TreeRoot } from '../model/page.ts'
import { ID_LENGTH, readStreams } from '../model/streams.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { comparePaths, latin1ToUser } from '../util/paths.ts'
import type { ChunkReader } from './chunk-reader.ts'
import { EntryCursor, guard } from './page-cursor.ts'
import { PendingBatch } from './pending-batch.ts'

export interface JoinCounts {
  added: number
  modified: number
  unchanged: number
  deleted: number
}

export class ParentJoin {
  readonly counts: JoinCounts = { added: 0, modified: 0, unchanged: 0, deleted: 0 }
  private readonly reader: ChunkReader
  private readonly parent: EntryCursor | undefined
  private readonly peek = new MetaPeek()
  private started = false
  /** latin1; the last entry that was merged. */
  last = ''

  constructor(reader: ChunkReader, parent: TreeRoot | null) {
    this.reader = reader
    this.parent = parent ? new EntryCursor(reader, parent, { fingerprints: true }) : undefined
  }

  async merge(batch: EntryBatch, source: string): Promise<PendingBatch> {
    const pending = new PendingBatch()
    const input = new ByteReader(batch.metas)
    const { peek } = this
    for (let i = 0; i < batch.count; i++) {
      const length = input.u32()
      const start = input.position
      peek.read(input)
      input.position = start + length
      assertOrder(source, this.last, peek.path)
      this.last = peek.path
      const meta = input.bytes.subarray(start, start + length)
      // Waits only at a page's border: with a wait for each entry an unchanged backup took 0.75 CPU s, not 0.63.
      if (this.parent && (!this.started || this.parent.path !== peek.path)) await this.advanceTo(peek.path)
      const exists = this.parent !== undefined && this.parent.path === peek.path
      const announced = peek.sizeBytes
      const unchanged = exists && this.isUnchanged(this.parent!, batch, i, meta)
      if (typeof unchanged === 'boolean' ? unchanged : await unchanged) this.keep(pending, batch, i)
      else {
        peek.sizeBytes = announced
        this.take(pending, batch, i, meta, exists)
      }
      if (exists) await this.passParent()
    }
    pending.seal(source, batch)
    return pending
  }

  private passParent(): Promise<boolean> | undefined {
    if (this.parent!.needsLeaf) return this.parent!.next()
    this.parent!.step()
    return undefined
  }

  /** Leaves the cursor at the first parent entry that is not before `path`. */
  private async advanceTo(path: string): Promise<void> {
    const parent = this.parent!
    if (!this.started) {
      this.started = true
      await parent.next()
    }
    while (parent.path !== undefined && parent.path !== path && comparePaths(parent.path, path) < 0) {
      this.counts.deleted++
      await this.passParent()
    }
  }

  private keep(pending: PendingBatch, { fingerprints }: EntryBatch, i: number): void {
    const { page, recordStart, recordEnd } = this.parent!
    this.counts.unchanged++
    pending.addRecord(this.peek, page, recordStart, recordEnd, fingerprints, i * FINGERPRINT_BYTES)
  }

  private take(pending: PendingBatch, batch: EntryBatch, i: number, meta: Buffer, exists: boolean): void {
    const { peek } = this
    const at = i * FINGERPRINT_BYTES
    if (exists) this.counts.modified++
    else this.counts.added++
    if (batch.flags[i]! & FLAG_CONTENT) {
      const late = (batch.flags[i]! & FLAG_LATE_FACTS) !== 0
      const before = exists ? this.comparable(meta, late) : undefined
      pending.addAwaited(meta, peek.sizeBytes, batch.fingerprints, at, exists, before)
    } else pending.addEmpty(peek, meta, batch.fingerprints, at)
  }

  /** The parent's record where its metadata may be the same: whether it was modified shows when it has been read. */
  private comparable(meta: Buffer, late: boolean): Uint8Array | undefined {
    const { page, metaStart, metaEnd, recordStart, recordEnd } = this.parent!
    const isSame = late || page.compare(meta, 0, meta.length, metaStart, metaEnd) === 0
    return isSame ? page.subarray(recordStart, recordEnd) : undefined
  }

  private isUnchanged(parent: EntryCursor, batch: EntryBatch, i: number, meta: Buffer): boolean | Promise<boolean> {
    const flags = batch.flags[i]!
    if (flags & FLAG_FORCE_READ) return false
    const same = parent.page.compare(meta, 0, meta.length, parent.metaStart, parent.metaEnd) === 0
    if (flags & FLAG_LATE_FACTS) this.peek.sizeBytes = storedSize(parent)
    else if (!same && !this.isSameButForSize(parent, meta)) return false
    if ((flags & FLAG_CONTENT) === 0) return parent.recordEnd - parent.streamsStart === 1
    if (!parent.fingerprintEquals(batch.fingerprints, i * FINGERPRINT_BYTES)) return false
    const simple = singleRefAt(parent.page, parent.streamsStart, parent.recordEnd)
    return simple >= 0 ? this.reader.index.has(parent.page, simple) : this.isStored(parent)
  }

  /** A source may not know the size before it has read; the parent's entry has what was read. */
  private isSameButForSize(parent: EntryCursor, meta: Buffer): boolean {
    const { page, metaStart, metaEnd } = parent
    const mine = readMeta(new ByteReader(meta))
    if (mine.sizeBytes !== undefined) return false
    const sizeBytes = storedSize(parent)
    const out = new ByteWriter(meta.length + 16)
    writeMeta(out, { ...mine, sizeBytes })
    if (out.view().compare(page, metaStart, metaEnd) !== 0) return false
    this.peek.sizeBytes = sizeBytes
    return true
  }

  /** Every chunk that the parent's entry names, lists too, must have a live location; else the file is read. */
  private async isStored(parent: EntryCursor): Promise<boolean> {
    const { page, streamsStart, recordEnd } = parent
    const input = new ByteReader(page, streamsStart, recordEnd)
    for (const stream of guard('page', () => readStreams(input))) {
      if (!(await this.areStored(stream.refs, stream.level))) return false
    }
    return true
  }

  private async areStored(
    refs: readonly { id?: Uint8Array | undefined; sizeBytes: number; chunkBytes: number }[],
    level: number,
  ): Promise<boolean> {
    for (const ref of refs) {
      if (!ref.id) continue
      if (!this.reader.index.has(ref.id)) return false
      if (level > 0 && !(await this.areStored(await this.reader.list(ref, level - 1), level - 1))) return false
    }
    return true
  }

  /** Entries that had to be read, and turned out to be as they were. */
  settleSame(count: number): void {
    this.counts.modified -= count
    this.counts.unchanged += count
  }

  /** Entries that were found and then could not be read: those that the parent has are gone from here. */
  leaveOut({ added, modified }: { added: number; modified: number }): void {
    this.counts.added -= added
    this.counts.modified -= modified
    this.counts.deleted += modified
  }

  /** Counts what the parent has beyond the last scanned entry. */
  async finish(): Promise<void> {
    const { parent } = this
    if (!parent) return
    if (!this.started) await parent.next()
    while (parent.path !== undefined) {
      this.counts.deleted++
      await parent.next()
    }
  }
}

/** 0 where none is recorded: a stream always has one. */
function storedSize({ page, metaStart, metaEnd }: EntryCursor): number {
  return guard('page', () => readMeta(new ByteReader(page, metaStart, metaEnd))).sizeBytes ?? 0
}

/** A join of two orders would lose entries without a word. `last` is '' before the first. */
export function assertOrder(source: string, last: string, path: string): void {
  if (last === '' || comparePaths(last, path) < 0) return
  throw new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave "${latin1ToUser(path)}" out of order.`, {
    origin: 'source',
    details: { source, path: latin1ToUser(path), before: latin1ToUser(last) },
    hint: 'Entries must come sorted by path, segment by segment, by unsigned bytes, each path once.',
  })
}

/** Position of the id where the streams are one main stream of one chunk (most files), else -1. */
function singleRefAt(page: Uint8Array, start: number, end: number): number {
  // count 1, name '' (0), level 0, refs 1, then the varint of the size
  if (page[start] !== 1 || page[start + 1] !== 0 || page[start + 2] !== 0 || page[start + 3] !== 1) return -1
  let at = start + 4
  if (page[at]! & 1) return -1
  while (page[at++]! >= 0x80);
  return at + ID_LENGTH === end ? at : -1
}
