/** Counts a table in parts, as many side by side as there are workers. */
import type { Connection } from '../connection.ts'
import type { SnapshotWorkers } from '../snapshot-workers.ts'
import { type CountedRange, type CountedTable, countPart, countRanges, type Part, sumOf } from './counted-ranges.ts'

export interface TableCount {
  /** Of the whole table; undefined as soon as one new row is found, since that says that ranges must be counted. */
  whole(): Promise<CountedRange | undefined>
  ranges(): Promise<readonly CountedRange[]>
}

/** `xmin`: see `countRanges`. */
export function tableCount(
  workers: SnapshotWorkers,
  table: CountedTable,
  parts: readonly Part[],
  xmin: string,
): TableCount {
  const each = <T>(count: (connection: Connection, part: Part) => Promise<T>): Promise<T[]> =>
    all(parts.map((part) => workers.run(table, (connection) => count(connection, part))))
  return {
    whole: async () => {
      let isFresh = false
      const counted = await each(async ({ client }, part) => {
        if (isFresh) return { rows: 0, fresh: 1 }
        const found = await countPart(client, table, part, xmin)
        isFresh ||= found.fresh > 0
        return found
      })
      return isFresh ? undefined : sumOf(counted)
    },
    ranges: async () => {
      const counted = await each(({ client }, part) => countRanges(client, table, part, xmin))
      return counted[0]!.map((_, range) => sumOf(counted.map((ranges) => ranges[range]!)))
    },
  }
}

/** All of them have ended when this rejects, so that none is at work on a connection that is given back. */
async function all<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(tasks)
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}
