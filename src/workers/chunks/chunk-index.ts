/**
 * Where chunks are: tables in shared memory, each built once from index fragments and then only read, by every thread.
 * A fragment is a set of facts, so a newer table adds locations and never takes one back; a pack that died is marked.
 */

import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { firstWhere } from '../../util/search.ts'
import { IdTable, type IdTablePlain } from './id-table.ts'

/** Columns of a chunk: segment number, offset in the raw segment, length. */
const CHUNK_COLUMNS = 3
const COLUMN_BYTES = CHUNK_COLUMNS * 4
/** Columns of a segment: pack number, offset in the pack, stored bytes, raw bytes. */
export const SEGMENT_COLUMNS = 4
/** Of a pack: its bytes, its state, 1 if it holds trees. */
export const PACK_COLUMNS = 3
const PACK_BYTES_COLUMN = 0
const PACK_STATE_COLUMN = 1
const PACK_TREE_COLUMN = 2
/** A prune that is under way has named it: it can be read, and nothing new may rely on it. */
const CONDEMNED = 1
const ABSENT = 2

export interface ChunkTablePlain {
  ids: IdTablePlain
  /** With room for more than there are: what no segment takes is never touched. */
  segments: SharedArrayBuffer
  segmentCount: number
  packs: SharedArrayBuffer
  packNames: SharedArrayBuffer
}

export interface Location {
  /** Lower-case hex. */
  pack: string
  packBytes: number
  segmentOffset: number
  storedBytes: number
  rawBytes: number
  /** In the raw segment. */
  offset: number
  length: number
  /** Unique for a segment within the index. */
  segmentKey: number
}

export class ChunkTable {
  readonly plain: ChunkTablePlain
  readonly ids: IdTable
  private readonly columns: Int32Array
  private readonly segments: Int32Array
  private readonly packs: Int32Array
  private readonly packNames: Buffer
  /** Names as text, made when they are first asked for: a window of a restore asks tens of thousands of times. */
  private readonly names: string[] = []

  constructor(plain: ChunkTablePlain) {
    this.plain = plain
    this.ids = new IdTable(plain.ids)
    this.columns = new Int32Array(plain.ids.buffer, this.ids.columnsAt, plain.ids.capacity * CHUNK_COLUMNS)
    this.segments = new Int32Array(plain.segments, 0, plain.segmentCount * SEGMENT_COLUMNS)
    this.packs = new Int32Array(plain.packs)
    this.packNames = Buffer.from(plain.packNames)
  }

  get chunks(): number {
    return this.ids.count
  }

  get packCount(): number {
    return this.packs.length / PACK_COLUMNS
  }

  get sizeBytes(): number {
    const { packs, packNames } = this.plain
    return this.ids.sizeBytes + this.segments.byteLength + packs.byteLength + packNames.byteLength
  }

  private near = 0

  /**
   * True if the chunk is the one behind the last that was found. What lies side by side in a tree mostly does in a pack as
   * well, and a look there costs no jump through the table.
   */
  isNext(id: Uint8Array, at = 0): boolean {
    if (!this.ids.isAt(this.near, id, at) || this.stateOf(this.near) !== 0) return false
    this.near++
    return true
  }

  /** For writers: true if the chunk is in a pack that may be relied on. */
  has(id: Uint8Array, at = 0): boolean {
    let entry = this.ids.find(id, at)
    while (entry >= 0 && this.stateOf(entry) !== 0) entry = this.ids.findNext(id, at)
    if (entry >= 0) this.near = entry + 1
    return entry >= 0
  }

  /** For readers: entry of a chunk in a pack that is not absent, or -1. */
  findLive(id: Uint8Array, at = 0): number {
    return this.live(this.ids.find(id, at), id, at)
  }

  /** Another entry of the same chunk, after the last one found; -1 if there is none. */
  findLiveNext(id: Uint8Array, at = 0): number {
    return this.live(this.ids.findNext(id, at), id, at)
  }

  private live(found: number, id: Uint8Array, at: number): number {
    let entry = found
    while (entry >= 0 && this.stateOf(entry) === ABSENT) entry = this.ids.findNext(id, at)
    return entry
  }

  private stateOf(entry: number): number {
    return this.packs[this.packNumber(entry) * PACK_COLUMNS + PACK_STATE_COLUMN]!
  }

  location(entry: number, tableNumber: number): Location {
    const base = entry * CHUNK_COLUMNS
    const segment = this.columns[base]!
    const row = segment * SEGMENT_COLUMNS
    const pack = this.segments[row]!
    return {
      pack: this.packName(pack),
      packBytes: this.packs[pack * PACK_COLUMNS + PACK_BYTES_COLUMN]!,
      segmentOffset: this.segments[row + 1]!,
      storedBytes: this.segments[row + 2]!,
      rawBytes: this.segments[row + 3]!,
      offset: this.columns[base + 1]!,
      length: this.columns[base + 2]!,
      segmentKey: tableNumber * 2 ** 32 + segment,
    }
  }

  packNumber(entry: number): number {
    return this.segments[this.columns[entry * CHUNK_COLUMNS]! * SEGMENT_COLUMNS]!
  }

  /** Bytes of the chunk. */
  lengthOf(entry: number): number {
    return this.columns[entry * CHUNK_COLUMNS + 2]!
  }

