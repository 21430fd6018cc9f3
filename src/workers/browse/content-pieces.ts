/** The bytes of one stored stream, or of a range of it, as pieces that own their buffers. */
import { BackupError } from '../../errors.ts'
import { type ChunkRef, type StreamRefs, streamBytes } from '../../model/streams.ts'
import { type ChunkReader, corruptRecord } from '../chunks/chunk-reader.ts'
import type { SegmentWindows } from '../segments/segment-windows.ts'

const PIECE_BYTES = 512 * 1024
/** One that is read and those on their way, so that a target far away is asked for several ranges at once. */
const WINDOWS = 4
/** Bounds what small chunks, and holes, take while they wait. */
const MAX_WINDOW_SLICES = 4096

/** A part of one chunk, or of a hole. */
export interface Slice {
  ref: ChunkRef
  /** First byte taken, within the chunk. */
  from: number
  bytes: number
}

/** One whose bytes are on their way; undefined for a hole. */
export interface PlacedSlice extends Slice {
  chunk: (() => Promise<Uint8Array>) | undefined
}

interface Window {
  slices: PlacedSlice[]
  close(): void
}

/** Bytes [start, end) of a stream, in pieces of one size but for the last. Every chunk is checked; holes are zeros. */
export async function* contentPieces(
  reader: Pick<ChunkReader, 'list'>,
  windows: Pick<SegmentWindows, 'open'>,
  stream: StreamRefs,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let left = end - start
  let piece = newPiece(left)
  let filled = 0
  for await (const { chunk, from, bytes } of slicesAhead(windows, slices(reader, stream, start, end))) {
    const found = chunk && (await chunk())
    for (let done = 0; done < bytes; ) {
      const count = Math.min(piece.length - filled, bytes - done)
      if (found) piece.set(found.subarray(from + done, from + done + count), filled)
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

export interface AheadLimits {
  windows: number
  /** Of a window. */
  slices: number
}

/** The same slices, with the segments of those to come under way. */
export async function* slicesAhead(
  windows: Pick<SegmentWindows, 'open'>,
  all: AsyncGenerator<Slice>,
  limits: AheadLimits = { windows: WINDOWS, slices: MAX_WINDOW_SLICES },
): AsyncGenerator<PlacedSlice> {
  const gather = new Gather(windows, all, limits.slices)
  const ahead: Window[] = []
  try {
    for (;;) {
      for (let more = true; more && ahead.length < limits.windows; ) {
        const window = await gather.next()
        if (window) ahead.push(window)
        else more = false
      }
      const current = ahead[0]
      if (!current) return
      yield* current.slices
      ahead.shift()!.close()
    }
  } finally {
    for (const window of ahead) window.close()
  }
}

/** Fills one window after the other, and has its segments fetched. */
class Gather {
  private readonly windows: Pick<SegmentWindows, 'open'>
  private readonly all: AsyncGenerator<Slice>
  private readonly maxSlices: number
  /** Did not fit into the window before. */
  private waiting: Slice | undefined

  constructor(windows: Pick<SegmentWindows, 'open'>, all: AsyncGenerator<Slice>, maxSlices: number) {
    this.windows = windows
    this.all = all
    this.maxSlices = maxSlices
  }

  async next(): Promise<Window | undefined> {
    const first = await this.take()
    if (!first) return undefined
    const window = this.windows.open()
    const slices: PlacedSlice[] = []
    for (let slice: Slice | undefined = first; slice; slice = await this.take()) {
      const chunk = slice.ref.id && window.add(slice.ref)
      if ((slice.ref.id && !chunk) || slices.length === this.maxSlices) {
        this.waiting = slice
        break
      }
      slices.push({ ...slice, chunk })
    }
    window.fetch()
    return { slices, close: () => window.close() }
  }

  private async take(): Promise<Slice | undefined> {
    const waiting = this.waiting
    this.waiting = undefined
    if (waiting) return waiting
    const { value, done } = await this.all.next()
    return done ? undefined : value
  }
}

/** What of each chunk lies in the range. Lists that lie outside it are not fetched. */
export function slices(
  reader: Pick<ChunkReader, 'list'>,
  stream: StreamRefs,
  start: number,
  end: number,
): AsyncGenerator<Slice> {
  return walk(reader, stream.refs, stream.level, 0, start, Math.min(end, streamBytes(stream)))
}

async function* walk(
  reader: Pick<ChunkReader, 'list'>,
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
  return { ref, from, bytes: to - from }
}

async function openList(reader: Pick<ChunkReader, 'list'>, ref: ChunkRef, level: number): Promise<ChunkRef[]> {
  const refs = await reader.list(ref, level)
  const bytes = refs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (bytes !== ref.sizeBytes) throw corruptRecord('chunk list', new Error('it stands for another number of bytes'))
  return refs
}
