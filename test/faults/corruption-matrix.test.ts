/** A sample of the matrix of docs/reliability.md, tried again; `npm run corruption` makes all of it. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DamageName, Surroundings } from './corruption/damages.ts'
import { DAMAGES } from './corruption/damages.ts'
import type { Column } from './corruption/look.ts'
import { rowOf, surroundings } from './corruption/matrix.ts'
import { CLASSES, type ObjectClass } from './corruption/places.ts'
import { matrixText, readKept } from './corruption/table.ts'

const PAGE = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8')
const { matrix } = readKept()

/** Of each kind of outcome one; a single way and place of each. */
const SAMPLE: readonly (readonly [ObjectClass, DamageName])[] = [
  ['config', 'zeroed'],
  ['key slot', 'one bit'],
  ['pack: content', 'one bit'],
  ['pack: pages', 'missing'],
  ['pack: facts', 'zeroed'],
  ['index fragment', 'missing'],
  ['snapshot', 'truncated'],
  ['tombstone', 'old version'],
  ['gc done', 'garbage'],
]

describe('the matrix of damage', () => {
  let all: Surroundings
  beforeAll(async () => {
    all = await surroundings()
  })

  it.each(SAMPLE)('%s, %s: comes out as the page says', async (cls, damage) => {
    const wrong: never[] = []
    const { row, looks } = await rowOf(all, { cls, damage }, { wrong, maxPlaces: 1, maxWays: 1 })
    expect([wrong, looks]).toEqual([[], 1])
    const said = matrix[cls]![damage]!
    for (const [column, [outcome]] of Object.entries(row)) {
      expect([column, said[column as Column]]).toEqual([column, expect.arrayContaining([outcome])])
    }
  })

  it('is in docs/reliability.md as it was made, with every class, every damage that it can have, and nothing wrong', () => {
    const part = PAGE.slice(PAGE.indexOf('<!-- corruption -->'), PAGE.indexOf('<!-- end of corruption -->'))
    expect(part.replace('<!-- corruption -->', '').trim()).toBe(matrixText(readKept()))
    expect(Object.keys(matrix).sort()).toEqual([...CLASSES].sort())
    for (const cls of CLASSES) {
      // What has no name or no earlier version of its own: parts of packs, and objects that are created once and not numbered.
      const lacks = DAMAGES.filter((damage) => !matrix[cls]?.[damage])
      expect([cls, lacks.filter((damage) => !['wrong name', 'old version', 'swapped'].includes(damage))]).toEqual([
        cls,
        [],
      ])
    }
    const outcomes = Object.values(matrix).flatMap((rows) =>
      Object.values(rows).flatMap((row) => Object.values(row).flat()),
    )
    expect(outcomes).not.toContain('WRONG')
  })
})
