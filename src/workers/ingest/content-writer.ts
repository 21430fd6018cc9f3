/** Bytes of one stream in, chunk references out: cuts, skips what is known, marks holes. Memory is one window. */
import { Chunker } from '../../chunking/chunker.ts'
import { ID_HEADROOM } from '../../crypto/chunk-id.ts'
import type { StreamRefs } from '../../model/streams.ts'
import type { Vault } from '../segments/vault.ts'
import { type ChunkSink, ListBuilder } from './list-builder.ts'

/**
 * Zeros from one multiple of this in the stream to the next are a hole. It is found by where it lies, not by how content
 * is cut, so it is the same whether the zeros were read or known to be there.
 */
export const HOLE_BYTES = 64 * 1024
const WINDOW_CHUNKS = 3
const ZEROS = Buffer.alloc(HOLE_BYTES)

export class ContentWriter {
  /** Free space begins at `filled`; callers write there and say how much with `advance`. */
  readonly window: Buffer<ArrayBuffer>
  filled = ID_HEADROOM
  /** Zeros become holes. A file that has room for them on its disk keeps that, so its zeros are content like any other. */
  holes = true
  private start = ID_HEADROOM
  /** Of `start`, in the stream. */
  private position = 0
  private readonly store: ChunkSink
  private readonly chunker: Chunker
  readonly minBytes: number
  private list: ListBuilder

  constructor({ profile, gear }: Pick<Vault, 'profile' | 'gear'>, store: ChunkSink) {
    this.store = store
    this.chunker = new Chunker(profile, gear)
    this.minBytes = profile.minBytes
    this.window = Buffer.from(new ArrayBuffer(ID_HEADROOM + WINDOW_CHUNKS * Math.max(profile.maxBytes, HOLE_BYTES)))
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

  /** So many zeros, without their being written: comes to the same as writing them, of a stream that has holes. */
  skip(bytes: number): void {
    const before = Math.min(bytes, untilBorder(this.position + this.filled - this.start))
    this.write(ZEROS.subarray(0, before))
    const whole = bytes - before - ((bytes - before) % HOLE_BYTES)
    if (whole > 0) {
      this.cut(true)
      this.addHole(whole)
    }
    this.write(ZEROS.subarray(0, bytes - before - whole))
  }

  private addHole(bytes: number): void {
    this.list.add({ sizeBytes: bytes, chunkBytes: 0 })
    this.position += bytes
  }

  /** `last`: what comes next is no content. */
  private cut(last: boolean): void {
    while (this.start < this.filled) {
      if (this.isHoleAt(this.start)) {
        this.addHole(HOLE_BYTES)
        this.start += HOLE_BYTES
        continue
      }
      const length = this.nextLength(last)
      if (length === 0) break
      this.emit(this.start, this.start + length)
    }
    if (this.start > ID_HEADROOM) {
      this.window.copyWithin(ID_HEADROOM, this.start, this.filled)
      this.filled -= this.start - ID_HEADROOM
      this.start = ID_HEADROOM
    }
  }

  private isHoleAt(at: number): boolean {
    if (!this.holes || this.window[at] !== 0 || at + HOLE_BYTES > this.filled) return false
    if (untilBorder(this.position + at - this.start) !== 0) return false
    return this.window.compare(ZEROS, 0, HOLE_BYTES, at, at + HOLE_BYTES) === 0
  }

  private nextLength(last: boolean): number {
    const end = this.contentEnd()
    const isEnd = end < this.filled ? this.isHoleAt(end) : last
    // What may become a hole when the rest of it has come is left for then.
    if (!isEnd && last) return this.lengthTo(this.filled, true)
    return this.lengthTo(end, isEnd)
  }

  private lengthTo(end: number, isEnd: boolean): number {
    const available = end - this.start
    if (isEnd && available <= this.minBytes) return available
    return this.chunker.cut(this.window, this.start, end, isEnd)
  }

  /** Where the next hole begins, or what may become one; else the end of what has come. */
  private contentEnd(): number {
    if (!this.holes) return this.filled
    for (let at = this.start + untilBorder(this.position); at < this.filled; at += HOLE_BYTES) {
      if (this.window[at] === 0 && (at + HOLE_BYTES > this.filled || this.isHoleAt(at))) return at
    }
    return this.filled
  }

  private emit(start: number, end: number): void {
    const sizeBytes = end - start
    this.list.add({ id: this.store.put(this.window, start, end), sizeBytes, chunkBytes: sizeBytes })
    this.start = end
    this.position += sizeBytes
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
    this.position = 0
    this.holes = true
    this.list = new ListBuilder(this.store)
  }
}

/** 0 at a multiple of HOLE_BYTES. */
function untilBorder(position: number): number {
  const over = position % HOLE_BYTES
  return over === 0 ? 0 : HOLE_BYTES - over
}
