/** Pages taken over from a parent: the tree is the one that a build without a parent gives, page for page. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gearTable } from '../../../src/chunking/gear.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { type EntryMeta, readMeta, TYPE_DIRECTORY, TYPE_FILE } from '../../../src/model/entry.ts'
import { BatchWriter, type EntryBatch, FLAG_CONTENT } from '../../../src/model/entry-batch.ts'
import type { TreeRoot } from '../../../src/model/page.ts'
import type { StreamRefs } from '../../../src/model/streams.ts'
import { ByteReader, ByteWriter } from '../../../src/util/bytes.ts'
import { comparePaths } from '../../../src/util/paths.ts'
import type { ChunkReader } from '../../../src/workers/chunks/chunk-reader.ts'
import { type ReadJob, type ReadResult, STATUS_OK, writeRecord } from '../../../src/workers/ingest/service.ts'
import { PageBuilder } from '../../../src/workers/tree/page-builder.ts'
import { ParentJoin } from '../../../src/workers/tree/parent-join.ts'
import { SourceBuild } from '../../../src/workers/tree/source-build.ts'

interface Item {
  isFolder: boolean
  mtime: number
  print: number
  content: number
}
type Tree = ReadonlyMap<string, Item>

const gear = gearTable(new Uint8Array(32).fill(7))
const contentId = (content: number): Uint8Array => sha256(Buffer.from(`content ${content}`))
const hexOf = (id: Uint8Array): string => Buffer.from(id).toString('hex')

/** Chunks by id; those that are `dead` are in no pack any more. */
class Store {
  readonly chunks = new Map<string, Uint8Array>()
  readonly dead = new Set<string>()
  puts = 0

  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    this.puts++
    const bytes = new Uint8Array(buffer.subarray(start, end))
    const id = sha256(bytes)
    this.chunks.set(hexOf(id), bytes)
    return id
  }

  readonly reader = {
    chunk: async (id: Uint8Array) => this.chunks.get(hexOf(id))!,
    index: { has: (id: Uint8Array, at = 0) => !this.dead.has(hexOf(id.subarray(at, at + 32))) },
  } as unknown as ChunkReader
}

const metaOf = (path: string, { isFolder, mtime, content }: Item): EntryMeta => ({
  path,
  type: isFolder ? TYPE_DIRECTORY : TYPE_FILE,
  mode: 0o644,
  mtimeNs: BigInt(mtime),
  ...(!isFolder && { sizeBytes: content + 1 }),
})

function streamsOf({ isFolder, content }: Item): StreamRefs[] {
  const ref = { id: contentId(content), sizeBytes: content + 1, chunkBytes: content + 1 }
  // Every seventh content has two chunks, which the join looks up another way.
  return isFolder ? [] : [{ name: '', level: 0, refs: content % 7 === 0 ? [ref, ref] : [ref] }]
}

function batchesOf(tree: Tree, sizes: readonly number[]): EntryBatch[] {
  const batches: EntryBatch[] = []
  const writer = new BatchWriter()
  for (const path of [...tree.keys()].sort(comparePaths)) {
    const item = tree.get(path)!
    writer.add(metaOf(path, item), item.isFolder ? 0 : FLAG_CONTENT, BigInt(item.print), 1n)
    if (writer.count >= sizes[batches.length % sizes.length]!) batches.push(writer.take('/root', 0))
  }
  if (writer.count > 0) batches.push(writer.take('/root', 0))
  return batches
}

/** What the readers would give. */
function resultOf(job: ReadJob, tree: Tree): ReadResult {
  const input = new ByteReader(job.metas)
  const records = new ByteWriter()
  for (let i = 0; i < job.count; i++) {
    const end = input.u32() + input.position
    const meta = readMeta(input)
    input.position = end
    const at = records.reserve(4)
    writeRecord(records, meta, streamsOf(tree.get(meta.path)!))
    records.bytes.writeUInt32LE(records.length - at - 4, at)
  }
  const statuses = new Uint8Array(job.count).fill(STATUS_OK)
  return { records: records.copy(), fingerprints: job.fingerprints, statuses, warnings: [], readBytes: 0 }
}

interface Built {
  root: TreeRoot | null
  counts: ReturnType<SourceBuild['counts']>
  puts: number
}

/** `late`: how many batches go on before the content of one has been read. */
async function build(
  store: Store,
  tree: Tree,
  parent: TreeRoot | null,
  { sizes = [1024], late = 0 }: { sizes?: readonly number[]; late?: number } = {},
): Promise<Built> {
  const before = store.puts
  const source = new SourceBuild('data', new ParentJoin(store.reader, parent), new PageBuilder(store, gear))
  const waiting: (() => void)[] = []
  for (const batch of batchesOf(tree, sizes)) {
    const pending = await source.join.merge(batch, 'data')
    const number = source.enqueue(pending)
    const { job } = pending
    if (job) waiting.push(() => source.complete(number, resultOf(job, tree)))
    // The newest first: readers end in any order.
    if (waiting.length > late) for (const complete of waiting.splice(0).reverse()) complete()
  }
  for (const complete of waiting) complete()
  source.enqueue(await source.join.finish())
  return { root: source.finish(), counts: source.counts(), puts: store.puts - before }
}

