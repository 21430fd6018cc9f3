/** What a prune knows of each place in the index: a few bits a chunk, in memory that all threads share. */
import { ChunkIndex, type ChunkTable, type ChunkTablePlain } from './chunk-index.ts'

/** Of one table of the index. */
export interface PruneMarksPlain {
  bits: SharedArrayBuffer
  chunks: number
}

/** A snapshot needs the chunk, wherever it is read from. */
const REACHED = 0
/** It is a page or a list, and what it names is marked, or being marked. Content that looks like a page is no page. */
const WALKED = 1
/** The place that is to be kept: one for each chunk that is reached. */
const NEEDED = 2
const KINDS = 3
const WORD_BITS = 32

export class PruneMarks {
  readonly plain: PruneMarksPlain
  private readonly words: Int32Array
  private readonly rowWords: number

  constructor(plain: PruneMarksPlain) {
    this.plain = plain
    this.words = new Int32Array(plain.bits)
    this.rowWords = Math.ceil(plain.chunks / WORD_BITS)
  }

  static create(chunks: number): PruneMarks {
    const bits = new SharedArrayBuffer(Math.ceil(chunks / WORD_BITS) * KINDS * 4)
    return new PruneMarks({ bits, chunks })
  }

  reach(entry: number): void {
    this.set(REACHED, entry)
  }

  isReached(entry: number): boolean {
    return this.get(REACHED, entry)
  }

  /** True for the first who asks. */
  walk(entry: number): boolean {
    return this.set(WALKED, entry)
  }

  isWalked(entry: number): boolean {
    return this.get(WALKED, entry)
  }

  need(entry: number): void {
    this.set(NEEDED, entry)
  }

  isNeeded(entry: number): boolean {
    return this.get(NEEDED, entry)
  }

  private get(kind: number, entry: number): boolean {
    return ((this.words[kind * this.rowWords + (entry >>> 5)]! >>> (entry & 31)) & 1) === 1
  }

  /** True if it was not set before. A look first: most are set already, and a look costs less. */
  private set(kind: number, entry: number): boolean {
    const at = kind * this.rowWords + (entry >>> 5)
    const bit = 1 << (entry & 31)
    if (this.words[at]! & bit) return false
    return (Atomics.or(this.words, at, bit) & bit) === 0
  }
}

/** The index with the marks beside it. Packs that are absent count for nothing. */
export class MarkedIndex extends ChunkIndex {
  readonly marks: PruneMarks[]

  constructor(tables: readonly ChunkTablePlain[], marks: readonly PruneMarksPlain[]) {
    super(tables)
    this.marks = marks.map((plain) => new PruneMarks(plain))
  }

  /** Marks every place of a chunk. False: there is none with a chunk of this length. */
  reach(id: Uint8Array, at: number, lengthBytes: number): boolean {
    let found = false
    for (let number = 0; number < this.tables.length; number++) {
      const table = this.tables[number]!
      for (let entry = table.findLive(id, at); entry >= 0; entry = table.findLiveNext(id, at)) {
        if (table.lengthOf(entry) !== lengthBytes) continue
        this.marks[number]!.reach(entry)
        found = true
      }
    }
    return found
  }

  /** True for the first who wants to walk what this page or list names. */
  walk(id: Uint8Array): boolean {
    for (const [number, table] of this.tables.entries()) {
      const entry = table.findLive(id)
      if (entry >= 0) return this.marks[number]!.walk(entry)
    }
    return true
  }

  /** Places of the same chunk as this entry's that can be read, itself included. */
  *placesOf(number: number, entry: number): Generator<{ number: number; entry: number }> {
    const id = this.tables[number]!.ids.idOf(entry)
    const length = this.tables[number]!.lengthOf(entry)
    for (const [other, table] of this.tables.entries()) {
      for (let found = table.findLive(id); found >= 0; found = table.findLiveNext(id)) {
        if (table.lengthOf(found) === length) yield { number: other, entry: found }
      }
    }
  }

  /** Calls back for each segment of a pack that is not absent. */
  eachSegment(visit: (table: ChunkTable, number: number, segment: SegmentIn) => void): void {
    for (const [number, table] of this.tables.entries()) {
      for (const segment of table.allSegments()) {
        if (!table.packIsAbsent(segment.pack)) visit(table, number, segment)
      }
    }
  }
}

export interface SegmentIn {
  pack: number
  offset: number
  storedBytes: number
  rawBytes: number
  firstEntry: number
  chunks: number
}
