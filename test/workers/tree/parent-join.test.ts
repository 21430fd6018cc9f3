/** The join of a scan with a parent's tree, against a comparison of two maps. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gearTable } from '../../../src/chunking/gear.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { type EntryMeta, FINGERPRINT_BYTES, TYPE_DIRECTORY, TYPE_FILE } from '../../../src/model/entry.ts'
import { BatchWriter, type EntryBatch, FLAG_CONTENT, FLAG_FORCE_READ } from '../../../src/model/entry-batch.ts'
import type { TreeRoot } from '../../../src/model/page.ts'
import { ByteWriter } from '../../../src/util/bytes.ts'
import { comparePaths } from '../../../src/util/paths.ts'
import type { ChunkReader } from '../../../src/workers/chunks/chunk-reader.ts'
import { writeRecord } from '../../../src/workers/ingest/service.ts'
import { PageBuilder } from '../../../src/workers/tree/page-builder.ts'
import { ParentJoin } from '../../../src/workers/tree/parent-join.ts'

interface Item {
  isFolder: boolean
  mtime: number
  size: number
  /** 0: never equal. */
  print: number
  content: number
}

const gear = gearTable(new Uint8Array(32).fill(9))
const contentId = (content: number): Uint8Array => sha256(Buffer.from(`content ${content}`))

class Store {
  private readonly chunks = new Map<string, Uint8Array>()
  /** Contents that the index knows. */
  readonly stored = new Set<string>()
  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(buffer.subarray(start, end))
    const id = sha256(bytes)
    this.chunks.set(Buffer.from(id).toString('hex'), bytes)
    return id
  }
  readonly reader = {
    chunk: async (id: Uint8Array) => this.chunks.get(Buffer.from(id).toString('hex'))!,
    index: { has: (id: Uint8Array, at = 0) => this.stored.has(Buffer.from(id).toString('hex', at, at + 32)) },
  } as unknown as ChunkReader
}

function metaOf(path: string, { isFolder, mtime, size }: Item): EntryMeta {
  const mtimeNs = BigInt(mtime)
  return isFolder ? { path, type: TYPE_DIRECTORY, mtimeNs } : { path, type: TYPE_FILE, mtimeNs, sizeBytes: size }
}

function parentOf(store: Store, entries: ReadonlyMap<string, Item>): TreeRoot | null {
  const builder = new PageBuilder(store, gear)
  const out = new ByteWriter()
  for (const [path, item] of sorted(entries)) {
    out.reset()
    const ref = { id: contentId(item.content), sizeBytes: item.size, chunkBytes: item.size }
    writeRecord(out, metaOf(path, item), item.isFolder ? [] : [{ name: '', level: 0, refs: [ref] }])
    const print = Buffer.alloc(FINGERPRINT_BYTES)
    print.writeUInt32LE(item.print, 0)
    builder.add(path, out.view(), print, 0, item.size)
  }
  return builder.finish()
}

function batchesOf(entries: ReadonlyMap<string, Item>, forced: boolean, each: number): EntryBatch[] {
  const batches: EntryBatch[] = []
  const writer = new BatchWriter()
  for (const [path, item] of sorted(entries)) {
    const flags = item.isFolder ? 0 : FLAG_CONTENT | (forced ? FLAG_FORCE_READ : 0)
    writer.add(metaOf(path, item), flags, BigInt(item.print), 0n)
    if (writer.count === each) batches.push(writer.take('/root', 0))
  }
  if (writer.count > 0) batches.push(writer.take('/root', 0))
  return batches
}

const sorted = (entries: ReadonlyMap<string, Item>): [string, Item][] =>
  [...entries].sort(([a], [b]) => comparePaths(a, b))

const item = fc.record({
  isFolder: fc.boolean(),
  mtime: fc.nat({ max: 2 }),
  size: fc.integer({ min: 1, max: 3 }),
  print: fc.nat({ max: 2 }),
  content: fc.nat({ max: 3 }),
})
const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'a!', 'é', 'z'), { minLength: 1, maxLength: 4 })
  .map((all) => all.join('/'))
