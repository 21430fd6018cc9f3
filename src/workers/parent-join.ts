/** The merge-join of a scan with the parent snapshot's tree: both in path order, one pass, bytes compared with bytes. */
import { BackupError } from '../errors.ts'
import { FINGERPRINT_BYTES, MAX_PATH_BYTES, readMeta } from '../model/entry.ts'
import { type EntryBatch, FLAG_CONTENT, FLAG_FORCE_READ } from '../model/entry-batch.ts'
import type { TreeRoot } from '../model/page.ts'
import { ID_LENGTH, readStreams } from '../model/streams.ts'
import { ByteReader } from '../util/bytes.ts'
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

/** Streams of an entry without content: a count of 0. */
const NO_STREAMS = new Uint8Array([0])

export class ParentJoin {
  readonly counts: JoinCounts = { added: 0, modified: 0, unchanged: 0, deleted: 0 }
  private readonly reader: ChunkReader
  private readonly parent: EntryCursor | undefined
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
    for (let i = 0; i < batch.count; i++) {
      const meta = input.raw(input.u32())
      const path = pathOf(meta)
      assertOrder(source, this.last, path)
      this.last = path
      await this.advanceTo(path)
      await this.mergeOne(pending, batch, i, meta, path)
    }
    pending.seal(source, batch)
    return pending
  }

  /** Leaves the cursor at the first parent entry that is not before `path`. */
  private async advanceTo(path: string): Promise<void> {
    const { parent } = this
    if (!parent) return
    if (!this.started) {
      this.started = true
      await parent.next()
    }
    while (parent.path !== undefined && parent.path !== path && comparePaths(parent.path, path) < 0) {
      this.counts.deleted++
      if (parent.needsLeaf) await parent.next()
      else parent.step()
    }
  }

  private async mergeOne(
    pending: PendingBatch,
    batch: EntryBatch,
    i: number,
    meta: Buffer,
    path: string,
  ): Promise<void> {
    const { parent } = this
    const flags = batch.flags[i]!
    const exists = parent?.path === path
    if (exists && (await this.isUnchanged(parent, batch, i, meta, flags))) {
      this.counts.unchanged++
      const record = parent.page.subarray(parent.recordStart, parent.recordEnd)
      pending.addKnown((out) => out.raw(record), batch.fingerprints, i * FINGERPRINT_BYTES)
    } else {
      if (exists) this.counts.modified++
      else this.counts.added++
      if (flags & FLAG_CONTENT) pending.addAwaited(meta, sizeOf(meta))
      else pending.addKnown((out) => writeEmpty(out, meta), batch.fingerprints, i * FINGERPRINT_BYTES)
    }
    if (exists) await parent.next()
  }

  private async isUnchanged(
    parent: EntryCursor,
    batch: EntryBatch,
    i: number,
    meta: Buffer,
    flags: number,
  ): Promise<boolean> {
    if (flags & FLAG_FORCE_READ) return false
    if (parent.page.compare(meta, 0, meta.length, parent.metaStart, parent.metaEnd) !== 0) return false
    if ((flags & FLAG_CONTENT) === 0) return parent.recordEnd - parent.streamsStart === 1
    if (!parent.fingerprintEquals(batch.fingerprints, i * FINGERPRINT_BYTES)) return false
    return this.isStored(parent)
  }

  /** Every chunk that the parent's entry names, lists too, must have a live location; else the file is read. */
  private async isStored(parent: EntryCursor): Promise<boolean> {
    const { page, streamsStart, recordEnd } = parent
    const simple = singleRefAt(page, streamsStart, recordEnd)
    if (simple >= 0) return this.reader.index.has(page, simple)
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

/** A join of two orders would lose entries without a word. `last` is '' before the first. */
export function assertOrder(source: string, last: string, path: string): void {
  if (last === '' || comparePaths(last, path) < 0) return
  throw new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave "${latin1ToUser(path)}" out of order.`, {
    origin: 'source',
    details: { source, path: latin1ToUser(path), before: latin1ToUser(last) },
    hint: 'Entries must come sorted by path, segment by segment, by unsigned bytes, each path once.',
  })
}

function writeEmpty(out: { varint(value: number): void; raw(value: Uint8Array): void }, meta: Uint8Array): void {
  out.varint(meta.length)
  out.raw(meta)
  out.varint(NO_STREAMS.length)
  out.raw(NO_STREAMS)
}

function sizeOf(meta: Buffer): number {
  return readMeta(new ByteReader(meta)).sizeBytes ?? 0
}

function pathOf(meta: Buffer): string {
  const input = new ByteReader(meta)
  input.take(2)
  return input.latin1(MAX_PATH_BYTES)
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
