/**
 * Work for one range of one pack, as bytes that the main thread passes on without looking inside: which segments to
 * open, which files are whole in them, which pieces belong to files that other ranges help to fill.
 */
import { type EntryMeta, readMeta } from '../../model/entry.ts'
import { ID_LENGTH } from '../../model/streams.ts'
import { ByteReader, type ByteWriter } from '../../util/bytes.ts'

/** A chunk's place in a segment of the job and in its file. */
export interface Piece {
  segment: number
  offset: number
  length: number
  position: number
  id: Uint8Array
}

export interface JobSegment {
  /** In the range. */
  at: number
  storedBytes: number
  rawBytes: number
}

export interface WholeFile {
  meta: EntryMeta
  pieces: Piece[]
}

export interface PartOfFile {
  file: number
  /** The file has holes: zeros that fill a block are left out. */
  sparse: boolean
  pieces: Piece[]
}

export interface JobBody {
  segments: JobSegment[]
  whole: WholeFile[]
  parts: PartOfFile[]
}

export interface RestoreJob {
  pack: string
  start: number
  end: number
  body: Uint8Array<ArrayBuffer>
  wholeFiles: number
  wholeBytes: number
  /** Files of which this job holds a part. */
  parts: number[]
  partBytes: number
}

/** The layout: all segments, all whole files, all parts, each list with its length in front. See `decodeJobBody`. */
export function writeJobSegment(out: ByteWriter, { at, storedBytes, rawBytes }: JobSegment): void {
  out.varint(at)
  out.varint(storedBytes)
  out.varint(rawBytes)
}

/** All of it but the id, which comes right behind. */
export function writeJobPiece(out: ByteWriter, piece: Omit<Piece, 'id'>): void {
  out.varint(piece.segment)
  out.varint(piece.offset)
  out.varint(piece.length)
  out.varint(piece.position)
}

export function decodeJobBody(bytes: Uint8Array): JobBody {
  const input = new ByteReader(bytes)
  const segments = times(input, () => ({ at: input.varint(), storedBytes: input.varint(), rawBytes: input.varint() }))
  const whole = times(input, () => ({ meta: readMeta(input), pieces: readPieces(input) }))
  const parts = times(input, () => ({
    file: input.varint(),
    sparse: input.u8() === 1,
    pieces: readPieces(input),
  }))
  return { segments, whole, parts }
}

function readPieces(input: ByteReader): Piece[] {
  return times(input, () => ({
    segment: input.varint(),
    offset: input.varint(),
    length: input.varint(),
    position: input.varint(),
    id: input.raw(ID_LENGTH),
  }))
}

function times<T>(input: ByteReader, read: () => T): T[] {
  const count = input.varint()
  const list: T[] = []
  for (let i = 0; i < count; i++) list.push(read())
  return list
}
