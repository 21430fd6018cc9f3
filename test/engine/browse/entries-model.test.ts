/** Listings against a plain model of what they should give, for trees of any shape. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SourceEntry } from '../../../src/sources/source.ts'
import { comparePaths, userToLatin1 } from '../../../src/util/paths.ts'
import { file, folder, listSource, openEngine } from './browse-fixture.ts'

const segment = fc.constantFrom('a', 'b', 'a-', 'a.b', 'ab', '\u0001', 'é', '\uDCFF')
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))

/** Folders have an entry of their own, or have none: both occur. */
const tree = fc
  .uniqueArray(fc.tuple(path, fc.boolean()), { selector: ([each]) => each, maxLength: 40 })
  .map((drawn) => {
    const isAbove = (each: string): boolean => drawn.some(([other]) => other.startsWith(`${each}/`))
    return drawn.map(([each, empty]) => (isAbove(each) || empty ? folder(each) : file(each)))
  })

function inOrder(paths: Iterable<string>): string[] {
  return [...paths].sort((a, b) => comparePaths(userToLatin1(a), userToLatin1(b)))
}

function childrenOf(list: readonly SourceEntry[], above: string): string[] {
  const below = above === '' ? '' : `${above}/`
  const inside = list.filter((entry) => entry.path.startsWith(below)).map((entry) => entry.path.slice(below.length))
  return inOrder(new Set(inside.map((rest) => `${below}${rest.split('/')[0]}`)))
}

it('gives the same as a model, whole or in pages of any size', async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.integer({ min: 1, max: 5 }), async (list, limit) => {
      await using engine = await openEngine([listSource('s', list)])
      await engine.backup()
      const paged = async (of: string, recursive: boolean): Promise<string[]> => {
        const listing = engine.entries({ snapshot: 'latest', path: of === '' ? 's' : `s/${of}`, recursive })
        const found: string[] = []
        for (let cursor: string | undefined; ; ) {
          const page = await listing.page({ limit, ...(cursor && { cursor }) })
          found.push(...page.items.map((entry) => entry.path.slice(2)))
          expect(page.items.length).toBeLessThanOrEqual(limit)
          if (!page.next) return found
          cursor = page.next
        }
      }
      for (const above of ['', 'a', 'a/b', 'ab', 'é']) {
        const known = above === '' || list.some((entry) => `${entry.path}/`.startsWith(`${above}/`))
        if (!known) {
          await expect(paged(above, false)).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
          continue
        }
        if (list.some((entry) => entry.path === above && entry.type === 'file')) continue
        expect(await paged(above, false)).toEqual(childrenOf(list, above))
        const below = list.filter((entry) => above === '' || entry.path.startsWith(`${above}/`))
        expect(await paged(above, true)).toEqual(inOrder(below.map((entry) => entry.path)))
      }
    }),
    { numRuns: 25 },
  )
})
