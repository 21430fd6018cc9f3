import { expect, it } from 'vitest'
import { partitionRows } from '../../../../src/sources/postgres/rows/partition-rows.ts'
import type { RowSide } from '../../../../src/sources/postgres/rows/row-table.ts'

function sideOf(rows: readonly string[]): RowSide & { passes: number } {
  const side = {
    passes: 0,
    columns: ['id', 'v'],
    sizeBytes: rows.join('\n').length + 1,
    lines: async function* () {
      side.passes++
      yield [...rows]
    },
    positions: () => [0],
    compare: () => 0,
  }
  return side
}

it('matches rows in several passes when they do not fit into one', async () => {
  const ids = Array.from({ length: 1000 }, (_, i) => i)
  const base = sideOf(ids.map((id) => `${id}\tsame`))
  const head = sideOf(ids.filter((id) => id !== 7).map((id) => `${id}\t${id === 500 ? 'other' : 'same'}`))
  const found: string[] = []
  for await (const { type, key } of partitionRows(base, head, ['id'], 1024)) found.push(`${type} ${key.id}`)
  expect(found.sort()).toEqual(['deleted 7', 'modified 500'])
  expect(base.passes).toBeGreaterThan(5)
})
