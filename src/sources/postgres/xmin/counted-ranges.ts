/** Tells of a table how many rows it has, and how many of them may be new: of all of it, and of each of its ranges. */
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteLiteral, quoteQualified } from '../names.ts'

export interface CountedRange {
  readonly rows: number
  /** Written by a transaction that was not finished for all when the previous snapshot was taken. */
  readonly fresh: number
}

export interface CountedTable {
  readonly schema: string
  readonly name: string
  /** Lower bounds of all ranges but the first: key values as text, or pages. */
  readonly bounds: readonly (string | number)[]
  /** Column and SQL type that the bounds are of; null for pages. */
  readonly key: { readonly name: string; readonly type: string } | null
}

/** Pages of a table that are counted by one query: from `from` on, below `to`; null where nothing bounds them. */
export interface Part {
  readonly from: number | null
  readonly to: number | null
}

const PART_PAGES = 8192
const MAX_PARTS = 1024

/** The last ones first: that is where rows are added, and the first new one ends the counting of all. */
export function partsOf(pages: number, partPages: number = PART_PAGES): Part[] {
  const size = Math.max(partPages, Math.ceil(pages / MAX_PARTS))
  const bounds = Array.from({ length: Math.max(0, Math.ceil(pages / size) - 1) }, (_, index) => (index + 1) * size)
  return [null, ...bounds].map((from, index) => ({ from, to: bounds[index] ?? null })).reverse()
}

/** All rows of a part, whatever range they are of, and 1 for any number of new ones: a third of the time. */
export async function countPart(
  client: PgClient,
  table: CountedTable,
  part: Part,
  xmin: string,
): Promise<CountedRange> {
  const { rows } = await client.query<{ rows: string; fresh: string }>(
    `SELECT pg_catalog.count(*)::text AS rows, CASE WHEN pg_catalog.min(pg_catalog.age(xmin)) <= ${ageOf(xmin)} THEN '1' ELSE '0' END AS fresh
      ${ofPart(table, part)}`,
  )
  return { rows: Number(rows[0]!.rows), fresh: Number(rows[0]!.fresh) }
}

/** Of each range, what lies in the part. */
export async function countRanges(
  client: PgClient,
  table: CountedTable,
  part: Part,
  xmin: string,
): Promise<CountedRange[]> {
  const counted: CountedRange[] = [0, ...table.bounds].map(() => ({ rows: 0, fresh: 0 }))
  const { rows } = await client.query<{ range: number; rows: string; fresh: string }>(
    `SELECT ${rangeOf(table)} AS range, ${counts(xmin)} ${ofPart(table, part)} GROUP BY 1`,
  )
  for (const { range, rows: all, fresh } of rows) counted[range] = { rows: Number(all), fresh: Number(fresh) }
  return counted
}

/**
 * `xmin`: of the previous snapshot, 64 bits as text. Every transaction below it had ended when that was taken, so a row
 * of an older one was there already, as it is now: an update makes a new row. VACUUM and FREEZE leave `xmin` as it is;
 * `age()` of rows from before the last wrap-around is either very large, or negative, which counts as fresh.
 */
function ageOf(xmin: string): string {
  return `pg_catalog.age('${BigInt(xmin) & 0xffffffffn}'::pg_catalog.xid)`
}

function counts(xmin: string): string {
  // As a query of its own the limit is asked for once; else for every row.
  return `pg_catalog.count(*)::text AS rows, (pg_catalog.count(*) FILTER (WHERE
    pg_catalog.age(xmin) <= (SELECT ${ageOf(xmin)})))::text AS fresh`
}

/** Bucket 0 is below the first bound, bucket n from the n-th on: the same half-open ranges that are read. */
function rangeOf({ bounds, key }: CountedTable): string {
  if (bounds.length === 0) return '0'
  const column = key ? quoteIdent(key.name) : 'ctid'
  const values = bounds.map((bound) => (key ? quoteLiteral(String(bound)) : `'(${bound},0)'`)).join(', ')
  const type = key ? `pg_catalog.${quoteIdent(key.type)}` : 'pg_catalog.tid'
  return `pg_catalog.width_bucket(${column}, ARRAY[${values}]::${type}[])`
}

function ofPart({ schema, name }: CountedTable, { from, to }: Part): string {
  const conditions = [
    ...(from === null ? [] : [`ctid OPERATOR(pg_catalog.>=) '(${from},0)'::pg_catalog.tid`]),
    ...(to === null ? [] : [`ctid OPERATOR(pg_catalog.<) '(${to},0)'::pg_catalog.tid`]),
  ]
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `FROM ONLY ${quoteQualified(schema, name)}${where}`
}

export function sumOf(counted: readonly CountedRange[]): CountedRange {
  const add = (a: CountedRange, b: CountedRange): CountedRange => ({ rows: a.rows + b.rows, fresh: a.fresh + b.fresh })
  return counted.reduce(add, { rows: 0, fresh: 0 })
}
