/** What a prune knows of each place in the index: a few bits a chunk, in memory that all threads share. */
import { ChunkIndex, type ChunkTable, type ChunkTablePlain } from '../chunks/chunk-index.ts'

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

  /** Whether this holds for every place of the entry's chunk that can be read, itself included. */
  everyPlace(number: number, entry: number, holds: PlaceTest): boolean {
    const table = this.tables[number]!
    const length = table.lengthOf(entry)
    for (let other = 0; other < this.tables.length; other++) {
      const places = this.tables[other]!
      const { ids } = places
      for (let found = ids.findLike(table.ids, entry); found >= 0; found = ids.findNextLike(table.ids, entry)) {
        const counts = places.lengthOf(found) === length && !places.packIsAbsent(places.packNumber(found))
        if (counts && !holds(other, found, number, entry)) return false
      }
    }
    return true
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

/** Of a place, and of the one whose chunk it is a place of. */
export type PlaceTest = (number: number, entry: number, ofNumber: number, ofEntry: number) => boolean

export interface SegmentIn {
  pack: number
  offset: number
  storedBytes: number
  rawBytes: number
  firstEntry: number
  chunks: number
}
