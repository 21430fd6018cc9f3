import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/crypto/hash.ts'
import { type ChunkRef, decodeList, INLINE_REFS, type StreamRefs, streamBytes } from '../../../src/model/streams.ts'
import { ListBuilder } from '../../../src/workers/ingest/list-builder.ts'

class Store {
  readonly chunks = new Map<string, Uint8Array>()
  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(buffer.subarray(start, end))
    const id = sha256(bytes)
    this.chunks.set(Buffer.from(id).toString('hex'), bytes)
    return id
  }

  /** Content references in order, lists walked down; checks sizes on the way. */
  *walk(refs: readonly ChunkRef[], level: number): Generator<ChunkRef> {
    for (const ref of refs) {
      if (level === 0 || !ref.id) yield ref
      else {
        const list = this.chunks.get(Buffer.from(ref.id).toString('hex'))!
        expect(list).toHaveLength(ref.chunkBytes)
        const inner = decodeList(list, level - 1)
        expect(inner.reduce((sum, each) => sum + each.sizeBytes, 0)).toBe(ref.sizeBytes)
        yield* this.walk(inner, level - 1)
      }
    }
  }
}

const ref = (n: number): ChunkRef => ({ id: sha256(Buffer.from(String(n))), sizeBytes: 1000 + n, chunkBytes: 1000 + n })
const hole = (sizeBytes: number): ChunkRef => ({ sizeBytes, chunkBytes: 0 })

function build(refs: readonly ChunkRef[], store = new Store()): { stream: StreamRefs; store: Store } {
  const list = new ListBuilder(store)
  for (const each of refs) list.add({ ...each })
  return { stream: list.finish('name'), store }
}

/** Holes that follow each other are one. */
function joined(refs: readonly ChunkRef[]): ChunkRef[] {
  const found: ChunkRef[] = []
  for (const each of refs) {
    const last = found.at(-1)
    if (!each.id && last && !last.id) last.sizeBytes += each.sizeBytes
    else found.push({ ...each })
  }
  return found
}

describe('a list of chunks', () => {
  it.each([0, 1, INLINE_REFS, INLINE_REFS + 1, 127, 128, 129, 2047, 2048, 2049, 120_000])(
    'of %i references comes back',
    (count) => {
      const refs = Array.from({ length: count }, (_, n) => ref(n))
      const { stream, store } = build(refs)
      expect(stream.name).toBe('name')
      expect(stream.refs.length).toBeLessThanOrEqual(INLINE_REFS)
      expect(stream.level > 0).toBe(count > INLINE_REFS)
      if (count > 100_000) expect(stream.level).toBeGreaterThanOrEqual(2)
      expect([...store.walk(stream.refs, stream.level)]).toEqual(refs)
      expect(streamBytes(stream)).toBe(refs.reduce((sum, each) => sum + each.sizeBytes, 0))
    },
  )

  it('joins holes, wherever they are', () => {
    const part = fc.oneof(fc.nat({ max: 500 }).map(ref), fc.integer({ min: 1, max: 1e9 }).map(hole))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 400 }), (refs) => {
        const { stream, store } = build(refs)
        // A list may end between two holes.
        expect(joined([...store.walk(stream.refs, stream.level)])).toEqual(joined(refs))
      }),
    )
  })

  it('stores one list and those above it anew when one reference changes', () => {
    const refs = Array.from({ length: 50_000 }, (_, n) => ref(n))
    const before = new Set(build(refs).store.chunks.keys())
    const { store, stream } = build(refs.with(25_000, ref(1_000_000)))
    const fresh = [...store.chunks.keys()].filter((id) => !before.has(id))
    expect(fresh.length).toBeLessThanOrEqual(stream.level + 3)
  })

  it('does not depend on anything but the references', () => {
    const refs = Array.from({ length: 3000 }, (_, n) => ref(n))
    expect(build(refs).stream).toEqual(build(refs).stream)
  })
})
