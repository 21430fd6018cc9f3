/** One pass over a table that tells for each of its ranges how many rows it has, and how many may be new. */
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

/**
 * `xmin`: of the previous snapshot, 64 bits as text. Every transaction below it had ended when that was taken, so a row
 * of an older one was there already, as it is now: an update makes a new row. VACUUM and FREEZE leave `xmin` as it is;
 * `age()` of rows from before the last wrap-around is either very large, or negative, which counts as fresh.
 */
export async function countRanges(client: PgClient, table: CountedTable, xmin: string): Promise<CountedRange[]> {
  const counted: { rows: number; fresh: number }[] = [0, ...table.bounds].map(() => ({ rows: 0, fresh: 0 }))
  const { rows } = await client.query<{ range: number; rows: string; fresh: string }>(countStatement(table, xmin))
  for (const { range, ...counts } of rows) {
    counted[range] = { rows: Number(counts.rows), fresh: Number(counts.fresh) }
  }
  return counted
}

/** Bucket 0 is below the first bound, bucket n from the n-th on: the same half-open ranges that are read. */
export function countStatement({ schema, name, bounds, key }: CountedTable, xmin: string): string {
  const low = (BigInt(xmin) & 0xffffffffn).toString()
  const column = key ? quoteIdent(key.name) : 'ctid'
  const values = bounds.map((bound) => (key ? quoteLiteral(String(bound)) : `'(${bound},0)'`)).join(', ')
  const type = key ? `pg_catalog.${quoteIdent(key.type)}` : 'pg_catalog.tid'
  const range = bounds.length === 0 ? '0' : `pg_catalog.width_bucket(${column}, ARRAY[${values}]::${type}[])`
  return `SELECT ${range} AS range, pg_catalog.count(*)::text AS rows,
    (pg_catalog.count(*) FILTER (WHERE pg_catalog.age(xmin) <= pg_catalog.age('${low}'::pg_catalog.xid)))::text AS fresh
    FROM ONLY ${quoteQualified(schema, name)} GROUP BY 1`
}
