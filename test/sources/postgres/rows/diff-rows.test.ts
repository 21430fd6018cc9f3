import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256Hex } from '../../../../src/crypto/hash.ts'
import { BackupError, type Json } from '../../../../src/errors.ts'
import {
  diffRows,
  type RowChange,
  type RowEngine,
  type RowEntry,
} from '../../../../src/sources/postgres/rows/diff-rows.ts'

const TABLE = 'main/public/t'

interface Side {
  ranges: readonly string[]
  order?: 'key' | 'heap'
  columns?: readonly { name: string; type: string; generated?: boolean }[]
  primaryKey?: readonly string[]
}

const COLUMNS = [
  { name: 'id', type: 'integer' },
  { name: 'v', type: 'text' },
]

/** Two snapshots, 'base' and 'head', that hold one table each, and a record of what was read. */
function engineOf(sides: Readonly<Record<string, Side | undefined>>): RowEngine<string> & { reads: string[] } {
  const reads: string[] = []
  return {
    reads,
    async *entries({ snapshot, path }) {
      const side = sides[snapshot]
      if (path === 'main/public') yield* side ? [tableEntry(side)] : []
      else yield* (side?.ranges ?? []).map(rangeEntry)
    },
    async read({ snapshot, path }) {
      reads.push(`${snapshot} ${path}`)
      const text = sides[snapshot]!.ranges[Number(path.slice(-6)) - 1]!
      return (async function* () {
        const bytes = Buffer.from(text, 'utf8')
        for (let at = 0; at < bytes.length; at += 7) yield new Uint8Array(bytes.subarray(at, at + 7))
      })()
    },
  }
}

function tableEntry({ order = 'heap', columns = COLUMNS, primaryKey = ['id'] }: Side): RowEntry {
  const facts = { columns, key: primaryKey, rowOrder: order, rowOrderBy: order === 'key' ? primaryKey : null }
  return { path: TABLE, type: 'table', size: 0, facts: facts as unknown as Record<string, Json> }
}

function rangeEntry(text: string, i: number): RowEntry {
  const bytes = Buffer.from(text, 'utf8')
  const path = `${TABLE}/${String(i + 1).padStart(6, '0')}`
  return { path, type: 'rows', size: bytes.length, facts: { sha256: sha256Hex(bytes) } }
}

async function changes(sides: Readonly<Record<string, Side | undefined>>): Promise<RowChange[]> {
  const found: RowChange[] = []
  for await (const change of diffRows(engineOf(sides), { base: 'base', head: 'head', table: TABLE })) found.push(change)
  return found
}

const text = (rows: readonly (readonly [number, string])[]): string => rows.map(([id, v]) => `${id}\t${v}\n`).join('')

describe('diffRows', () => {
  it('says what was added, modified and deleted, with the rows as Postgres prints them', async () => {
    const base = {
      ranges: [
        text([
          [1, 'same'],
          [2, 'old\\tvalue'],
          [3, '\\N'],
        ]),
      ],
    } // prettier-ignore
    const head = {
      ranges: [
        text([
          [1, 'same'],
          [2, 'new\\\\é'],
          [4, 'x'],
        ]),
      ],
    } // prettier-ignore
    for (const order of ['key', 'heap'] as const) {
      const found = await changes({ base: { ...base, order }, head: { ...head, order } })
      expect(found.sort((a, b) => Number(a.key.id) - Number(b.key.id))).toEqual([
        { type: 'modified', key: { id: '2' }, before: { id: '2', v: 'old\tvalue' }, after: { id: '2', v: 'new\\é' } },
        { type: 'deleted', key: { id: '3' }, before: { id: '3', v: null } },
        { type: 'added', key: { id: '4' }, after: { id: '4', v: 'x' } },
      ])
    }
  })

  it('does not read ranges that are equal on both sides', async () => {
    const same = text([
      [1, 'a'],
      [2, 'b'],
    ]) // prettier-ignore
    const engine = engineOf({ base: { ranges: [same, '3\tc\n'] }, head: { ranges: [same, '3\td\n'] } })
    const found: RowChange[] = []
    for await (const change of diffRows(engine, { base: 'base', head: 'head', table: TABLE })) found.push(change)
    expect(found).toHaveLength(1)
    expect(engine.reads.sort()).toEqual([`base ${TABLE}/000002`, `head ${TABLE}/000002`])
  })

  it('finds exactly what differs, in any order of rows', async () => {
    const row = fc.tuple(fc.integer({ min: -30, max: 30 }), fc.constantFrom('a', 'b', '\\N', 'é'))
    const rows = fc.uniqueArray(row, { selector: ([id]) => id, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(rows, rows, fc.boolean(), async (left, right, isOrdered) => {
        const order = isOrdered ? 'key' : 'heap'
        const placed = (all: typeof left): typeof left => (isOrdered ? [...all].sort(([a], [b]) => a - b) : all)
        const found = await changes({
          base: { ranges: [text(placed(left))], order },
          head: { ranges: [text(placed(right))], order },
        })
        const before = new Map(left)
        const after = new Map(right)
        const expected = [...new Set([...before.keys(), ...after.keys()])]
          .filter((id) => before.get(id) !== after.get(id))
          .map((id) => `${id} ${!before.has(id) ? 'added' : after.has(id) ? 'modified' : 'deleted'}`)
        expect(found.map(({ key, type }) => `${key.id} ${type}`).sort()).toEqual(expected.sort())
        if (isOrdered)
          expect(found.map(({ key }) => Number(key.id))).toEqual(
            found.map(({ key }) => Number(key.id)).sort((a, b) => a - b),
          )
      }),
      { numRuns: 200 },
    )
  })

  it('a table that came or went is all added or all deleted', async () => {
    const side = { ranges: [text([[1, 'a']])] }
    expect(await changes({ base: undefined, head: side })).toMatchObject([{ type: 'added' }])
    expect(await changes({ base: side, head: undefined })).toMatchObject([{ type: 'deleted' }])
  })

  it('refuses what cannot be compared', async () => {
    const none = { ranges: ['1\ta\n'], primaryKey: [] }
    await expect(changes({ base: none, head: none })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(changes({ base: undefined, head: undefined })).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
    const cut = { ranges: ['1\ta\n2\tb'] }
    await expect(changes({ base: cut, head: { ranges: ['1\ta\n'] } })).rejects.toSatisfy(
      (error) => BackupError.is(error) && error.code === 'OBJECT_CORRUPT',
    )
  })
})
