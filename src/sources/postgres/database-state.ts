/** What one run leaves to the next one, in the facts of the source: where tables were cut, and how many rows they had. */
import { z } from 'zod'
import type { Json } from '../../errors.ts'
import type { RangeState } from './ranges.ts'
import { type IncrementalState, readIncrementalState } from './xmin/incremental-state.ts'

export interface TableState {
  readonly rows: number
  readonly bytes: number
  /** Absent: one range, in the order that is chosen anyway. */
  readonly ranges?: RangeState
}

/** By path of the table below the database, as in 'public/orders'. */
export type DatabaseState = Readonly<Record<string, TableState>>

export interface PreviousDatabase {
  readonly tables: DatabaseState
  /** Of `incremental: 'xmin'`. */
  readonly incremental: IncrementalState | undefined
}

/** Facts have to fit into 4 MiB. Beyond so many tables, only those are kept that were cut. */
const MAX_PLAIN_TABLES = 15_000

const count = z.number().nonnegative()
const cut = z.tuple([z.enum(['key', 'heap']), z.string(), z.string(), z.array(z.union([z.string(), count]))])
const stored = z.array(
  z.object({
    name: z.string(),
    incremental: z.optional(z.unknown()),
    state: z.record(z.string(), z.union([z.tuple([count, count]), z.tuple([count, count, cut])])),
  }),
)

/** Short, since there may be very many. */
export function encodeState(state: ReadonlyMap<string, TableState>): Json {
  const all = state.size <= MAX_PLAIN_TABLES
  const entries = [...state].filter(([, { ranges }]) => all || ranges !== undefined)
  return Object.fromEntries(
    entries.map(([path, { rows, bytes, ranges }]) => [
      path,
      ranges === undefined
        ? [rows, bytes]
        : [rows, bytes, [ranges.order, ranges.key, ranges.relfilenode, [...ranges.bounds]]],
    ]),
  )
}

/** By name of the database. Facts of another shape, from another release, count as none. */
export function decodeStates(facts: Readonly<Record<string, Json>> | undefined): Map<string, PreviousDatabase> {
  const parsed = stored.safeParse(facts?.databases)
  if (!parsed.success) return new Map()
  return new Map(
    parsed.data.map(({ name, state, incremental }) => [
      name,
      { tables: stateOf(state), incremental: readIncrementalState(incremental as Json | undefined) },
    ]),
  )
}

type Stored = z.output<typeof stored>[number]['state']

function stateOf(state: Stored): DatabaseState {
  return Object.fromEntries(
    Object.entries(state).map(([path, [rows, bytes, ranges]]) => {
      if (ranges === undefined) return [path, { rows, bytes }]
      const [order, key, relfilenode, bounds] = ranges
      return [path, { rows, bytes, ranges: { order, key, relfilenode, bounds } }]
    }),
  )
}
