import { describe, expect, it } from 'vitest'
import { deferListing, listSorted, makeListing } from '../../../src/engine/listing.ts'

/** Numbers from 0; a place is a number. */
function numbers(count: number, taken: number[] = []) {
  return makeListing<number, number>({
    async *iterate(after) {
      for (let n = (after ?? -1) + 1; n < count; n++) {
        taken.push(n)
        yield n
      }
    },
    placeOf: (n) => n,
    parsePlace: (value) => (typeof value === 'number' ? value : undefined),
  })
}

describe('makeListing', () => {
  it('pages through everything exactly once', async () => {
    const listing = numbers(25)
    const seen: number[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await listing.page({ limit: 10, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.items)
      cursor = page.next
      pages++
    } while (cursor !== undefined)
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => n))
    expect(pages).toBe(3)
  })

  it('has no next page when the last one is full to the brim', async () => {
    expect((await numbers(10).page({ limit: 10 })).next).toBeUndefined()
    expect((await numbers(11).page({ limit: 10 })).next).toBeDefined()
    expect(await numbers(0).page()).toEqual({ items: [] })
  })

  it('reads 100 by default, and no more than it needs', async () => {
    const taken: number[] = []
    expect((await numbers(1e9, taken).page()).items).toHaveLength(100)
    expect(taken).toHaveLength(101)
  })

  it('iterates, and makes arrays', async () => {
    const seen: number[] = []
    for await (const n of numbers(3)) seen.push(n)
    expect(seen).toEqual([0, 1, 2])
    expect(await numbers(3).toArray()).toEqual([0, 1, 2])
    expect(await numbers(1e9).toArray({ limit: 2 })).toEqual([0, 1])
  })

  it.each([0, -1, 1.5, 10_001, Number.NaN, '5'])('refuses a limit of %s', async (limit) => {
    await expect(numbers(1).page({ limit: limit as number })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      details: { option: 'limit' },
    })
  })

  it.each(['', 'nonsense', Buffer.from('{}').toString('base64url'), Buffer.from('[1,"x"]').toString('base64url')])(
    'refuses the cursor %s',
    async (cursor) => {
      await expect(numbers(1).page({ cursor })).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
        details: { option: 'cursor' },
      })
    },
  )
})

describe('listSorted', () => {
  const item = (time: number, id: string) => ({ time, id })
  const listing = (items: { time: number; id: string }[]) =>
    listSorted({
      load: async () => [...items].sort((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1)),
      placeOf: ({ time, id }) => [time, id],
      order: 'newest',
    })

  it('knows the total', async () => {
    expect(await listing([item(1, 'a'), item(2, 'b')]).page({ limit: 1 })).toMatchObject({ total: 2 })
  })

  it('goes on at the right place when the last item seen is deleted and a newer one has come', async () => {
    const items = [item(1, 'a'), item(2, 'b'), item(2, 'c'), item(3, 'd')]
    const first = await listing(items).page({ limit: 2 })
    expect(first.items.map((i) => i.id)).toEqual(['d', 'c'])
    const now = [item(1, 'a'), item(2, 'b'), item(3, 'd'), item(4, 'e')]
    const second = await listing(now).page({ cursor: first.next as string })
    expect(second.items.map((i) => i.id)).toEqual(['b', 'a'])
  })
})

describe('deferListing', () => {
  it('rejects where it is used, never throws where it is made', async () => {
    const listing = deferListing<number>(() => {
      throw new Error('closed')
    })
    await expect(listing.page()).rejects.toThrow('closed')
    await expect(listing.toArray()).rejects.toThrow('closed')
    await expect(listing[Symbol.asyncIterator]().next()).rejects.toThrow('closed')
  })
})
