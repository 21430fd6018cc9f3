import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdTable } from '../../../src/workers/chunks/id-table.ts'
import { seededBytes } from '../../chunking/seeded.ts'

interface Claimed {
  got: number[]
  full: number
}

const THREADS = 4

/** All threads claim all ids at once, each from another place on. */
async function race(table: IdTable, ids: Uint8Array, starts: (thread: number) => number): Promise<Claimed[]> {
  const gate = new SharedArrayBuffer(4)
  const claim = (thread: number): Promise<Claimed> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('../fixtures/claimer.ts', import.meta.url), {
        workerData: { plain: table.plain, ids, start: starts(thread), gate },
        execArgv: [],
      })
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  return Promise.all(Array.from({ length: THREADS }, (_, thread) => claim(thread)))
}

function uniqueIds(count: number, seed: number): Uint8Array {
  const ids = seededBytes(count * 32, seed)
  for (let i = 0; i < count; i++) new DataView(ids.buffer).setUint32(i * 32 + 28, i)
  return ids
}

describe('claims by four threads at once', () => {
  it.each([
    ['from the same place', () => 0],
    ['each from its own', (thread: number) => thread * 4000],
  ])('give each id to exactly one of them, %s', async (_, starts) => {
    const count = 16_000
    const ids = uniqueIds(count, 1)
    let winners = 0
    // On a busy machine one thread may be done before the others have begun: again, until there was a race.
    for (let round = 0; round < 20 && winners < 2; round++) {
      // Entries are lost to races, so there must be room.
      const table = IdTable.create(count * 2)
      const claimed = await race(table, ids, starts)
      const all = claimed.flatMap(({ got }) => got)
      expect(claimed.map(({ full }) => full)).toEqual([0, 0, 0, 0])
      expect(all).toHaveLength(count)
      expect(new Set(all).size).toBe(count)
      for (let i = 0; i < count; i++) expect(table.find(ids, i * 32)).toBeGreaterThanOrEqual(0)
      winners = claimed.filter(({ got }) => got.length > 0).length
    }
    expect(winners).toBeGreaterThan(1)
  })

  it('of ids that all have the same home do so too', async () => {
    const count = 300
    const ids = uniqueIds(count, 2)
    for (let i = 0; i < count; i++) ids.fill(0xff, i * 32, i * 32 + 4)
    const table = IdTable.create(count * 4)
    const claimed = await race(table, ids, (thread) => thread * 7)
    expect(claimed.flatMap(({ got }) => got).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
  })

  it('of more than there is room for never give an id twice, and say that it is full', async () => {
    const count = 4000
    const ids = uniqueIds(count, 3)
    const table = IdTable.create(1000)
    const claimed = await race(table, ids, (thread) => thread * 1000)
    const all = claimed.flatMap(({ got }) => got)
    expect(new Set(all).size).toBe(all.length)
    expect(all.length).toBeLessThanOrEqual(1000)
    expect(all.length).toBeGreaterThan(500)
    expect(claimed.reduce((sum, { full }) => sum + full, 0)).toBeGreaterThan(0)
    expect(table.count).toBe(1000)
    for (const i of all)
      expect(Buffer.compare(table.idOf(table.find(ids, i * 32)), ids.subarray(i * 32, i * 32 + 32))).toBe(0)
  })
})

describe('one thread', () => {
  it('finds what it added, each as often as it was added, and nothing else', () => {
    const id = fc.uint8Array({ minLength: 32, maxLength: 32 })
    // Few different ones, so that there are doubles and collisions.
    const few = fc.integer({ min: 0, max: 20 }).map((n) => new Uint8Array(32).fill(n % 5, 0, 4).fill(n, 4))
    fc.assert(
      fc.property(fc.array(fc.oneof(id, few), { maxLength: 60 }), fc.array(few), (added, asked) => {
        const table = IdTable.create(added.length)
        for (const [n, each] of added.entries()) expect(table.add(each)).toBe(n)
        expect(table.add(new Uint8Array(32))).toBe(-1)
        for (const each of [...added, ...asked]) {
          const found: number[] = []
          for (let entry = table.find(each); entry >= 0; entry = table.findNext(each)) found.push(entry)
          const expected = added.flatMap((other, n) => (Buffer.compare(each, other) === 0 ? [n] : []))
          expect(found.sort((a, b) => a - b)).toEqual(expected)
        }
        expect(table.count).toBe(added.length)
      }),
    )
  })

  it('finds what another table has, as often as when it is asked by id', () => {
    const few = fc.integer({ min: 0, max: 5 }).map((n) => new Uint8Array(32).fill(n))
    const lists = fc.array(few, { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(lists, lists, (mine, theirs) => {
        const [table, other] = [mine, theirs].map((ids) => {
          const made = IdTable.create(ids.length)
          for (const id of ids) made.add(id)
          return made
        }) as [IdTable, IdTable]
        for (const [entry, id] of theirs.entries()) {
          const found: number[] = []
          for (let at = table.findLike(other, entry); at >= 0; at = table.findNextLike(other, entry)) found.push(at)
          expect(found.sort((a, b) => a - b)).toEqual(
            mine.flatMap((each, n) => (Buffer.compare(each, id) === 0 ? [n] : [])),
          )
        }
      }),
    )
  })

  it('takes ids from the middle of a buffer', () => {
    const ids = uniqueIds(10, 4)
    const table = IdTable.create(10)
    for (let i = 0; i < 10; i++) expect(table.claim(ids, i * 32)).toBe('claimed')
    for (let i = 0; i < 10; i++) {
      expect(table.claim(ids, i * 32)).toBe('known')
      expect(Buffer.compare(table.idOf(table.find(ids, i * 32)), ids.subarray(i * 32, i * 32 + 32))).toBe(0)
    }
  })

  it('needs less than 70 bytes a chunk, with the columns of the index', () => {
    expect(IdTable.create(100_000, 12).sizeBytes / 100_000).toBeLessThan(70)
  })
})
