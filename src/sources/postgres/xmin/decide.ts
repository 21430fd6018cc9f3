/** Which ranges of a table are proved unchanged since the previous snapshot. */
import type { CountedRange } from './counted-ranges.ts'
import type { TableState } from './incremental-state.ts'

/** A range whose content is that of the previous snapshot. */
export interface KnownRange {
  readonly token: string
  readonly rows: number
  readonly bytes: number
}

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

/** The rule below for a table as a whole: where no row is new, none has come from another range either. */
export function isUnchanged(previous: TableState, counted: CountedRange): boolean {
  return counted.fresh === 0 && counted.rows === previous.ranges.reduce((sum, [, rows]) => sum + rows, 0)
}

/**
 * As many rows as before, and none of them new: a row that went would be missing in the count, unless another came, and
 * that one is new.
 */
export function unchangedRanges(
  previous: TableState,
  counted: readonly CountedRange[],
): readonly (KnownRange | undefined)[] {
  return counted.map((range, index) => {
    const before = previous.ranges[index]
    return range.fresh === 0 && range.rows === before?.[1] ? knownRange(before) : undefined
  })
}

export function knownRange([token, rows, bytes]: TableState['ranges'][number]): KnownRange {
  return { token, rows, bytes }
}
