/** Which ranges of a table are proved unchanged since the previous snapshot. */
import type { CountedRange } from './counted-ranges.ts'
import type { TableState } from './incremental-state.ts'

/** Whether it is worth counting at all: the same table, in the same files, cut and printed the same way. */
export function isSameTable(
  previous: TableState | undefined,
  now: Pick<TableState, 'oid' | 'relfilenode' | 'print' | 'cut'>,
): previous is TableState {
  return (
    previous !== undefined &&
    previous.oid === now.oid &&
    previous.relfilenode === now.relfilenode &&
    previous.print === now.print &&
    previous.cut === now.cut
  )
}

/**
 * The token of each range that is unchanged: as many rows as before, and none of them new. A row that went would be
 * missing in the count, unless another came, and that one is new.
 */
export function unchangedTokens(previous: TableState, counted: readonly CountedRange[]): (string | undefined)[] {
  return counted.map(({ rows, fresh }, range) =>
    fresh === 0 && rows === previous.rows[range] ? previous.tokens[range] : undefined,
  )
}
