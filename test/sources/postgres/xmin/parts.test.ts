import { describe, expect, it } from 'vitest'
import { partsOf } from '../../../../src/sources/postgres/xmin/counted-ranges.ts'
import { isUnchanged } from '../../../../src/sources/postgres/xmin/decide.ts'

describe('the parts that a table is counted in', () => {
  it('hold every page once, the last ones first and without an end', () => {
    expect(partsOf(0)).toEqual([{ from: null, to: null }])
    expect(partsOf(8192)).toEqual([{ from: null, to: null }])
    expect(partsOf(8193)).toEqual([
      { from: 8192, to: null },
      { from: null, to: 8192 },
    ])
    expect(partsOf(7, 3)).toEqual([
      { from: 6, to: null },
      { from: 3, to: 6 },
      { from: null, to: 3 },
    ])
  })

  it('are few, however large the table', () => {
    expect(partsOf(2 ** 32 - 1)).toHaveLength(1024)
  })
})

describe('a table as a whole', () => {
  const previous = {
    oid: '1',
    relfilenode: '2',
    print: '',
    cut: '',
    ranges: [
      ['a', 3, 30],
      ['b', 4, 40],
    ] as [string, number, number][],
  }

  it('is unchanged with the rows of all ranges and no new one', () => {
    expect(isUnchanged(previous, { rows: 7, fresh: 0 })).toBe(true)
    expect(isUnchanged(previous, { rows: 7, fresh: 1 })).toBe(false)
    expect(isUnchanged(previous, { rows: 6, fresh: 0 })).toBe(false)
  })
})
