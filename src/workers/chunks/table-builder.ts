/**
 * Makes tables of the chunk index out of the facts of packs as they come, so that whoever reads a large index need not hold all
 * fragments at once. Memory that an entry never takes is never touched, so room for too many costs hardly any.
 */
import type { PackFacts } from '../../model/fragment.ts'
import { decodeDirectory } from '../../model/pack.ts'
import { type ChunkTablePlain, ChunkTableWriter, PACK_COLUMNS, SEGMENT_COLUMNS } from './chunk-index.ts'
import { IdTable } from './id-table.ts'

const FIRST_NAMES = 1024
const BLOCK_ROWS = 16_384

export class TableBuilder {
  private readonly maxChunks: number
  private readonly done: ChunkTablePlain[] = []
  private known = IdTable.create(FIRST_NAMES)
  private table: OpenTable

  /** `maxChunks`: how many are expected at most. More make a further table. */
  constructor(maxChunks: number) {
    this.maxChunks = Math.max(1, maxChunks)
    this.table = new OpenTable(this.maxChunks)
  }

  /** A pack that came before is passed over: its name stands for its bytes. The directory must be sound. */
  add(pack: PackFacts): void {
    if (!this.isNew(pack.name)) return
    const directory = decodeDirectory(pack.directory)
    const chunks = directory.segments.reduce((sum, segment) => sum + segment.chunks, 0)
    const rows = Math.max(chunks, directory.segments.length)
    if (!this.table.hasRoom(rows)) {
      this.end()
      this.table = new OpenTable(Math.max(rows, Math.ceil(this.maxChunks / 4)))
    }
    this.table.add(pack, directory)
  }

  private isNew(name: Uint8Array): boolean {
    const outcome = this.known.claim(name)
    if (outcome !== 'full') return outcome === 'claimed'
    const larger = IdTable.create(this.known.capacity * 4)
    for (let entry = 0; entry < this.known.count; entry++) larger.claim(this.known.idOf(entry))
    this.known = larger
    return this.isNew(name)
  }

  private end(): void {
    if (this.table.packs.count > 0) this.done.push(this.table.finish())
  }

  finish(): ChunkTablePlain[] {
    this.end()
    return this.done
  }
}

/** Rows of numbers, of which nobody knows how many there will be. */
class Rows {
  private readonly columns: number
  private readonly blocks: Int32Array<ArrayBuffer>[] = []
  count = 0

  constructor(columns: number) {
    this.columns = columns
  }

  add(row: readonly number[]): void {
    const at = this.count++ % BLOCK_ROWS
    if (at === 0) this.blocks.push(new Int32Array(BLOCK_ROWS * this.columns))
    this.blocks.at(-1)!.set(row, at * this.columns)
  }

  /** All of them; the blocks are given back one by one, so that hardly more is held than the rows themselves. */
  take(): SharedArrayBuffer {
    const rows = new Int32Array(new SharedArrayBuffer(this.count * this.columns * 4))
    for (const [number, block] of this.blocks.entries()) {
      const from = number * BLOCK_ROWS * this.columns
      rows.set(block.subarray(0, rows.length - from), from)
      block.buffer.transfer(0)
    }
    return rows.buffer as SharedArrayBuffer
  }
}

class OpenTable {
  private readonly ids: ChunkTableWriter
  /** In their place from the start: copied at the end, 80 MB of ten million chunks stay with malloc. */
  private readonly segments: Int32Array<SharedArrayBuffer>
  private segmentCount = 0
  readonly packs = new Rows(PACK_COLUMNS)
  private readonly names = new Rows(8)

  constructor(maxChunks: number) {
    this.ids = new ChunkTableWriter(maxChunks)
    this.segments = new Int32Array(new SharedArrayBuffer(maxChunks * SEGMENT_COLUMNS * 4))
  }

  /** For so many chunks, in as many segments at most. */
  hasRoom(chunks: number): boolean {
    return this.ids.room >= chunks && this.segments.length >= (this.segmentCount + chunks) * SEGMENT_COLUMNS
  }

  add({ name, packBytes }: PackFacts, { kind, segments, chunkRows }: ReturnType<typeof decodeDirectory>): void {
    const number = this.packs.count
    this.packs.add([packBytes, 0, Number(kind === 'tree')])
    this.names.add(wordsOf(name))
    let at = 0
    for (const { offset, storedBytes, rawBytes, chunks } of segments) {
      at = this.ids.add(chunkRows, at, chunks, this.segmentCount)
      const row = this.segmentCount++ * SEGMENT_COLUMNS
      this.segments[row] = number
      this.segments[row + 1] = offset
      this.segments[row + 2] = storedBytes
      this.segments[row + 3] = rawBytes
    }
  }

  finish(): ChunkTablePlain {
    const [packs, packNames] = [this.packs.take(), this.names.take()]
    return { ids: this.ids.plain, segments: this.segments.buffer, segmentCount: this.segmentCount, packs, packNames }
  }
}

/** In the byte order of this machine: what is copied as numbers is read as bytes. */
function wordsOf(name: Uint8Array): number[] {
  return [...new Int32Array(new Uint8Array(name).buffer)]
}
