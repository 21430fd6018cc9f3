/** From two lines of the same key to what a user sees. */
import { plainValue, rawValues } from './copy-text.ts'
import type { RowChange } from './diff-rows.ts'
import type { RowSide } from './row-table.ts'

export function rowChange(
  before: { side: RowSide; line: string } | null,
  after: { side: RowSide; line: string } | null,
  key: readonly string[],
): RowChange {
  const old = before && rowOf(before.side, before.line)
  const now = after && rowOf(after.side, after.line)
  const row = (now ?? old)!
  return {
    type: !old ? 'added' : !now ? 'deleted' : 'modified',
    key: Object.fromEntries(key.map((name) => [name, row[name] ?? null])),
    ...(old && { before: old }),
    ...(now && { after: now }),
  }
}

function rowOf({ columns, decode }: RowSide, line: string): Record<string, string | null> {
  const values = rawValues(line)
  return Object.fromEntries(columns.map((name, i) => [name, plainValue(values[i], decode)]))
}

/** Raw values of the key; they are never null in a primary key. */
export function keyValues(line: string, positions: readonly number[]): string[] {
  const values = line.split('\t')
  return positions.map((at) => values[at] ?? '')
}
