import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ChunkRef, StreamRefs } from '../../../src/model/streams.ts'
import { decodeList } from '../../../src/model/streams.ts'
import { contentPieces } from '../../../src/workers/browse/content-pieces.ts'
import type { ChunkReader } from '../../../src/workers/chunks/chunk-reader.ts'
import { type ChunkSink, ListBuilder } from '../../../src/workers/ingest/list-builder.ts'
import type { SegmentWindows } from '../../../src/workers/segments/segment-windows.ts'

/** Chunks by id in memory; counts what is asked for, and what was begun before that. */
class Store implements ChunkSink {
  readonly chunks = new Map<string, Uint8Array>()
  readonly read: string[] = []
  readonly begun = new Set<string>()
  maxAhead = 0
  lists = 0
  /** Windows that are not closed. */
  open = 0

  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    const id = new Uint8Array(32)
    new DataView(id.buffer).setUint32(0, this.chunks.size + 1)
    // Where a list may end: every second chunk.
    id[31] = this.chunks.size % 2
    this.chunks.set(Buffer.from(id).toString('hex'), buffer.slice(start, end))
    return id
  }

  get reader(): ChunkReader {
    const chunk = async (id: Uint8Array, bytes: number): Promise<Uint8Array> => {
      const key = Buffer.from(id).toString('hex')
      this.read.push(key)
      this.begun.delete(key)
      expect(this.chunks.get(key)).toHaveLength(bytes)
      return this.chunks.get(key)!
    }
    const list = async (ref: ChunkRef, level: number): Promise<ChunkRef[]> => {
      this.lists++
      return decodeList(await chunk(ref.id!, ref.chunkBytes), level)
    }
    return { chunk, list } as unknown as ChunkReader
  }

  /** Windows of so many chunks. */
  windows(chunks: number): SegmentWindows {
    const open = () => {
      const mine: string[] = []
      return {
        add: (ref: ChunkRef) => {
          if (mine.length === chunks) return undefined
          mine.push(Buffer.from(ref.id!).toString('hex'))
          return () => this.reader.chunk(ref.id!, ref.chunkBytes)
        },
        fetch: () => {
          for (const key of mine) this.begun.add(key)
          this.open++
          this.maxAhead = Math.max(this.maxAhead, this.begun.size)
        },
        close: () => void this.open--,
      }
    }
    return { open } as unknown as SegmentWindows
  }
}

/** `parts`: bytes of a chunk, or of a hole where negative. */
function build(parts: readonly number[]): { store: Store; stream: StreamRefs; content: Buffer } {
  const store = new Store()
  const list = new ListBuilder(store)
  const content: Buffer[] = []
  for (const [index, part] of parts.entries()) {
    const bytes = Buffer.alloc(Math.abs(part), part < 0 ? 0 : 1 + (index % 255))
    content.push(bytes)
    if (part < 0) list.add({ sizeBytes: -part, chunkBytes: 0 })
    else list.add({ id: store.put(bytes, 0, part), sizeBytes: part, chunkBytes: part })
  }
  return { store, stream: list.finish(''), content: Buffer.concat(content) }
}

async function collect(store: Store, stream: StreamRefs, start: number, end: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of contentPieces(store.reader, store.windows(3), stream, start, end)) {
    expect(piece.byteOffset).toBe(0)
    expect(piece.byteLength).toBe(piece.buffer.byteLength)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

it('gives any range of streams with and without lists and holes', async () => {
  const part = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: -60, max: -1 }))
  const parts = fc.oneof(fc.array(part, { maxLength: 10 }), fc.array(part, { minLength: 200, maxLength: 700 }))
  await fc.assert(
    fc.asyncProperty(
      parts,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (all, a, b) => {
        const { store, stream, content } = build(all)
        const [start, end] = [Math.floor(a * content.length), Math.floor(b * content.length)].sort((x, y) => x - y)
        const found = await collect(store, stream, start!, end!)
        expect(found.equals(content.subarray(start, end))).toBe(true)
      },
    ),
    { numRuns: 60 },
  )
})

it('walks several levels of lists and fetches none that lie outside the range', async () => {
  const { store, stream, content } = build(Array.from({ length: 40_000 }, () => 3))
  expect(stream.level).toBe(2)
  const found = await collect(store, stream, 90_001, 90_010)
  expect(found.equals(content.subarray(90_001, 90_010))).toBe(true)
  expect(store.lists).toBe(2)
  expect(store.read.length - store.lists).toBe(4)
})

it('joins small chunks and cuts large ones into pieces of one size', async () => {
  const { store, stream } = build([100, 700_000, 100, -2_000_000, 5])
  const sizes: number[] = []
  for await (const piece of contentPieces(store.reader, store.windows(3), stream, 0, 2_700_205))
    sizes.push(piece.length)
  expect(sizes).toEqual([524_288, 524_288, 524_288, 524_288, 524_288, 2_700_205 - 5 * 524_288])
})

it('begins to fetch the segments to come, but few of them', async () => {
  const { store, stream } = build(Array.from({ length: 40 }, () => 600_000))
  const pieces = contentPieces(store.reader, store.windows(3), stream, 0, 24_000_000)
  await pieces.next()
  expect(store.read).toHaveLength(1)
  expect(store.begun.size).toBeGreaterThanOrEqual(2)
  for await (const piece of pieces) expect(piece.length).toBeGreaterThan(0)
  expect(store.maxAhead).toBeLessThanOrEqual(4 * 3)
  expect(store.open).toBe(0)
})

it('closes its windows where nobody wants the rest', async () => {
  const { store, stream } = build(Array.from({ length: 40 }, () => 600_000))
  for await (const piece of contentPieces(store.reader, store.windows(3), stream, 0, 24_000_000)) {
    expect(piece.length).toBeGreaterThan(0)
    break
  }
  expect(store.begun.size).toBeGreaterThan(0)
  expect(store.open).toBe(0)
})

it('notices a list that stands for another number of bytes than its reference says', async () => {
  const { store, stream } = build(Array.from({ length: 300 }, () => 3))
  stream.refs[0]!.sizeBytes++
  await expect(collect(store, stream, 0, 10)).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
})