function someTree(count: number): Map<string, Item> {
  const tree = new Map<string, Item>()
  for (let i = 0; i < count; i++) {
    tree.set(`d${i % 17}`, { isFolder: true, mtime: 5, print: 5, content: 0 })
    tree.set(`d${i % 17}/s${i % 5}-${i}`, { isFolder: false, mtime: i, print: i + 1, content: i })
  }
  return tree
}

type Change = readonly [where: number, length: number, kind: 'remove' | 'touch' | 'print' | 'add' | 'write' | 'kill']

function changed(store: Store, tree: Tree, changes: readonly Change[]): Map<string, Item> {
  const after = new Map(tree)
  const paths = [...tree.keys()].sort(comparePaths)
  for (const [where, length, kind] of changes) {
    const from = Math.floor(where * paths.length)
    for (const path of paths.slice(from, from + length)) {
      const item = tree.get(path)!
      if (kind === 'remove') after.delete(path)
      else if (kind === 'touch') after.set(path, { ...item, mtime: item.mtime + 1 })
      else if (kind === 'print') after.set(path, { ...item, print: item.print + 1_000_000 })
      else if (kind === 'add') after.set(`${path}+`, { ...item, isFolder: false })
      else if (kind === 'write') after.set(path, { ...item, mtime: 1, print: 77, content: item.content + 90_000 })
      else store.dead.add(hexOf(contentId(item.content)))
    }
  }
  return after
}

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 700 })),
  fc.constantFrom('remove', 'touch', 'print', 'add', 'write', 'kill'),
)

describe('pages of a parent', () => {
  it('are taken over as a build without a parent would make them, whatever has changed', async () => {
    const cases = fc.record({
      count: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 300, max: 3000 })),
      changes: fc.array(change, { maxLength: 6 }),
      sizes: fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 5 }),
      late: fc.nat({ max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ count, changes, sizes, late }) => {
        const store = new Store()
        const before = someTree(count)
        const { root: parent } = await build(store, before, null)
        const after = changed(store, before, changes)
        const joined = await build(store, after, parent, { sizes, late })
        const alone = await build(new Store(), after, null)
        expect(joined.root).toEqual(alone.root)
        const { entries, contentBytes } = joined.counts
        expect({ entries, contentBytes }).toEqual({ entries: after.size, contentBytes: alone.counts.contentBytes })
        const { added, modified, unchanged } = joined.counts
        expect(added + modified + unchanged).toBe(after.size)
      }),
      { numRuns: 150 },
    )
  }, 60_000)

  it('are not made again where nothing has changed, wherever batches end', async () => {
    const store = new Store()
    const tree = someTree(6000)
    const first = await build(store, tree, null)
    expect(first.puts).toBeGreaterThan(30)
    for (const sizes of [[1024], [1], [37, 1500], [100_000]]) {
      const { root, puts, counts } = await build(store, tree, first.root, { sizes })
      expect(root).toEqual(first.root)
      expect(counts).toMatchObject({ unchanged: tree.size, modified: 0, added: 0, deleted: 0 })
      // The last leaf, which ends with the tree and not by a rule, its fingerprints, and the pages above.
      expect(puts).toBeLessThanOrEqual(first.root!.level + 2)
    }
  })

  it('are read again where a chunk of an entry is in no pack any more', async () => {
    const store = new Store()
    const tree = someTree(4000)
    const { root } = await build(store, tree, null)
    for (const content of [7, 1000, 3999]) store.dead.add(hexOf(contentId(content)))
    const again = await build(store, tree, root)
    expect(again.counts).toMatchObject({ unchanged: tree.size, modified: 0 })
    expect(again.root).toEqual(root)
    const read: string[] = []
    const join = new ParentJoin(store.reader, root)
    for (const batch of batchesOf(tree, [500])) {
      const { job } = await join.merge(batch, 'data')
      const input = job && new ByteReader(job.metas)
      for (let i = 0; i < (job?.count ?? 0); i++) {
        const end = input!.u32() + input!.position
        read.push(readMeta(input!).path)
        input!.position = end
      }
    }
    const lost = [...tree].filter(([, { isFolder, content }]) => !isFolder && [7, 1000, 3999].includes(content))
    expect(read.sort()).toEqual(lost.map(([path]) => path).sort())
  })

  it('stand where only the fingerprints of folders are others', async () => {
    const store = new Store()
    const tree = someTree(4000)
    const { root } = await build(store, tree, null)
    const leaves = new Set(store.chunks.keys())
    const after = new Map([...tree].map(([path, item]) => [path, item.isFolder ? { ...item, print: 99 } : item]))
    const { root: next, counts } = await build(store, after, root)
    expect(counts).toMatchObject({ unchanged: tree.size })
    expect(next).toEqual((await build(new Store(), after, null)).root)
    // Only the last leaf was made again, and it is as it was.
    const fresh = [...store.chunks].filter(([id]) => !leaves.has(id)).map(([, bytes]) => bytes)
    expect(fresh.filter((bytes) => bytes[0] === 1 && bytes[1] === 1 && bytes[2] === 0)).toEqual([])
    expect(next!.id).not.toEqual(root!.id)
  })
})
