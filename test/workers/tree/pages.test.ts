/** Pages: the same entries give the same tree; a change touches only its path of pages; walks find everything. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gearTable } from '../../../src/chunking/gear.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { type EntryMeta, FINGERPRINT_BYTES, readMeta } from '../../../src/model/entry.ts'
import { decodeInner, type TreeRoot } from '../../../src/model/page.ts'
import { ByteReader, ByteWriter } from '../../../src/util/bytes.ts'
import { comparePaths } from '../../../src/util/paths.ts'
import { EntryCursor } from '../../../src/workers/browse/page-cursor.ts'
import type { ChunkReader } from '../../../src/workers/chunks/chunk-reader.ts'
import { writeRecord } from '../../../src/workers/ingest/service.ts'
import { PageBuilder } from '../../../src/workers/tree/page-builder.ts'

const gear = gearTable(new Uint8Array(32).fill(5))

class Store {
  readonly chunks = new Map<string, Uint8Array>()
  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(buffer.subarray(start, end))
    const id = sha256(bytes)
    this.chunks.set(Buffer.from(id).toString('hex'), bytes)
    return id
  }
  readonly reader = {
    chunk: async (id: Uint8Array, bytes: number): Promise<Uint8Array> => {
      const found = this.chunks.get(Buffer.from(id).toString('hex'))!
      expect(found).toHaveLength(bytes)
      return found
    },
  } as unknown as ChunkReader
}

type Entries = ReadonlyMap<string, { mtimeNs: bigint; size: number }>

function build(entries: Entries, store = new Store()): { root: TreeRoot | null; store: Store } {
  const builder = new PageBuilder(store, gear)
  const out = new ByteWriter()
  for (const path of [...entries.keys()].sort(comparePaths)) {
    const { mtimeNs, size } = entries.get(path)!
    const meta: EntryMeta = { path, type: 0, mode: 0o644, mtimeNs, sizeBytes: size }
    out.reset()
    writeRecord(out, meta, [])
    const fingerprint = sha256(Buffer.from(path)).subarray(0, FINGERPRINT_BYTES)
    builder.add(path, out.view(), fingerprint, 0, size)
  }
  return { root: builder.finish(), store }
}

async function walk(store: Store, root: TreeRoot, from?: string): Promise<EntryMeta[]> {
  const cursor = new EntryCursor(store.reader, root, from === undefined ? {} : { from })
  const found: EntryMeta[] = []
  while (await cursor.next()) found.push(readMeta(new ByteReader(cursor.page, cursor.metaStart, cursor.metaEnd)))
  return found
}

function numbered(count: number, seed = 0): Map<string, { mtimeNs: bigint; size: number }> {
  const entries = new Map<string, { mtimeNs: bigint; size: number }>()
  for (let i = 0; i < count; i++)
    entries.set(`dir-${i % 97}/sub-${i % 13}/file-${i}-${seed}`, { mtimeNs: BigInt(i), size: i })
  return entries
}

/** Ids of all pages, inner ones and fingerprints too. */
const idsOf = (store: Store): Set<string> => new Set(store.chunks.keys())

/** First paths of all leaves. */
async function leavesOf(store: Store, { id, pageBytes, level, firstPath }: TreeRoot): Promise<string[]> {
  if (level === 0) return [firstPath]
  const page = await store.reader.chunk(id, pageBytes)
  const leaves: string[] = []
  for (const child of decodeInner(page, level)) leaves.push(...(await leavesOf(store, { ...child, level: level - 1 })))
  return leaves
}

const segment = fc.stringMatching(/^[a-c!./-]{1,4}$/).map((text) => text.replaceAll(/[/.]/g, '_'))
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
const entries = fc
  .array(fc.tuple(path, fc.record({ mtimeNs: fc.bigInt({ min: 0n, max: 2n ** 60n }), size: fc.nat() })), {
    maxLength: 80,
  })
  .map((list) => new Map(list))

