/** Where each sequence stands, as statements that put it there again. */
import type { PgClient } from '../connection.ts'
import { quoteLiteral, quoteQualified } from '../names.ts'
import { isSelected, type Selection } from './selection.ts'

interface Sequence {
  readonly oid: string
  readonly schema: string
  readonly schemaOid: string
  readonly name: string
  /** The table whose column it feeds. */
  readonly owner: string | null
}

const SEQUENCES = `
  SELECT c.oid::text AS oid, n.nspname AS schema, n.oid::text AS "schemaOid", c.relname AS name,
    (SELECT d.refobjid::text FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1) AS owner
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND (
    NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
    OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
  ORDER BY 2, 4`

const BATCH = 200

/** `tables` are the oids that are backed up: their own sequences go along. */
export async function readSequences(
  client: PgClient,
  selection: Selection,
  tables: ReadonlySet<string>,
): Promise<{ sql: string; count: number }> {
  const { rows } = await client.query<Sequence>(SEQUENCES)
  const chosen = rows.filter((one) => (one.owner !== null && tables.has(one.owner)) || isSelected(selection, one))
  const lines: string[] = []
  for (let at = 0; at < chosen.length; at += BATCH)
    lines.push(...(await readBatch(client, chosen.slice(at, at + BATCH))))
  return { sql: lines.map((line) => `${line}\n`).join(''), count: chosen.length }
}

async function readBatch(client: PgClient, batch: readonly Sequence[]): Promise<string[]> {
  const selects = batch.map(
    ({ schema, name }, index) =>
      `SELECT ${index} AS index, last_value::text AS value, is_called AS called FROM ${quoteQualified(schema, name)}`,
  )
  const { rows } = await client.query<{ index: number; value: string; called: boolean }>(selects.join(' UNION ALL '))
  return rows
    .sort((a, b) => a.index - b.index)
    .map(({ index, value, called }) => {
      const { schema, name } = batch[index]!
      return `SELECT pg_catalog.setval(${quoteLiteral(quoteQualified(schema, name)).trim()}, ${value}, ${called});`
    })
}
