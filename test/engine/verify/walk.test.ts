import { describe, expect, it } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import { writeMeta } from '../../../src/model/entry.ts'
import { encodeInner, LEAF_HEADER_BYTES, type PageRef, writeLeafHeader } from '../../../src/model/page.ts'
import { type ChunkRef, decodeList, encodeList, type StreamRefs, writeStreams } from '../../../src/model/streams.ts'
import { ByteWriter } from '../../../src/util/bytes.ts'
import type { ChunkReader } from '../../../src/workers/chunks/chunk-reader.ts'
import type { ChunkTrouble, SoundIndex } from '../../../src/workers/chunks/sound-index.ts'
import type { Host } from '../../../src/workers/threads/rpc.ts'
import { TreeWalk } from '../../../src/workers/verify/walk.ts'

const NONE = new Uint8Array(32)

/** Chunks by a number that stands for their id. */
class Store {
  readonly chunks = new Map<number, Uint8Array>()
  readonly bad = new Map<number, ChunkTrouble>()
  readonly reads: number[] = []
  readonly sound = new Set<string>()
  walked = 0
  private next = 1

  add(bytes: Uint8Array): Uint8Array {
    this.chunks.set(this.next, bytes)
    return idOf(this.next++)
  }

  leaf(paths: readonly string[], streamsOf: (path: string) => StreamRefs[] = () => []): PageRef {
    const out = new ByteWriter()
    out.reserve(LEAF_HEADER_BYTES)
    let contentBytes = 0
    for (const path of paths) {
      const meta = new ByteWriter()
      const streams = new ByteWriter()
      const refs = streamsOf(path)
      const sizeBytes = refs.flatMap((stream) => stream.refs).reduce((sum, ref) => sum + ref.sizeBytes, 0)
      contentBytes += sizeBytes
      writeMeta(meta, { path, type: 0, sizeBytes })
      writeStreams(streams, refs)
      for (const part of [meta, streams]) {
        out.varint(part.length)
        out.raw(part.view())
      }
    }
    writeLeafHeader(out.bytes, paths.length)
    return this.page(out.copy(), paths[0]!, paths.length, contentBytes, this.add(new Uint8Array(paths.length * 16)))
  }

  inner(children: readonly PageRef[], level: number): PageRef {
    const sum = (of: (page: PageRef) => number): number => children.reduce((total, child) => total + of(child), 0)
    const bytes = encodeInner(children, level).copy()
    return this.page(
      bytes,
      children[0]!.firstPath,
      sum((page) => page.entries),
      sum((page) => page.contentBytes),
      NONE,
    )
  }

  private page(
    bytes: Uint8Array,
    firstPath: string,
    entries: number,
    contentBytes: number,
    fingerprintId: Uint8Array,
  ): PageRef {
    return { firstPath, id: this.add(bytes), pageBytes: bytes.length, fingerprintId, entries, contentBytes }
  }

  walk(): TreeWalk {
    const chunk = async (id: Uint8Array): Promise<Uint8Array> => {
      this.reads.push(numberOf(id))
      const found = this.chunks.get(numberOf(id))
      if (found) return found
      throw new BackupError('OBJECT_CORRUPT', 'damaged', {
        origin: 'repository',
        details: { object: 'packs/of/pages' },
      })
    }
    const list = async (ref: ChunkRef, level: number): Promise<ChunkRef[]> => decodeList(await chunk(ref.id!), level)
    const host = {
      aborted: false,
      throwIfAborted: () => {},
      yield: async () => {},
      call: async (_: string, walked: unknown) => {
        this.walked += walked as number
      },
    } satisfies Host
    const index = { trouble: (id: Uint8Array) => this.bad.get(numberOf(id)) }
    return new TreeWalk({ chunk, list } as unknown as ChunkReader, index as unknown as SoundIndex, this.sound, host)
  }
}

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, number)
  return id
}

function numberOf(id: Uint8Array): number {
  return new DataView(id.buffer, id.byteOffset).getUint32(0)
}

function main(level: number, refs: ChunkRef[]): StreamRefs[] {
  return [{ name: '', level, refs }]
}

function content(number: number, sizeBytes = 10): ChunkRef {
  return { id: idOf(number), sizeBytes, chunkBytes: sizeBytes }
}

