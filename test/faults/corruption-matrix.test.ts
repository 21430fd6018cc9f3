/** A sample of the matrix of docs/reliability.md, tried again; `npm run corruption` makes all of it. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { DAMAGES, type DamageName, damaged, type Surroundings, WAYS } from './corruption/damages.ts'
import { COLUMNS, type Column, lookAt } from './corruption/look.ts'
import { rowOf, surroundings } from './corruption/matrix.ts'
import { CLASSES, type ObjectClass } from './corruption/places.ts'
import { copyOf } from './corruption/scene.ts'
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

  it('says of a sound repository that it is one', async () => {
    const outcome = await lookAt(all.scene, copyOf(all.scene.objects))
    expect(Object.keys(outcome)).toEqual(COLUMNS)
    const { repair, restore, backup, 'backup, verify: data': backupData, ...rest } = outcome
    expect([repair, restore, backup, backupData]).toEqual(['nothing to do', 'exact', 'exact', 'exact'])
    expect(new Set(Object.values(rest))).toEqual(new Set(['ok']))
  })

  it.each(SAMPLE)('%s, %s: comes out as the page says', async (cls, damage) => {
    const wrong: never[] = []
    const { row, looks } = await rowOf(all, { cls, damage }, { wrong, maxPlaces: 1, maxWays: 1 })
    expect([wrong, looks]).toEqual([[], 1])
    const [way] = Object.values(WAYS[damage])
    const place = all.places.find((each) => each.cls === cls)!
    expect([...damaged(all, place, way!)!], 'nothing was damaged').not.toEqual([...all.scene.objects])
    // Every verb has looked at it, if anything opens it.
    const isOpen = row.open!.some((outcome) => outcome === 'ok' || outcome.includes('another key opens'))
    expect(Object.keys(row)).toEqual(isOpen ? COLUMNS : ['open'])
    const said = matrix[cls]![damage]!
    for (const [column, outcomes] of Object.entries(row)) {
      expect(outcomes, column).not.toEqual([])
      expect([column, said[column as Column]]).toEqual([column, expect.arrayContaining(outcomes)])
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
