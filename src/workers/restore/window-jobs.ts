/** The jobs of a window: what each range of a pack holds of which file, as the bytes that a worker gets. */
import { ByteWriter } from '../../util/bytes.ts'
import type { Location } from '../chunks/chunk-index.ts'
import { type RestoreJob, writeJobPiece, writeJobSegment } from './job.ts'
import { type FileRows, HOLES, type PieceRows, SCATTERED, SPLIT } from './window-rows.ts'

/** Segments of one pack, in the order they lie. */
export type SegmentRange = readonly { readonly number: number; readonly location: Location }[]

const NONE = -1

export class WindowJobs {
  private readonly files: FileRows
  private readonly pieces: PieceRows
  private readonly ranges: readonly SegmentRange[]
  /** Of each segment: the range it is in, and which one it is there. */
  private readonly rangeOf: Uint32Array
  private readonly placeIn: Uint32Array
  /** Pieces by range, then segment, then as they came; and where those of each range begin. */
  private readonly order: Uint32Array
  private readonly starts: Uint32Array
  /** Of each piece: the next one of its file in the same range. Of each file: its first and last one there. */
  private readonly next: Int32Array
  private readonly first: Int32Array
  private readonly last: Int32Array

  constructor(files: FileRows, pieces: PieceRows, segments: number, ranges: readonly SegmentRange[]) {
    this.files = files
    this.pieces = pieces
    this.ranges = ranges
    this.rangeOf = new Uint32Array(segments)
    this.placeIn = new Uint32Array(segments)
    this.order = new Uint32Array(pieces.count)
    this.starts = new Uint32Array(ranges.length + 1)
    this.next = new Int32Array(pieces.count)
    this.first = new Int32Array(files.count).fill(NONE)
    this.last = new Int32Array(files.count)
    this.sort(segments)
    this.scatter()
  }

  private sort(segments: number): void {
    const { pieces, ranges, starts, order } = this
    const ends = new Uint32Array(segments)
    for (let row = 0; row < pieces.count; row++) ends[pieces.segments[row]!]!++
    let at = 0
    for (const [range, needs] of ranges.entries()) {
      starts[range] = at
      for (const [place, { number }] of needs.entries()) {
        this.rangeOf[number] = range
        this.placeIn[number] = place
        const count = ends[number]!
        ends[number] = at
        at += count
      }
    }
    starts[ranges.length] = at
    for (let row = 0; row < pieces.count; row++) order[ends[pieces.segments[row]!]!++] = row
  }

  /** Marks files that more than one job fills, or that need room for holes. */
  private scatter(): void {
    const { files, pieces, rangeOf } = this
    const seen = new Int32Array(files.count).fill(NONE)
    for (let row = 0; row < pieces.count; row++) {
      const file = pieces.files[row]!
      const range = rangeOf[pieces.segments[row]!]!
      if (seen[file] !== NONE && seen[file] !== range) files.mark(file, SCATTERED)
      seen[file] = range
    }
    for (let file = 0; file < files.count; file++) if (files.has(file, HOLES | SPLIT)) files.mark(file, SCATTERED)
  }

  all(): RestoreJob[] {
    return this.ranges.map((range, number) => this.job(range, number))
  }

  private job(range: SegmentRange, number: number): RestoreJob {
    const { segmentOffset: start } = range[0]!.location
    const { pack, segmentOffset, storedBytes } = range.at(-1)!.location
    const touched = this.chain(number)
    const whole = touched.filter((file) => !this.files.has(file, SCATTERED))
    const parts = touched.filter((file) => this.files.has(file, SCATTERED))
    const out = new ByteWriter(16 * 1024)
    out.varint(range.length)
    for (const { location } of range) writeJobSegment(out, { ...location, at: location.segmentOffset - start })
    const wholeBytes = this.writeWhole(out, whole)
    const partBytes = this.writeParts(out, parts)
    for (const file of touched) this.first[file] = NONE
    return {
      pack,
      start,
      end: segmentOffset + storedBytes,
      body: out.copy(),
      wholeFiles: whole.length,
      wholeBytes,
      parts: parts.map((file) => this.files.fileOf(file)),
      partBytes,
    }
  }

  /** Links the pieces of each file in this range. Gives the files, in the order of their first ones. */
  private chain(range: number): number[] {
    const { order, starts, pieces, next, first, last } = this
    const touched: number[] = []
    for (let at = starts[range]!; at < starts[range + 1]!; at++) {
      const piece = order[at]!
      const file = pieces.files[piece]!
      next[piece] = NONE
      if (first[file] === NONE) {
        first[file] = piece
        touched.push(file)
      } else next[last[file]!] = piece
      last[file] = piece
    }
    return touched
  }

  private piecesOf(file: number): number[] {
    const found: number[] = []
    for (let piece = this.first[file]!; piece !== NONE; piece = this.next[piece]!) found.push(piece)
    return found
  }

  private writeWhole(out: ByteWriter, files: readonly number[]): number {
    let bytes = 0
    out.varint(files.length)
    for (const file of files) {
      this.files.writeMeta(out, file)
      // In the file's order, as they came.
      bytes += this.writePieces(out, this.piecesOf(file).sort(ascending))
    }
    return bytes
  }

  private writeParts(out: ByteWriter, files: readonly number[]): number {
    let bytes = 0
    out.varint(files.length)
    for (const file of files) {
      out.varint(this.files.fileOf(file))
      out.u8(this.files.has(file, HOLES) ? 1 : 0)
      bytes += this.writePieces(out, this.piecesOf(file))
    }
    return bytes
  }

  private writePieces(out: ByteWriter, rows: readonly number[]): number {
    const { pieces, placeIn } = this
    let bytes = 0
    out.varint(rows.length)
    for (const row of rows) {
      const length = pieces.lengths[row]!
      const segment = placeIn[pieces.segments[row]!]!
      writeJobPiece(out, { segment, offset: pieces.offsets[row]!, length, position: pieces.positions[row]! })
      pieces.writeId(out, row)
      bytes += length
    }
    return bytes
  }
}

function ascending(a: number, b: number): number {
  return a - b
}
