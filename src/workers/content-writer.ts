/** Bytes of one stream in, chunk references out: cuts, skips what is known, marks holes. Memory is one window. */
import { Chunker } from '../chunking/chunker.ts'
import { ID_HEADROOM } from '../crypto/chunk-id.ts'
import type { StreamRefs } from '../model/streams.ts'
import { type ChunkSink, ListBuilder } from './list-builder.ts'
import type { Vault } from './vault.ts'

/** Shortest run of zeros that is worth a hole. */
const MIN_HOLE_BYTES = 64 * 1024
const WINDOW_CHUNKS = 3

export class ContentWriter {
  /** Free space begins at `filled`; callers write there and say how much with `advance`. */
  readonly window: Buffer<ArrayBuffer>
  filled = ID_HEADROOM
  private start = ID_HEADROOM
  private readonly store: ChunkSink
  private readonly chunker: Chunker
  readonly minBytes: number
  private readonly zeros: Buffer
  private list: ListBuilder

  constructor({ profile, gear }: Pick<Vault, 'profile' | 'gear'>, store: ChunkSink) {
    this.store = store
    this.chunker = new Chunker(profile, gear)
    this.minBytes = profile.minBytes
    this.window = Buffer.from(new ArrayBuffer(ID_HEADROOM + WINDOW_CHUNKS * profile.maxBytes))
    this.zeros = Buffer.alloc(profile.maxBytes)
    this.list = new ListBuilder(store)
  }

  get free(): number {
    return this.window.length - this.filled
  }

  /** `count` bytes were written at `filled`. Cuts what can be cut when the window is full. */
  advance(count: number): void {
    this.filled += count
    if (this.free === 0) this.cut(false)
  }

  /** As much as is given, by copying it. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(this.free, bytes.length - at)
      this.window.set(bytes.subarray(at, at + count), this.filled)
      this.advance(count)
      at += count
    }
  }

  private cut(last: boolean): void {
    while (this.start < this.filled) {
      const length = this.nextLength(last)
      if (length === 0) break
      this.emit(this.start, this.start + length)
      this.start += length
    }
    if (this.start > ID_HEADROOM) {
      this.window.copyWithin(ID_HEADROOM, this.start, this.filled)
      this.filled -= this.start - ID_HEADROOM
      this.start = ID_HEADROOM
    }
  }

  private nextLength(last: boolean): number {
    const available = this.filled - this.start
    if (last && available <= this.minBytes) return available
    return this.chunker.cut(this.window, this.start, this.filled, last)
  }

  private emit(start: number, end: number): void {
    const sizeBytes = end - start
    if (sizeBytes >= MIN_HOLE_BYTES && this.isZero(start, end)) this.list.add({ sizeBytes, chunkBytes: 0 })
    else this.list.add({ id: this.store.put(this.window, start, end), sizeBytes, chunkBytes: sizeBytes })
  }

  private isZero(start: number, end: number): boolean {
    return this.window[start] === 0 && this.window.compare(this.zeros, 0, end - start, start, end) === 0
  }

  /** Ends the stream, and is ready for the next one. */
  finish(name = ''): StreamRefs {
    this.cut(true)
    const refs = this.list.finish(name)
    this.reset()
    return refs
  }

  /** Drops the stream under way. */
  reset(): void {
    this.start = ID_HEADROOM
    this.filled = ID_HEADROOM
    this.list = new ListBuilder(this.store)
  }
}
