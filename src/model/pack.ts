/**
 * Packs: the unit of upload.
 *
 *   pack      = header, segments (boxes), directory (a box of class index), footer
 *   header    = 'HFPK', u8 version, 3 bytes 0, 32 random bytes (so that no name ever comes back)
 *   footer    = sections of u32 type, u32 offset, u32 bytes; then u32 count, u32 footer bytes, 'HFPE'
 *   directory = u8 version, u8 kind, u16 0, u32 segments,
 *               each segment: u32 offset, u32 stored bytes, u32 raw bytes, u32 chunks;
 *               then each chunk of each segment in order: 32 bytes id, u32 bytes
 *
 * Chunks lie one behind the other in their segment, so their offsets follow from their lengths.
 */
import { MalformedBytes } from '../util/bytes.ts'
import { ID_LENGTH, MAX_CHUNK_BYTES } from './streams.ts'

const HEADER_MAGIC = 0x4b504648
const FOOTER_MAGIC = 0x45504648
const VERSION = 1
const DIRECTORY_VERSION = 1
const SECTION_DIRECTORY = 1
const SECTION_BYTES = 12
const TRAILER_BYTES = 12
export const PACK_RANDOM_BYTES = 32
export const PACK_HEADER_BYTES = 8 + PACK_RANDOM_BYTES
export const FOOTER_BYTES = SECTION_BYTES + TRAILER_BYTES
/** A pack is closed before it grows past this. Twice as much cost a backup 30 MB more memory and gained nothing. */
export const PACK_BYTES = 8 * 1024 * 1024
/** On far targets, which charge for requests and answer late. Targets are told to expect up to 18 MiB. */
export const REMOTE_PACK_BYTES = 17 * 1024 * 1024
export function packBytesFor({ traits }: { traits: { remote?: boolean } }): number {
  return traits.remote ? REMOTE_PACK_BYTES : PACK_BYTES
}
/** Largest pack a reader accepts. */
export const MAX_PACK_BYTES = 64 * 1024 * 1024
export const SEGMENT_BYTES = 1024 * 1024
export const MAX_SEGMENT_RAW_BYTES = MAX_CHUNK_BYTES + SEGMENT_BYTES
const SEGMENT_ROW_BYTES = 16
export const CHUNK_ROW_BYTES = ID_LENGTH + 4
const DIRECTORY_HEAD_BYTES = 8
export const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024

export type PackKind = 'content' | 'tree'

export interface SegmentRow {
  offset: number
  storedBytes: number
  rawBytes: number
  chunks: number
}

export interface PackDirectory {
  kind: PackKind
  segments: SegmentRow[]
  /** CHUNK_ROW_BYTES each, for all segments in order. */
  chunkRows: Buffer
}

export function writePackHeader(pack: Uint8Array, random: Uint8Array): void {
  const view = new DataView(pack.buffer, pack.byteOffset)
  view.setUint32(0, HEADER_MAGIC, true)
  view.setUint32(4, VERSION, true)
  pack.set(random, 8)
}

export function isPackHeader(pack: Uint8Array): boolean {
  if (pack.length < PACK_HEADER_BYTES) return false
  const view = new DataView(pack.buffer, pack.byteOffset)
  return view.getUint32(0, true) === HEADER_MAGIC && view.getUint32(4, true) === VERSION
}

export function writeFooter(pack: Uint8Array, at: number, directoryOffset: number, directoryBytes: number): void {
  const view = new DataView(pack.buffer, pack.byteOffset + at, FOOTER_BYTES)
  view.setUint32(0, SECTION_DIRECTORY, true)
  view.setUint32(4, directoryOffset, true)
  view.setUint32(8, directoryBytes, true)
  view.setUint32(12, 1, true)
  view.setUint32(16, FOOTER_BYTES, true)
  view.setUint32(20, FOOTER_MAGIC, true)
}

/** Where a whole pack's directory box lies. */
export function readFooter(pack: Uint8Array): { offset: number; bytes: number } {
  if (!isPackHeader(pack) || pack.length < PACK_HEADER_BYTES + FOOTER_BYTES) throw new MalformedBytes('not a pack')
  return findDirectory(pack, pack.length)
}

