/** The order of keys into the order of paths, against sorting all of them, with lists that show what is asked of a store. */
import { describe, expect, it } from 'vitest'
import { keyToPath, pathToKey } from '../../../src/sources/s3/key-path.ts'
import { inPathOrder } from '../../../src/sources/s3/order.ts'
import type { ListRows, Row } from '../../../src/sources/s3/rows.ts'
import { comparePaths, isSafePath } from '../../../src/util/paths.ts'

/** A store of keys that counts its pages. */
function store(keys: readonly string[], pageSize: number): { list: ListRows; pages(): number } {
  const sorted = [...new Set(keys)].sort()
  let pages = 0
  return {
    pages: () => pages,
    async *list(prefix, after) {
      const fitting = sorted.filter((key) => key.startsWith(prefix) && (after === undefined || key > after))
      for (let at = 0; at === 0 || at < fitting.length; at += pageSize) {
        pages++
        yield fitting.slice(at, at + pageSize).map(rowOf)
      }
    },
  }
}

const rowOf = (key: string): Row => ({ key, size: 1, etag: '"e"', modifiedAt: undefined, listedMs: 0 })

async function ordered(list: ListRows, prefix: string, mostHeld?: number): Promise<string[]> {
  const keys: string[] = []
  const options = mostHeld === undefined ? {} : { mostHeld }
  for await (const rows of inPathOrder(list, prefix, options)) keys.push(...rows.map(({ key }) => key))
  return keys
}

const inOrder = (keys: readonly string[]): string[] => [...new Set(keys)].sort(comparePaths)

/** Keys of few characters, so that all kinds of neighbours come up. */
function randomKeys(seed: number, count: number): string[] {
  let state = seed
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const characters = ['/', '/', '-', '.', '!', ' ', 'a', 'a', 'b', '\xe9', '\x01', '#']
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(7) }, () => characters[next(characters.length)]).join(''),
  )
}

describe('the order of paths', () => {
  it('is that of sorting all, for any keys, pages and room', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const keys = randomKeys(seed, 10 + (seed % 90))
      const { list } = store(keys, 1 + (seed % 7))
      expect(await ordered(list, '', seed % 3 === 0 ? undefined : seed % 11), `seed ${seed}`).toEqual(inOrder(keys))
    }
  })

  it('stays below a prefix', async () => {
    const keys = randomKeys(7, 300).map((key) => `up/${key}`)
    const { list } = store([...keys, 'up', 'up-', 'up0', 'a', 'z'], 5)
    expect(await ordered(list, 'up/', 3)).toEqual(inOrder(keys))
  })

  it('asks for nothing more where names end in extensions, and holds few', async () => {
    const keys = Array.from({ length: 5000 }, (_, i) => `${i % 10}/photo${i}.jpg`)
    const { list, pages } = store(keys, 100)
    let most = 0
    let given = 0
    for await (const rows of inPathOrder(list, '')) {
      given += rows.length
      most = Math.max(most, pages() * 100 - given)
    }
    expect([given, pages(), most < 200]).toEqual([5000, 50, true])
  })

  it('lists a folder by itself once where its neighbours would be too many to hold, and nothing twice', async () => {
    const days = Array.from({ length: 3000 }, (_, i) => `log-${String(i).padStart(5, '0')}`)
    const inside = Array.from({ length: 2000 }, (_, i) => `log/${String(i).padStart(5, '0')}`)
    const { list, pages } = store([...days, ...inside, 'zzz'], 100)
    expect(await ordered(list, '', 500)).toEqual(inOrder([...days, ...inside, 'zzz']))
    // 30 of the days, 20 of the folder, and one for the page that shows that it is over.
    expect(pages()).toBeLessThanOrEqual(54)
  })
})

describe('keys as paths', () => {
  it('stay what they are where they can', () => {
    for (const key of ['a', 'a/b.c', '.hidden', '..a', 'a b', 'é', '~', '$', 'a#b', 'a!'])
      expect(keyToPath(key)).toBe(key)
  })

  it('are written with a mark where they cannot', () => {
    const odd = {
      '': '#',
      '/': '#/#',
      'a/': 'a/#',
      'a//b': 'a/#/b',
      '.': '.#',
      '../x': '..#/x',
      '#a': '##a',
      '.!': '.#!',
    }
    for (const [key, path] of Object.entries(odd)) expect(keyToPath(key)).toBe(path)
  })

  it('come back, keep their order, and never meet', () => {
    const keys = inOrder([...randomKeys(3, 4000), '', 'a/', 'a//', 'x\0y', 'x\x01', '\0', '.\0', '..\x01/..'])
    const paths = keys.map(keyToPath)
    expect(paths.map(pathToKey)).toEqual(keys)
    expect(paths.every(isSafePath)).toBe(true)
    expect(paths.toSorted(comparePaths)).toEqual(paths)
    expect(new Set(paths).size).toBe(paths.length)
  })

  it('of an object that is also a folder come back as well, and before what is in it', () => {
    for (const key of ['a', '', 'a/', '.', 'a!']) {
      const path = `${keyToPath(key)}/!`
      expect(pathToKey(path)).toBe(key)
      for (const below of ['', '!', '\x01', '/'])
        expect(comparePaths(path, keyToPath(`${key}/${below}`))).toBeLessThan(0)
    }
  })
})
