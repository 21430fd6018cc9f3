/** The bytes of one stored stream, or of a range of it, as pieces that own their buffers. */
import { BackupError } from '../errors.ts'
import { type ChunkRef, type StreamRefs, streamBytes } from '../model/streams.ts'
import { type ChunkReader, corruptRecord } from './chunk-reader.ts'

const PIECE_BYTES = 512 * 1024
/** Content whose segments are fetched before they are needed. */
const AHEAD_BYTES = 4 * 1024 * 1024
/** Fewer than the reader keeps, so that none is dropped before its turn. */
const AHEAD_SEGMENTS = 4

/** A part of one chunk, or of a hole. */
interface Slice {
  ref: ChunkRef
  /** First byte taken, within the chunk. */
  from: number
  bytes: number
  /** Of the segment that is on its way. */
  segment: number | undefined
}

/** Bytes [start, end) of a stream, in pieces of one size but for the last. Every chunk is checked; holes are zeros. */
export async function* contentPieces(
  reader: ChunkReader,
  stream: StreamRefs,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let left = end - start
  let piece = newPiece(left)
  let filled = 0
  for await (const { ref, from, bytes } of slicesAhead(reader, slices(reader, stream, start, end))) {
    const chunk = ref.id && (await reader.chunk(ref.id, ref.chunkBytes))
    for (let done = 0; done < bytes; ) {
      const count = Math.min(piece.length - filled, bytes - done)
      if (chunk) piece.set(chunk.subarray(from + done, from + done + count), filled)
      filled += count
      done += count
      if (filled < piece.length) continue
      left -= filled
      yield piece
      piece = newPiece(left)
      filled = 0
    }
  }
  if (left > 0) throw new BackupError('INTERNAL', `${left} bytes of a stream were not found`, { origin: 'repository' })
}

function newPiece(left: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Math.min(PIECE_BYTES, left))
}

/** The same slices, with the segments of those to come under way. */
async function* slicesAhead(reader: ChunkReader, all: AsyncGenerator<Slice>): AsyncGenerator<Slice> {
  const queue: Slice[] = []
  let ended = false
  for (;;) {
    while (!ended && !isFarAhead(queue)) {
      const { value, done } = await all.next()
      if (done) ended = true
      else queue.push({ ...value, segment: value.ref.id && reader.prefetch(value.ref.id) })
    }
    const next = queue.shift()
    if (!next) return
    yield next
  }
}

function isFarAhead(queue: readonly Slice[]): boolean {
  let bytes = 0
  const segments = new Set<number>()
  for (const slice of queue) {
    bytes += slice.segment === undefined ? 0 : slice.bytes
    if (slice.segment !== undefined) segments.add(slice.segment)
  }
  return bytes >= AHEAD_BYTES || segments.size >= AHEAD_SEGMENTS || queue.length >= MAX_QUEUE
}
const MAX_QUEUE = 64

/** What of each chunk lies in the range. Lists that lie outside it are not fetched. */
function slices(reader: ChunkReader, stream: StreamRefs, start: number, end: number): AsyncGenerator<Slice> {
  return walk(reader, stream.refs, stream.level, 0, start, Math.min(end, streamBytes(stream)))
}

async function* walk(
  reader: ChunkReader,
  refs: readonly ChunkRef[],
  level: number,
  position: number,
  start: number,
  end: number,
): AsyncGenerator<Slice> {
  let at = position
  for (const ref of refs) {
    if (at >= end) return
    const next = at + ref.sizeBytes
    if (next > start) {
      if (ref.id && level > 0) yield* walk(reader, await openList(reader, ref, level - 1), level - 1, at, start, end)
      else yield slice(ref, Math.max(0, start - at), Math.min(next, end) - at)
    }
    at = next
  }
}

function slice(ref: ChunkRef, from: number, to: number): Slice {
  return { ref, from, bytes: to - from, segment: undefined }
}

async function openList(reader: ChunkReader, ref: ChunkRef, level: number): Promise<ChunkRef[]> {
  const refs = await reader.list(ref, level)
  const bytes = refs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (bytes !== ref.sizeBytes) throw corruptRecord('chunk list', new Error('it stands for another number of bytes'))
  return refs
}
