/**
 * References to content. A stream is a list of references; up to INLINE_REFS stand in the entry itself, more become list
 * chunks in levels, so that a stream of any length has a short root.
 *
 *   streams = varint count, then each: name, varint level, varint refs, refs
 *   ref     = varint (content bytes * 2 + hole), then unless a hole: 32 bytes id, and where level > 0 varint chunk bytes
 *   list    = u8 3, u8 version, u8 level of its refs, varint refs, refs          (a chunk of its own)
 */
import { ByteReader, ByteWriter, MalformedBytes } from '../util/bytes.ts'

export const ID_LENGTH = 32
/** Longest list that stands in the entry itself. */
export const INLINE_REFS = 64
const LIST_KIND = 3
const LIST_VERSION = 1
export const MAX_LIST_REFS = 4096
export const MAX_LEVEL = 8
export const MAX_STREAMS = 256
const MAX_NAME_BYTES = 256
/** Largest chunk of any profile, list or page. Checked before anything is allocated. */
export const MAX_CHUNK_BYTES = 8 * 1024 * 1024

export interface ChunkRef {
  /** Absent: a hole, a run of zeros that is not stored. */
  id?: Uint8Array | undefined
  /** Bytes of content that it stands for. */
  sizeBytes: number
  /** Length of the chunk itself: the same as sizeBytes at level 0, the list's own length above. */
  chunkBytes: number
}

export interface StreamRefs {
  /** '' is the main stream. */
  name: string
  /** 0: refs are content; n: refs are lists of level n - 1. */
  level: number
  refs: ChunkRef[]
}

export function writeRef(out: ByteWriter, ref: ChunkRef, level: number): void {
  out.varint(ref.sizeBytes * 2 + (ref.id ? 0 : 1))
  if (!ref.id) return
  out.raw(ref.id)
  if (level > 0) out.varint(ref.chunkBytes)
}

export function readRef(input: ByteReader, level: number): ChunkRef {
  const packed = input.varint()
  const sizeBytes = Math.floor(packed / 2)
  if (packed % 2 === 1) return { sizeBytes, chunkBytes: 0 }
  const id = input.raw(ID_LENGTH)
  const chunkBytes = level > 0 ? input.varint() : sizeBytes
  if (chunkBytes > MAX_CHUNK_BYTES) throw new MalformedBytes('chunk too long')
  return { id, sizeBytes, chunkBytes }
}

export function writeStreams(out: ByteWriter, streams: readonly StreamRefs[]): void {
  out.varint(streams.length)
  for (const { name, level, refs } of streams) {
    out.latin1(name)
    out.varint(level)
    out.varint(refs.length)
    for (const ref of refs) writeRef(out, ref, level)
  }
}

export function readStreams(input: ByteReader): StreamRefs[] {
  const count = input.varint()
  if (count > MAX_STREAMS) throw new MalformedBytes('too many streams')
  const streams: StreamRefs[] = []
  for (let i = 0; i < count; i++) {
    const name = input.latin1(MAX_NAME_BYTES)
    const level = input.varint()
    if (level > MAX_LEVEL) throw new MalformedBytes('list too deep')
    streams.push({ name, level, refs: readRefs(input, level, INLINE_REFS) })
  }
  return streams
}

function readRefs(input: ByteReader, level: number, limit: number): ChunkRef[] {
  const count = input.varint()
  if (count > limit) throw new MalformedBytes('too many references')
  const refs: ChunkRef[] = []
  for (let i = 0; i < count; i++) refs.push(readRef(input, level))
  return refs
}

export function encodeList(refs: readonly ChunkRef[], level: number): ByteWriter {
  const out = new ByteWriter(refs.length * 40 + 16)
  out.u8(LIST_KIND)
  out.u8(LIST_VERSION)
  out.u8(level)
  out.varint(refs.length)
  for (const ref of refs) writeRef(out, ref, level)
  return out
}

/** Refs of a list chunk; `level` is that of its refs, and must be what the parent said. */
export function decodeList(bytes: Uint8Array, level: number): ChunkRef[] {
  const input = new ByteReader(bytes)
  if (input.u8() !== LIST_KIND || input.u8() !== LIST_VERSION) throw new MalformedBytes('not a chunk list')
  if (input.u8() !== level) throw new MalformedBytes('a chunk list of another level')
  const refs = readRefs(input, level, MAX_LIST_REFS)
  if (!input.atEnd) throw new MalformedBytes('bytes after the list')
  return refs
}

export function streamBytes(stream: StreamRefs): number {
  let total = 0
  for (const ref of stream.refs) total += ref.sizeBytes
  return total
}