const entries = fc.array(fc.tuple(path, item), { maxLength: 60 }).map((all) => new Map(all))

interface Joined {
  counts: ParentJoin['counts']
  awaited: number
  known: string[]
}

async function join(store: Store, root: TreeRoot | null, batches: readonly EntryBatch[]): Promise<Joined> {
  const merge = new ParentJoin(store.reader, root)
  let awaited = 0
  const known: string[] = []
  for (const batch of batches) {
    const pending = await merge.merge(batch, 'data')
    awaited += pending.job?.count ?? 0
    const statuses = new Uint8Array(pending.job?.count ?? 0).fill(1)
    const none = new Uint8Array(0)
    pending.complete({ records: none, fingerprints: none, statuses, warnings: [], readBytes: 0 })
    pending.forEach((each) => void known.push(each))
  }
  const rest = await merge.finish()
  rest.forEach((each) => void known.push(each))
  return { counts: { ...merge.counts }, awaited, known }
}

describe('the join with a parent', () => {
  it('finds what is added, modified, unchanged and deleted', async () => {
    await fc.assert(
      fc.asyncProperty(
        entries,
        entries,
        fc.boolean(),
        fc.integer({ min: 1, max: 70 }),
        fc.nat({ max: 4 }),
        async (before, after, forced, each, lost) => {
          const store = new Store()
          for (let content = 0; content < 4; content++) {
            if (content !== lost) store.stored.add(Buffer.from(contentId(content)).toString('hex'))
          }
          const root = parentOf(store, before)
          const unchanged = sorted(after).filter(([name, now]) => {
            const then = before.get(name)
            if (!then || then.isFolder !== now.isFolder || then.mtime !== now.mtime) return false
            if (now.isFolder) return true
            return (
              !forced && then.size === now.size && then.print === now.print && now.print !== 0 && then.content !== lost
            )
          })
          const { counts, awaited, known } = await join(store, root, batchesOf(after, forced, each))
          const both = [...after.keys()].filter((name) => before.has(name)).length
          expect(counts).toEqual({
            added: after.size - both,
            modified: both - unchanged.length,
            unchanged: unchanged.length,
            deleted: before.size - both,
          })
          const read = sorted(after).filter(
            ([name, now]) => !now.isFolder && !unchanged.some(([same]) => same === name),
          )
          expect(awaited).toBe(read.length)
          expect(known).toEqual(
            sorted(after)
              .map(([name]) => name)
              .filter((name) => !read.some(([other]) => other === name)),
          )
        },
      ),
      { numRuns: 200 },
    )
  })

  it('goes over many pages', async () => {
    const store = new Store()
    store.stored.add(Buffer.from(contentId(1)).toString('hex'))
    const make = (count: number, step: number): Map<string, Item> => {
      const all = new Map<string, Item>()
      for (let i = 0; i < count; i += step)
        all.set(`d${i % 31}/${i}`, { isFolder: false, mtime: 1, size: 2, print: 3, content: 1 })
      return all
    }
    const root = parentOf(store, make(9000, 1))
    const { counts, awaited } = await join(store, root, batchesOf(make(12_000, 3), false, 256))
    expect(counts).toEqual({ added: 1000, modified: 0, unchanged: 3000, deleted: 6000 })
    expect(awaited).toBe(1000)
  })

  it('refuses entries out of order, and the same one twice', async () => {
    const store = new Store()
    for (const names of [
      ['b', 'a'],
      ['a', 'a'],
      ['a', 'a.b', 'a/b'],
    ]) {
      const writer = new BatchWriter()
      for (const name of names) writer.add({ path: name, type: 0 }, 0, 0n, 0n)
      const merging = new ParentJoin(store.reader, null).merge(writer.take('', 0), 'data')
      await expect(merging).rejects.toMatchObject({ code: 'SOURCE_INCOMPLETE', origin: 'source' })
    }
  })
})
