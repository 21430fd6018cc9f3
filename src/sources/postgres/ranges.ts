/**
 * How a table is cut into ranges that are read side by side. A boundary stays where it was in the previous snapshot, so
 * that an unchanged range is the same bytes again; a table that grew gets new ones at its end.
 */
import type { Table } from './catalog/tables.ts'
import type { PgClient } from './connection.ts'
import { quoteIdent, quoteLiteral, quoteQualified } from './names.ts'

/** Heap and TOAST of one range, about. */
const RANGE_BYTES = 256 * 1024 * 1024
const MAX_RANGES = 1024
/** About so many pages are looked at to find out how keys are spread. */
const SAMPLE_PAGES = 2000

/** What is kept in the facts of the source for the next run. */
export interface RangeState {
  readonly order: 'key' | 'heap'
  /** Lower bounds of all ranges but the first: key values as text, or pages. */
  readonly bounds: readonly (string | number)[]
  readonly relfilenode: string
  /** Column and type that bounds of keys are of; '' for pages. */
  readonly key: string
}

export interface RangePlan extends RangeState {
  /** Of the bytes that are read, where it is not that of the session. */
  readonly encoding?: string | undefined
  readonly ranges: readonly Range[]
  readonly orderBy: readonly string[]
}

export interface Range {
  readonly lower: string | number | null
  readonly upper: string | number | null
}

/** Types whose values mostly grow from row to row. */
const GROWING = new Set([
  'int2',
  'int4',
  'int8',
  'oid',
  'date',
  'timestamp',
  'timestamptz',
  'numeric',
  'xid8',
  'pg_lsn',
])

/**
 * Types that a key can be cut by. Not text: a new version of a collation may sort the kept boundaries another way, and
 * then rows would be in two ranges, or in none.
 */
const SORTED_FOR_EVER = new Set([...GROWING, 'uuid', 'bytea', 'inet', 'macaddr', 'bool', 'char', 'time', 'interval'])

/** The way of the previous snapshot, if it still can be gone. */
export function chooseOrder(
  table: Pick<Table, 'key'>,
  wanted: 'auto' | 'key' | 'heap',
  previous: RangeState | undefined,
): 'key' | 'heap' {
  const first = table.key[0]
  if (first === undefined || wanted === 'heap') return 'heap'
  if (wanted === 'key') return 'key'
  return previous?.order ?? (GROWING.has(first.type) ? 'key' : 'heap')
}

export async function planRanges(
  client: PgClient,
  table: Table,
  wanted: 'auto' | 'key' | 'heap',
  previous: RangeState | undefined,
  target = RANGE_BYTES,
): Promise<RangePlan> {
  const order = chooseOrder(table, wanted, previous)
  const key = order === 'key' ? `${table.key[0]!.name} ${table.key[0]!.type}` : ''
  const same = previous?.order === order && previous.key === key ? previous : undefined
  const size = Math.max(target, table.sizeBytes / MAX_RANGES)
  const bounds =
    order === 'heap' ? pageBounds(table, same, size) : await keyBounds(client, table, same?.bounds ?? [], size)
  const orderBy = order === 'key' ? table.key.map(({ name }) => name) : []
  return { order, bounds, orderBy, key, relfilenode: table.relfilenode, ranges: rangesOf(bounds) }
}

function rangesOf(bounds: readonly (string | number)[]): Range[] {
  return [null, ...bounds].map((lower, index) => ({ lower, upper: bounds[index] ?? null }))
}

/** The last range may grow to one and a half before it is cut. A table that was rewritten smaller is cut anew. */
function pageBounds(table: Table, previous: RangeState | undefined, target: number): number[] {
  const { pages, sizeBytes } = table
  const step = sizeBytes === 0 ? 0 : Math.max(1, Math.round((pages * target) / sizeBytes))
  const kept = (previous?.bounds ?? []) as readonly number[]
  const bounds = (kept.at(-1) ?? 0) <= pages || previous?.relfilenode === table.relfilenode ? [...kept] : []
  while (step > 0 && pages - (bounds.at(-1) ?? 0) > step * 1.5) bounds.push((bounds.at(-1) ?? 0) + step)
  return bounds
}

