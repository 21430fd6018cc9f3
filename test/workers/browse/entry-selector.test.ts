import { describe, expect, it } from 'vitest'
import { TYPE_DIRECTORY, TYPE_FILE } from '../../../src/model/entry.ts'
import { EntrySelector, type SelectorPlain } from '../../../src/workers/browse/entry-selector.ts'

const ALL = ['a', 'a/b', 'a/b/c.txt', 'a/b.txt', 'a-', 'a-/d.png', 'e.txt']
const isFolder = (path: string): boolean => ALL.some((other) => other.startsWith(`${path}/`))

function taken(plain: Partial<SelectorPlain>, paths: readonly string[] = ALL, mtimeNs = 5n): string[] {
  const selector = new EntrySelector('src', { include: [], exclude: [], ...plain })
  return paths.filter((path) => selector.selects({ path, type: isFolder(path) ? TYPE_DIRECTORY : TYPE_FILE, mtimeNs }))
}

describe('EntrySelector', () => {
  it('takes everything without patterns, and for the source itself', () => {
    expect(taken({})).toEqual(ALL)
    for (const include of ['src', 'src/', '*', 'src/**']) expect(taken({ include: [include] }), include).toEqual(ALL)
    expect(taken({ include: ['other'] })).toEqual([])
    expect(taken({ exclude: ['src'] })).toEqual([])
  })

  it('takes a folder with all in it, and nothing that only begins like it', () => {
    expect(taken({ include: ['src/a'] })).toEqual(['a', 'a/b', 'a/b/c.txt', 'a/b.txt'])
    expect(taken({ include: ['src/a?'] })).toEqual(['a-', 'a-/d.png'])
    expect(taken({ include: ['src/a/*'] })).toEqual(['a/b', 'a/b/c.txt', 'a/b.txt'])
    expect(taken({ include: ['**/*.txt'] })).toEqual(['a/b/c.txt', 'a/b.txt', 'e.txt'])
  })

  it('lets exclude win, for folders with all in them too', () => {
    expect(taken({ include: ['src/a'], exclude: ['src/a/b'] })).toEqual(['a', 'a/b.txt'])
    expect(taken({ exclude: ['**/b', '**/*.png'] })).toEqual(['a', 'a/b.txt', 'a-', 'e.txt'])
  })

  it('answers the same for an entry whether or not the folders above it were asked for', () => {
    for (const plain of [{ include: ['src/?'] }, { exclude: ['src/a', 'src/*/d*'] }, { include: ['src/a/b'] }]) {
      const all = taken(plain)
      for (const path of ALL) expect(taken(plain, [path]), path).toEqual(all.includes(path) ? [path] : [])
    }
  })

  it('compares names that are not UTF-8 as users write them', () => {
    expect(taken({ include: ['src/\uDCFFx'] }, ['\xffx', '\xffy'])).toEqual(['\xffx'])
    expect(taken({ include: ['src/é*'] }, ['\xc3\xa9a', '\xe9a'])).toEqual(['\xc3\xa9a'])
  })

  it('takes what was modified at a time or later, and gives the folders above once', () => {
    expect(taken({ changedAfterNs: 5n })).toEqual(['a/b/c.txt', 'a/b.txt', 'a-/d.png', 'e.txt'])
    expect(taken({ changedAfterNs: 6n })).toEqual([])
    const selector = new EntrySelector('src', { include: [], exclude: [], changedAfterNs: 5n })
    const folder = (path: string) => ({ path, type: TYPE_DIRECTORY, mtimeNs: 9n })
    const file = (path: string) => ({ path, type: TYPE_FILE, mtimeNs: 9n })
    for (const path of ['a', 'a/b', 'a/b/deep', 'a/c']) expect(selector.selects(folder(path))).toBe(false)
    expect(selector.selects(file('a/c/f'))).toBe(true)
    expect(selector.takeParents(file('a/c/f')).map(({ path }) => path)).toEqual(['a', 'a/c'])
    expect(selector.takeParents(file('a/c/g'))).toEqual([])
  })
})