/** The same from the last bytes of a pack alone, at least its footer. */
export function findDirectory(tail: Uint8Array, packBytes: number): { offset: number; bytes: number } {
  if (tail.length < FOOTER_BYTES) throw new MalformedBytes('not a pack')
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length)
  const end = tail.length
  if (view.getUint32(end - 4, true) !== FOOTER_MAGIC) throw new MalformedBytes('no footer')
  const count = view.getUint32(end - 12, true)
  const footerBytes = view.getUint32(end - 8, true)
  if (count > 64 || footerBytes !== count * SECTION_BYTES + TRAILER_BYTES || footerBytes > end) {
    throw new MalformedBytes('footer out of range')
  }
  for (let at = end - footerBytes; at < end - TRAILER_BYTES; at += SECTION_BYTES) {
    if (view.getUint32(at, true) !== SECTION_DIRECTORY) continue
    const offset = view.getUint32(at + 4, true)
    const bytes = view.getUint32(at + 8, true)
    if (offset < PACK_HEADER_BYTES || offset + bytes > packBytes - footerBytes)
      throw new MalformedBytes('directory out of range')
    return { offset, bytes }
  }
  throw new MalformedBytes('no directory')
}

export function directoryBytes(segments: number, chunks: number): number {
  return DIRECTORY_HEAD_BYTES + segments * SEGMENT_ROW_BYTES + chunks * CHUNK_ROW_BYTES
}

export function encodeDirectory(directory: PackDirectory): Uint8Array<ArrayBuffer> {
  const { segments, chunkRows } = directory
  const bytes = Buffer.from(new ArrayBuffer(directoryBytes(segments.length, chunkRows.length / CHUNK_ROW_BYTES)))
  bytes[0] = DIRECTORY_VERSION
  bytes[1] = directory.kind === 'tree' ? 1 : 0
  bytes.writeUInt32LE(segments.length, 4)
  let at = DIRECTORY_HEAD_BYTES
  for (const row of segments) {
    bytes.writeUInt32LE(row.offset, at)
    bytes.writeUInt32LE(row.storedBytes, at + 4)
    bytes.writeUInt32LE(row.rawBytes, at + 8)
    bytes.writeUInt32LE(row.chunks, at + 12)
    at += SEGMENT_ROW_BYTES
  }
  bytes.set(chunkRows, at)
  return bytes
}

export function decodeDirectory(input: Uint8Array): PackDirectory {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
  if (bytes.length < DIRECTORY_HEAD_BYTES || bytes[0] !== DIRECTORY_VERSION) throw new MalformedBytes('not a directory')
  const count = bytes.readUInt32LE(4)
  const rowsAt = DIRECTORY_HEAD_BYTES + count * SEGMENT_ROW_BYTES
  if (rowsAt > bytes.length) throw new MalformedBytes('directory cut short')
  const segments: SegmentRow[] = []
  let chunks = 0
  for (let at = DIRECTORY_HEAD_BYTES; at < rowsAt; at += SEGMENT_ROW_BYTES) {
    const row = readRow(bytes, at)
    chunks += row.chunks
    segments.push(row)
  }
  if (rowsAt + chunks * CHUNK_ROW_BYTES !== bytes.length) throw new MalformedBytes('directory of another length')
  const directory: PackDirectory = {
    kind: bytes[1] === 1 ? 'tree' : 'content',
    segments,
    chunkRows: bytes.subarray(rowsAt),
  }
  checkLengths(directory)
  return directory
}

function readRow(bytes: Buffer, at: number): SegmentRow {
  const row = {
    offset: bytes.readUInt32LE(at),
    storedBytes: bytes.readUInt32LE(at + 4),
    rawBytes: bytes.readUInt32LE(at + 8),
    chunks: bytes.readUInt32LE(at + 12),
  }
  if (
    row.rawBytes > MAX_SEGMENT_RAW_BYTES ||
    row.offset + row.storedBytes > MAX_PACK_BYTES ||
    row.chunks > row.rawBytes + 1
  ) {
    throw new MalformedBytes('segment out of range')
  }
  return row
}

/** The chunks of a segment fill it exactly. */
function checkLengths({ segments, chunkRows }: PackDirectory): void {
  let at = ID_LENGTH
  for (const row of segments) {
    let total = 0
    for (let i = 0; i < row.chunks; i++, at += CHUNK_ROW_BYTES) total += chunkRows.readUInt32LE(at)
    if (total !== row.rawBytes) throw new MalformedBytes('chunks do not fill their segment')
  }
}
