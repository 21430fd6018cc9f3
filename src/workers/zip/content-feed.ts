/**
 * The content of many entries in their order, as if it were one stream: a segment that many small ones share is fetched and
 * opened once, and what comes next is on its way.
 */
import { streamBytes } from '../../model/streams.ts'
import { type PlacedSlice, type Slice, slices, slicesAhead } from '../browse/content-pieces.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import type { SegmentWindows } from '../segments/segment-windows.ts'
import type { ZipItem } from './zip-items.ts'

/** Whole items of a batch; a longer one comes in pieces. */
const BATCH_BYTES = 4 * 1024 * 1024
/** Few, so that what they leave behind is collected while it is young. */
const BATCH_ITEMS = 250
const PIECE_BYTES = 256 * 1024
const AHEAD = { windows: 3, slices: 1000 }

/** One piece of whole items; what is longer than a batch comes in several, that belong to whoever takes them. */
export interface ContentPart {
  readonly item: ZipItem
  readonly bytes: Buffer
  readonly isFirst: boolean
  readonly isLast: boolean
}

export class ContentFeed {
  private readonly items: AsyncIterator<ZipItem>
  private readonly reader: ChunkReader
  private readonly slices: AsyncGenerator<PlacedSlice>
  /** Whose slices have been looked for and not all been taken. */
  private readonly queue: ZipItem[] = []
  /** Of the slice that was taken last. */
  private found: Uint8Array | undefined
  private slice: PlacedSlice | undefined
  private taken = 0
  /** One buffer for all batches. */
  private readonly batch = Buffer.from(new ArrayBuffer(BATCH_BYTES))

  constructor(items: AsyncIterable<ZipItem>, reader: ChunkReader, windows: SegmentWindows) {
    this.items = items[Symbol.asyncIterator]()
    this.reader = reader
    this.slices = slicesAhead(windows, this.allSlices(), AHEAD)
  }

  private async *allSlices(): AsyncGenerator<Slice> {
    for (let next = await this.items.next(); !next.done; next = await this.items.next()) {
      const item = next.value
      this.queue.push(item)
      if (item.stream) yield* slices(this.reader, item.stream, 0, streamBytes(item.stream))
    }
  }

  /** Whole items are to be used before the next are asked for: then their bytes are others. */
  async *parts(): AsyncGenerator<readonly ContentPart[], void, undefined> {
    let batch: ContentPart[] = []
    let filled = 0
    try {
      for (let item = await this.next(); item; item = await this.next()) {
        const bytes = item.stream ? streamBytes(item.stream) : 0
        if (batch.length === BATCH_ITEMS || filled + bytes > BATCH_BYTES) {
          yield batch
          batch = []
          filled = 0
        }
        if (bytes > BATCH_BYTES) yield* this.long(item, bytes)
        else {
          const mine = this.batch.subarray(filled, filled + bytes)
          await this.fill(mine, item)
          filled += bytes
          batch.push({ item, bytes: mine, isFirst: true, isLast: true })
        }
      }
      yield batch
    } finally {
      await this.slices.return(undefined)
    }
  }

  private async next(): Promise<ZipItem | undefined> {
    // The search for the next slice brings the items up to it.
    if (this.queue.length === 0) await this.nextSlice()
    return this.queue.shift()
  }

  private async *long(item: ZipItem, bytes: number): AsyncGenerator<readonly ContentPart[]> {
    for (let start = 0; start < bytes; start += PIECE_BYTES) {
      const piece = Buffer.from(new ArrayBuffer(Math.min(PIECE_BYTES, bytes - start)))
      await this.fill(piece, item)
      yield [{ item, bytes: piece, isFirst: start === 0, isLast: start + piece.length === bytes }]
    }
  }

  private async fill(out: Buffer, item: ZipItem): Promise<void> {
    for (let filled = 0; filled < out.length; ) {
      if (!this.slice) await this.nextSlice()
      const { from, bytes } = this.slice!
      const count = Math.min(out.length - filled, bytes - this.taken)
      const start = from + this.taken
      if (this.found) out.set(this.found.subarray(start, start + count), filled)
      else {
        item.hasHoles = true
        out.fill(0, filled, filled + count)
      }
      filled += count
      this.taken += count
      if (this.taken === bytes) this.slice = undefined
    }
  }

  /** Does nothing while there is one. */
  private async nextSlice(): Promise<void> {
    if (this.slice) return
    const { value } = await this.slices.next()
    this.slice = value || undefined
    this.found = this.slice?.chunk && (await this.slice.chunk())
    this.taken = 0
  }
}
