/**
 * Files and pieces of a window as rows of numbers. As objects, 100,000 files took 75 MB and kept the collector of their thread
 * busy, since each id was a view that held the page it was read from.
 */
import { type EntryMeta, readMeta, writeMeta } from '../../model/entry.ts'
import { ID_LENGTH } from '../../model/streams.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'

const FIRST_ROWS = 1024

/** The file has holes. */
export const HOLES = 1
/** Pieces of it lie in other windows too. */
export const SPLIT = 2
/** More than one job fills it, or it needs room for holes. */
export const SCATTERED = 4

/** Files have numbers that follow each other. */
export class FileRows {
  count = 0
  private base = 0
  private readonly metas = new ByteWriter(64 * 1024)
  private metaAt = new Uint32Array(FIRST_ROWS)
  private pieces = new Uint32Array(FIRST_ROWS)
  private flags = new Uint8Array(FIRST_ROWS)

  add(file: number, meta: EntryMeta, flags: number): void {
    if (this.count === 0) this.base = file
    const row = this.count++
    // One more, so that the end of the last meta has a place.
    if (row + 1 === this.flags.length) this.grow()
    this.metaAt[row] = this.metas.length
    writeMeta(this.metas, meta)
    this.metaAt[row + 1] = this.metas.length
    this.flags[row] = flags
  }

  private grow(): void {
    this.metaAt = larger(this.metaAt, new Uint32Array(this.metaAt.length * 2))
    this.pieces = larger(this.pieces, new Uint32Array(this.pieces.length * 2))
    this.flags = larger(this.flags, new Uint8Array(this.flags.length * 2))
  }

  rowOf(file: number): number {
    return file - this.base
  }

  fileOf(row: number): number {
    return row + this.base
  }

  mark(row: number, flag: number): void {
    this.flags[row] = this.flags[row]! | flag
  }

  has(row: number, flags: number): boolean {
    return (this.flags[row]! & flags) !== 0
  }

  /** How many it has now. */
  addPiece(row: number): number {
    const count = this.pieces[row]! + 1
    this.pieces[row] = count
    return count
  }

  meta(row: number): EntryMeta {
    return readMeta(new ByteReader(this.metas.view(), this.metaAt[row]!))
  }

  writeMeta(out: ByteWriter, row: number): void {
    const from = this.metaAt[row]!
    const to = this.metaAt[row + 1]!
    const at = out.reserve(to - from)
    this.metas.bytes.copy(out.bytes, at, from, to)
  }
}

export interface PieceRow {
  /** Row of its file. */
  file: number
  /** Number of its segment in the window. */
  segment: number
  /** In the raw segment. */
  offset: number
  length: number
  /** In the file. */
  position: number
}

export class PieceRows {
  count = 0
  files = new Uint32Array(FIRST_ROWS)
  segments = new Uint32Array(FIRST_ROWS)
  offsets = new Uint32Array(FIRST_ROWS)
  lengths = new Uint32Array(FIRST_ROWS)
  positions = new Float64Array(FIRST_ROWS)
  private readonly ids = new ByteWriter(FIRST_ROWS * ID_LENGTH)

  add({ file, segment, offset, length, position }: PieceRow, id: Uint8Array): void {
    const row = this.count++
    if (row === this.files.length) this.grow()
    this.files[row] = file
    this.segments[row] = segment
    this.offsets[row] = offset
    this.lengths[row] = length
    this.positions[row] = position
    this.ids.raw(id)
  }

  private grow(): void {
    const rows = this.files.length * 2
    this.files = larger(this.files, new Uint32Array(rows))
    this.segments = larger(this.segments, new Uint32Array(rows))
    this.offsets = larger(this.offsets, new Uint32Array(rows))
    this.lengths = larger(this.lengths, new Uint32Array(rows))
    this.positions = larger(this.positions, new Float64Array(rows))
  }

  writeId(out: ByteWriter, row: number): void {
    const at = out.reserve(ID_LENGTH)
    this.ids.bytes.copy(out.bytes, at, row * ID_LENGTH, (row + 1) * ID_LENGTH)
  }
}

function larger<T extends Uint8Array | Uint32Array | Float64Array>(rows: T, room: T): T {
  room.set(rows)
  return room
}
