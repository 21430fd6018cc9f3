/** Large objects as entries. */
import type { SourceEntry } from '../source.ts'
import { CopyOut } from './copy-out.ts'
import type { TableState } from './database-state.ts'
import { type LargeObjects, largeObjectStatement, largeObjectsScript } from './large-objects-out.ts'
import { rangeFile } from './names.ts'
import { pgError } from './pg-error.ts'
import { planRanges, type Range } from './ranges.ts'
import type { ReadContext } from './read-context.ts'
import { partial } from './reading-tables.ts'
import type { Lead } from './snapshot-lead.ts'
import type { SnapshotWorkers } from './snapshot-workers.ts'

/** Folder of their entries, and their name in the state for the next run. */
export const LARGE_OBJECTS = 'pg_largeobject'

export interface LargeObjectEntries {
  readonly entries: readonly SourceEntry[]
  readonly ranges: number
  readonly state: TableState | undefined
}

export async function largeObjectEntries(
  objects: LargeObjects | undefined,
  lead: Lead,
  prefix: string,
  context: ReadContext,
  workers: SnapshotWorkers,
): Promise<LargeObjectEntries> {
  if (objects === undefined) return { entries: [], ranges: 0, state: undefined }
  const plan = await planRanges(lead.client, objects.table, 'key', context.parts.previous?.[LARGE_OBJECTS]?.ranges)
  const ranges = plan.ranges.map((range, index) =>
    rangeEntry(`${prefix}${LARGE_OBJECTS}/${rangeFile(index + 1)}`, objects.direct, range, context, workers),
  )
  // Not rows of tables: they must not count where rows are compared.
  const state = { rows: 0, bytes: 0, ranges: plan }
  const script = scriptEntry(`${prefix}${LARGE_OBJECTS}/objects.sql`, lead, context)
  return { entries: [...ranges, script], ranges: ranges.length, state }
}

function rangeEntry(
  path: string,
  direct: boolean,
  range: Range,
  context: ReadContext,
  workers: SnapshotWorkers,
): SourceEntry {
  let copy: CopyOut
  return {
    path,
    type: 'blob',
    facts: { bounds: { lower: range.lower, upper: range.upper, by: 'oid' } },
    content: {
      from: 'stream',
      chunks: 'table',
      open: ({ signal }) => {
        copy = new CopyOut(largeObjectStatement(direct, range))
        return context.guard(
          signal,
          () => workers.read(undefined, (connection) => copy.read(connection)),
          (error) => pgError(error, 'source', 'cannot read large objects'),
        )
      },
      finish: ({ lineFeeds, bytes, sha256 }) => {
        if (copy.rows !== lineFeeds) throw partial(LARGE_OBJECTS, copy.rows, lineFeeds)
        return { rows: lineFeeds, bytes, sha256 }
      },
    },
  }
}

function scriptEntry(path: string, lead: Lead, context: ReadContext): SourceEntry {
  return {
    path,
    type: 'script',
    content: {
      from: 'stream',
      open: ({ signal }) =>
        context.guard(
          signal,
          () => largeObjectsScript(lead, context.parts.settings),
          (error) => pgError(error, 'source', 'cannot read large objects'),
        ),
    },
  }
}