async function keyBounds(
  client: PgClient,
  table: Table,
  kept: readonly (string | number)[],
  target: number,
): Promise<(string | number)[]> {
  if (!SORTED_FOR_EVER.has(table.key[0]!.type)) return []
  const wanted = Math.round(table.sizeBytes / target)
  // Ranges that are kept may have become smaller; new ones are only needed where there is more than they were made for.
  if (wanted <= Math.max(1, kept.length + 1) || table.sizeBytes < target * 1.5) return [...kept]
  const fresh = await sampleBounds(client, table, kept.at(-1), wanted - kept.length - 1)
  return [...kept, ...fresh]
}

async function sampleBounds(
  client: PgClient,
  table: Table,
  above: string | number | undefined,
  count: number,
): Promise<string[]> {
  const key = quoteIdent(table.key[0]!.name)
  const percent = Math.min(100, Math.max(0.01, (SAMPLE_PAGES / Math.max(1, table.pages)) * 100))
  const shares = Array.from({ length: count }, (_, index) => (index + 1) / (count + 1))
  const tail = above === undefined ? '' : `WHERE ${key} > ${quoteLiteral(String(above))}`
  const { rows } = await client.query<{ bounds: string[] | null }>(
    `SELECT pg_catalog.percentile_disc(ARRAY[${shares.join(', ')}]::float8[]) WITHIN GROUP (ORDER BY ${key})::text[] AS bounds
      FROM ONLY ${quoteQualified(table.schema, table.name)} TABLESAMPLE SYSTEM (${percent.toFixed(4)}) REPEATABLE (1) ${tail}`,
  )
  return [...new Set(rows[0]?.bounds ?? [])].filter((bound) => bound !== String(above))
}

/** The rows of a range, as COPY … TO STDOUT. Columns that the server computes are left out. */
export function copyStatement(table: Table, plan: RangePlan, range: Range): string {
  const columns = table.columns.filter(({ generated }) => generated === '').map(({ name }) => quoteIdent(name))
  const name = quoteQualified(table.schema, table.name)
  const conditions = [...boundsOf(table, plan, range), ...(table.where === null ? [] : [`(${table.where})`])]
  const how = copyEncoding(plan.encoding)
  if (conditions.length === 0 && plan.orderBy.length === 0) {
    return `COPY ${name} ${columns.length > 0 ? `(${columns.join(', ')}) ` : ''}TO STDOUT${how}`
  }
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
  const order = plan.orderBy.length > 0 ? ` ORDER BY ${plan.orderBy.map(quoteIdent).join(', ')}` : ''
  return `COPY (SELECT ${columns.join(', ')} FROM ONLY ${name}${where}${order}) TO STDOUT${how}`
}

/** The end of a COPY statement. */
export function copyEncoding(encoding: string | undefined, others = ''): string {
  const options = [others, encoding === undefined ? '' : `ENCODING ${quoteLiteral(encoding)}`].filter(
    (one) => one !== '',
  )
  return options.length === 0 ? '' : ` WITH (${options.join(', ')})`
}

function boundsOf(table: Table, plan: RangePlan, { lower, upper }: Range): string[] {
  const column = plan.order === 'key' ? quoteIdent(table.key[0]!.name) : 'ctid'
  const text = (bound: string | number): string =>
    plan.order === 'key' ? quoteLiteral(String(bound)) : `'(${bound},0)'::pg_catalog.tid`
  return [
    ...(lower === null ? [] : [`${column} OPERATOR(pg_catalog.>=) ${text(lower)}`]),
    ...(upper === null ? [] : [`${column} OPERATOR(pg_catalog.<) ${text(upper)}`]),
  ]
}
