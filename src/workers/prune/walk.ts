/** Marks what snapshots need: walks their pages and lists, each of them once, whichever snapshot comes to it first. */
import { decodeInner, fingerprintPageBytes, openLeaf, type PageRef } from '../../model/page.ts'
import { type ChunkRef, MAX_LEVEL, MAX_STREAMS } from '../../model/streams.ts'
import { type ByteReader, MalformedBytes } from '../../util/bytes.ts'
import { guard } from '../browse/page-cursor.ts'
import { type ChunkReader, missingChunk } from '../chunks/chunk-reader.ts'
import type { Host } from '../threads/rpc.ts'
import type { MarkedIndex } from './marks.ts'

/** Entries between two signs of life. */
const REPORT_EVERY = 8192

interface ListRef {
  id: Uint8Array
  chunkBytes: number
  level: number
}

/** `reach`: false for a chunk that is nowhere. `walk`: true for whoever comes to a page or list first. */
export type WalkMarks = Pick<MarkedIndex, 'reach' | 'walk'>

/**
 * Anything that cannot be read, or is nowhere, ends the walk: what is not known to be garbage is none. Marks of a walk that
 * failed are worth nothing.
 */
export class PruneWalk {
  private readonly index: WalkMarks
  private readonly reader: ChunkReader
  private readonly host: Host
  private unreported = 0
  /** What is nowhere is passed by, and the rest of it marked: for forgotten snapshots that nobody can bring back whole. */
  isTolerant = false

  constructor(index: WalkMarks, reader: ChunkReader, host: Host) {
    this.index = index
    this.reader = reader
    this.host = host
  }

  async pages(refs: readonly PageRef[], level: number): Promise<void> {
    for (const ref of refs) await this.page(ref, level)
    await this.host.call('walked', this.unreported)
    this.unreported = 0
  }

  /** The pages below one; none where they have been seen to. */
  async children(ref: PageRef, level: number): Promise<PageRef[]> {
    if (!this.reach(ref.id, 0, ref.pageBytes) || !this.index.walk(ref.id)) return []
    const page = await this.reader.chunk(ref.id, ref.pageBytes)
    return guard('page', () => decodeInner(page, level))
  }

  /** A chunk that a snapshot names itself. */
  single(id: Uint8Array, rawBytes: number): void {
    this.reach(id, 0, rawBytes)
  }

  private async page(ref: PageRef, level: number): Promise<void> {
    if (level > 0) for (const child of await this.children(ref, level)) await this.page(child, level - 1)
    else await this.leaf(ref)
  }

  private async leaf(ref: PageRef): Promise<void> {
    if (!this.reach(ref.id, 0, ref.pageBytes)) return this.report(ref.entries)
    // Two snapshots may have the same leaf and other fingerprints.
    if (ref.fingerprintId.some((byte) => byte !== 0)) {
      this.reach(ref.fingerprintId, 0, fingerprintPageBytes(ref.entries))
    }
    if (!this.index.walk(ref.id)) return this.report(ref.entries)
    const page = await this.reader.chunk(ref.id, ref.pageBytes)
    const lists: ListRef[] = []
    const { records, entries } = guard('page', () => openLeaf(page))
    for (let i = 0; i < entries; i++) guard('page', () => this.record(records, lists))
    for (const list of lists) await this.list(list)
    await this.report(entries)
  }

  /** Without an object for each reference: there are millions. */
  private record(input: ByteReader, lists: ListRef[]): void {
    input.take(input.varint())
    const end = input.varint() + input.position
    const streams = input.varint()
    if (streams > MAX_STREAMS) throw new MalformedBytes('too many streams')
    for (let i = 0; i < streams; i++) {
      input.take(input.varint())
      const level = input.varint()
      if (level > MAX_LEVEL) throw new MalformedBytes('list too deep')
      for (let refs = input.varint(); refs > 0; refs--) this.reference(input, level, lists)
    }
    if (input.position > end) throw new MalformedBytes('streams are longer than they say')
    input.take(end - input.position)
  }

  private reference(input: ByteReader, level: number, lists: ListRef[]): void {
    const packed = input.varint()
    if (packed % 2 === 1) return
    const at = input.take(32)
    const chunkBytes = level > 0 ? input.varint() : packed / 2
    const isThere = this.reach(input.bytes, at, chunkBytes)
    if (level > 0 && isThere)
      lists.push({ id: new Uint8Array(input.bytes.subarray(at, at + 32)), chunkBytes, level: level - 1 })
  }

  private async list({ id, chunkBytes, level }: ListRef): Promise<void> {
    if (!this.index.walk(id)) return
    const refs = await this.reader.list({ id, chunkBytes, sizeBytes: 0 }, level)
    for (const ref of refs) await this.listed(ref, level)
  }

  private async listed({ id, chunkBytes }: ChunkRef, level: number): Promise<void> {
    if (!id || !this.reach(id, 0, chunkBytes)) return
    if (level > 0) await this.list({ id: new Uint8Array(id), chunkBytes, level: level - 1 })
  }

  /** False: it is nowhere, and that is tolerated. */
  private reach(id: Uint8Array, at: number, lengthBytes: number): boolean {
    if (this.index.reach(id, at, lengthBytes)) return true
    if (this.isTolerant) return false
    throw missingChunk(id.subarray(at, at + 32))
  }

  private async report(entries: number): Promise<void> {
    this.host.throwIfAborted()
    this.unreported += entries
    if (this.unreported < REPORT_EVERY) return
    const walked = this.unreported
    this.unreported = 0
    await this.host.call('walked', walked)
  }
}