describe('a tree of pages', () => {
  it('has the same root for the same entries', () => {
    fc.assert(
      fc.property(entries, (all) => {
        const shuffled = new Map([...all].reverse())
        expect(build(shuffled).root).toEqual(build(all).root)
      }),
    )
  })

  it('has all entries, in order, and sums of them in its root', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (all) => {
        const { root, store } = build(all)
        if (all.size === 0) {
          expect(root).toBe(null)
          return
        }
        const found = await walk(store, root!)
        expect(found.map((meta) => meta.path)).toEqual([...all.keys()].sort(comparePaths))
        for (const meta of found) expect(meta).toMatchObject({ mtimeNs: all.get(meta.path)!.mtimeNs })
        expect(root!.entries).toBe(all.size)
        expect(root!.contentBytes).toBe([...all.values()].reduce((sum, { size }) => sum + size, 0))
      }),
    )
  })

  it('walked from any path gives what is at or after it, and no page that lies wholly before', async () => {
    const all = numbered(6000)
    const { root, store } = build(all)
    const sorted = [...all.keys()].sort(comparePaths)
    const froms = [
      '',
      'a',
      'zzz',
      'dir-5',
      'dir-5/',
      'dir-50/sub-1/x',
      sorted[0]!,
      sorted.at(-1)!,
      ...sorted.filter((_, i) => i % 501 === 0),
    ]
    for (const from of froms) {
      const found = (await walk(store, root!, from)).map((meta) => meta.path)
      expect(found.filter((each) => comparePaths(each, from) >= 0)).toEqual(
        sorted.filter((each) => comparePaths(each, from) >= 0),
      )
      // At most one leaf's worth comes before.
      expect(found.length - sorted.filter((each) => comparePaths(each, from) >= 0).length).toBeLessThan(3000)
    }
  })

  it('has levels, and stores only the path of pages to a changed entry anew', async () => {
    const all = numbered(60_000)
    const first = build(all)
    expect(first.root!.level).toBeGreaterThanOrEqual(2)
    const before = idsOf(first.store)
    const leaves = await leavesOf(first.store, first.root!)
    expect(leaves.length).toBeGreaterThan(60)
    for (const changed of [
      'dir-0/sub-0/file-0-0',
      [...all.keys()].sort(comparePaths)[31_000]!,
      'dir-96/sub-5/file-96-0',
    ]) {
      const next = new Map(all)
      next.set(changed, { mtimeNs: 99n, size: all.get(changed)!.size })
      const second = build(next)
      expect(await leavesOf(second.store, second.root!)).toEqual(leaves)
      const fresh = [...idsOf(second.store)].filter((id) => !before.has(id))
      // One leaf and one inner page a level; fingerprints are as they were.
      expect(fresh.length).toBe(second.root!.level + 1)
    }
  })

  it('has borders that depend on paths alone', async () => {
    const all = numbered(8000)
    const first = build(all)
    const other = build(new Map([...all].map(([key, { size }], i) => [key, { mtimeNs: BigInt(i * 7919), size }])))
    expect(other.root!.id).not.toEqual(first.root!.id)
    expect(await leavesOf(other.store, other.root!)).toEqual(await leavesOf(first.store, first.root!))
  })

  it('comes back to its borders soon after an insertion or a removal', async () => {
    const all = numbered(20_000)
    const before = idsOf(build(all).store)
    for (const change of ['dir-40/inserted', 'dir-40/sub-7/file-137-0']) {
      const next = new Map(all)
      if (!next.delete(change)) next.set(change, { mtimeNs: 1n, size: 1 })
      const fresh = [...idsOf(build(next).store)].filter((id) => !before.has(id))
      expect(fresh.length).toBeLessThan(12)
    }
  })

  it('takes paths of thousands of bytes, and one entry as well as none', async () => {
    const long = new Map(Array.from({ length: 400 }, (_, i) => [`${i}/`.padEnd(4000, 'x'), { mtimeNs: 1n, size: 1 }]))
    const { root, store } = build(long)
    expect((await walk(store, root!)).length).toBe(400)
    for (const bytes of store.chunks.values()) expect(bytes.length).toBeLessThan(2 * 1024 * 1024)
    const one = build(new Map([['a', { mtimeNs: 1n, size: 7 }]]))
    expect(one.root).toMatchObject({ level: 1, entries: 1, contentBytes: 7, firstPath: 'a' })
    expect(build(new Map()).root).toBe(null)
  })
})