  /** All segments in order, each with the pack it is in. One pass, no look-ups. */
  *allSegments(): Generator<IndexedSegment & { pack: number }> {
    const { segments, columns, chunks } = this
    let entry = 0
    for (let at = 0; at * SEGMENT_COLUMNS < segments.length; at++) {
      const row = at * SEGMENT_COLUMNS
      const firstEntry = entry
      while (entry < chunks && columns[entry * CHUNK_COLUMNS] === at) entry++
      yield {
        pack: segments[row]!,
        offset: segments[row + 1]!,
        storedBytes: segments[row + 2]!,
        rawBytes: segments[row + 3]!,
        firstEntry,
        chunks: entry - firstEntry,
      }
    }
  }

  /** Segments of a pack in order: a table is built pack by pack, so they lie together, and so do their chunks. */
  segmentsOf(pack: number): IndexedSegment[] {
    const { segments, columns, chunks } = this
    const count = segments.length / SEGMENT_COLUMNS
    const found: IndexedSegment[] = []
    let at = firstWhere(count, (row) => segments[row * SEGMENT_COLUMNS]! >= pack)
    for (; at < count && segments[at * SEGMENT_COLUMNS] === pack; at++) {
      const firstEntry = firstWhere(chunks, (entry) => columns[entry * CHUNK_COLUMNS]! >= at)
      const end = firstWhere(chunks, (entry) => columns[entry * CHUNK_COLUMNS]! > at)
      const row = at * SEGMENT_COLUMNS
      found.push({
        offset: segments[row + 1]!,
        storedBytes: segments[row + 2]!,
        rawBytes: segments[row + 3]!,
        firstEntry,
        chunks: end - firstEntry,
      })
    }
    return found
  }

  packName(number: number): string {
    this.names[number] ??= this.packNames.toString('hex', number * 32, number * 32 + 32)
    return this.names[number]
  }

  packSize(number: number): number {
    return this.packs[number * PACK_COLUMNS + PACK_BYTES_COLUMN]!
  }

  packIsTree(number: number): boolean {
    return this.packs[number * PACK_COLUMNS + PACK_TREE_COLUMN] === 1
  }

  packIsAbsent(number: number): boolean {
    return this.packs[number * PACK_COLUMNS + PACK_STATE_COLUMN] === ABSENT
  }

  /** Takes these packs out of use. Their names never come back, so this is for good. */
  markAbsent(names: ReadonlySet<string>): void {
    this.mark(names, ABSENT)
  }

  /** Keeps writers from relying on these packs. They may still be read: a prune may let them live after all. */
  markCondemned(names: ReadonlySet<string>): void {
    this.mark(names, CONDEMNED)
  }

  private mark(names: ReadonlySet<string>, state: number): void {
    for (let pack = 0; pack < this.packCount; pack++) {
      const at = pack * PACK_COLUMNS + PACK_STATE_COLUMN
      if (this.packs[at]! < state && names.has(this.packName(pack))) this.packs[at] = state
    }
  }
}

/** Ids with their columns, filled by one thread before others read them. */
export class ChunkTableWriter {
  private readonly ids: IdTable
  private readonly columns: Int32Array

  constructor(maxChunks: number) {
    this.ids = IdTable.create(maxChunks, COLUMN_BYTES)
    this.columns = new Int32Array(this.ids.plain.buffer, this.ids.columnsAt, maxChunks * CHUNK_COLUMNS)
  }

  get plain(): IdTablePlain {
    return this.ids.plain
  }

  get room(): number {
    return this.ids.capacity - this.ids.count
  }

  /** The chunks of one segment. Gives where the rows of the next one begin. */
  add(rows: Buffer, from: number, count: number, segment: number): number {
    let at = from
    let offset = 0
    for (let i = 0; i < count; i++, at += CHUNK_ROW_BYTES) {
      const length = rows.readUInt32LE(at + 32)
      const base = this.ids.add(rows, at) * CHUNK_COLUMNS
      this.columns[base] = segment
      this.columns[base + 1] = offset
      this.columns[base + 2] = length
      offset += length
    }
    return at
  }
}

/** What the index says of one segment of a pack. */
export interface IndexedSegment {
  offset: number
  storedBytes: number
  rawBytes: number
  /** Its chunks are the entries from here on, in order. */
  firstEntry: number
  chunks: number
}

/** All tables together, oldest first. */
export class ChunkIndex {
  readonly tables: ChunkTable[]

  constructor(tables: readonly ChunkTablePlain[]) {
    this.tables = tables.map((plain) => new ChunkTable(plain))
  }

  /** For writers: true if it need not be stored again. */
  has(id: Uint8Array, at = 0): boolean {
    for (const table of this.tables) if (table.isNext(id, at)) return true
    for (const table of this.tables) if (table.has(id, at)) return true
    return false
  }

  /**
   * For readers: a place to read it from. One in an absent pack only where there is no other: a session that began before
   * a prune ended does not have the tables that say where it is now, and the main thread, which has, finds it.
   */
  find(id: Uint8Array, at = 0): Location | undefined {
    for (const [number, table] of this.tables.entries()) {
      const entry = table.findLive(id, at)
      if (entry >= 0) return table.location(entry, number)
    }
    for (const [number, table] of this.tables.entries()) {
      const entry = table.ids.find(id, at)
      if (entry >= 0) return table.location(entry, number)
    }
    return undefined
  }
}