describe('a walk', () => {
  it('goes on beside a damaged page, and says what that costs', async () => {
    const store = new Store()
    const leaves = ['a', 'b', 'c'].map((name) => store.leaf([`${name}/1`, `${name}/2`], () => main(0, [content(900)])))
    const root = store.inner([store.inner(leaves.slice(0, 2), 1), store.inner(leaves.slice(2), 1)], 2)
    store.chunks.delete(numberOf(leaves[1]!.id))
    const walk = store.walk()
    await walk.pages([root], 2)
    expect(walk.problems.list).toEqual([
      { code: 'OBJECT_CORRUPT', message: 'damaged', object: 'packs/of/pages', entries: 2, bytes: 20, paths: ['b/1'] },
    ])
    expect(store.reads).toContain(numberOf(leaves[2]!.id))
    expect(store.walked).toBe(4)
  })

  it('reads what was found sound once, and what was not again', async () => {
    const store = new Store()
    const [good, bad] = [store.leaf(['a']), store.leaf(['b'], () => main(0, [content(900)]))]
    store.bad.set(900, { why: 'damaged', pack: 'ab' })
    const root = store.inner([good, bad], 1)
    for (let i = 0; i < 2; i++) {
      const walk = store.walk()
      await walk.pages([root], 1)
      expect(walk.problems.list).toMatchObject([{ object: 'packs/ab/ab', entries: 1, bytes: 10, paths: ['b'] }])
    }
    const times = (page: PageRef): number => store.reads.filter((read) => read === numberOf(page.id)).length
    expect([times(root), times(good), times(bad)]).toEqual([2, 1, 2])
  })

  it('makes one problem of a pack that many entries need, and counts each entry once', async () => {
    const store = new Store()
    const paths = Array.from({ length: 50 }, (_, i) => `f${String(i).padStart(2, '0')}`)
    const leaf = store.leaf(paths, () =>
      main(0, [content(900), content(901), content(902), { sizeBytes: 5, chunkBytes: 0 }]),
    )
    store.bad.set(900, { why: 'pack', pack: 'ab' }).set(901, { why: 'pack', pack: 'ab' }).set(902, { why: 'unknown' })
    const walk = store.walk()
    await walk.pages([leaf], 0)
    const cost = { code: 'OBJECT_MISSING', entries: 50, bytes: 50 * 35, paths: paths.slice(0, 5) }
    expect(walk.problems.list).toMatchObject([{ ...cost, object: 'packs/ab/ab' }, cost])
    expect(walk.problems.list[1]).not.toHaveProperty('object')
  })

  it('walks chunk lists down, and remembers the sound ones', async () => {
    const store = new Store()
    const lists = [901, 902].map((number) => {
      const bytes = encodeList([content(number), content(number + 10)], 0).copy()
      return { id: store.add(bytes), sizeBytes: 20, chunkBytes: bytes.length }
    })
    const leaf = store.leaf(['big'], () => main(1, lists))
    store.bad.set(912, { why: 'damaged', pack: 'cd' })
    for (let i = 0; i < 2; i++) {
      const walk = store.walk()
      await walk.pages([leaf], 0)
      expect(walk.problems.list).toMatchObject([
        { code: 'OBJECT_CORRUPT', object: 'packs/cd/cd', entries: 1, bytes: 40 },
      ])
    }
    expect(lists.map(({ id }) => store.reads.filter((read) => read === numberOf(id)).length)).toEqual([1, 2])
  })

  it('finds counts and sizes that contradict each other', async () => {
    const store = new Store()
    const leaf = store.leaf(['a', 'b'])
    const list = { id: store.add(encodeList([content(900)], 0).copy()), sizeBytes: 11, chunkBytes: 0 }
    const wrong: [PageRef, number][] = [
      [{ ...leaf, entries: 3 }, 0],
      [{ ...store.inner([leaf], 1), entries: 1 }, 1],
      [store.leaf(['c'], () => main(1, [list])), 0],
    ]
    for (const [page, level] of wrong) {
      const walk = store.walk()
      await walk.pages([page], level)
      expect(walk.problems.list).toMatchObject([{ code: 'OBJECT_CORRUPT', entries: page.entries }])
    }
  })

  it('does not charge entries for fingerprints', async () => {
    const store = new Store()
    const leaf = store.leaf(['a', 'b'])
    store.chunks.delete(numberOf(leaf.fingerprintId))
    const walk = store.walk()
    await walk.pages([leaf], 0)
    expect(walk.problems.list).toMatchObject([{ code: 'OBJECT_CORRUPT', entries: 0, bytes: 0 }])
  })
})
