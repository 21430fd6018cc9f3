/**
 * A table that gets another name is made under its own name, in a schema where nothing else is, and renamed when all is
 * there: its constraints, defaults and indexes follow by themselves, and no expression has to be rewritten.
 */
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteLiteral, quoteQualified } from '../names.ts'
import { pieces } from '../sql-lex.ts'
import type { SqlStatement } from '../sql-split.ts'
import { keyOf, type Ownership, qualifiedPlaces, type TableKey } from './bound.ts'
import type { TableToRestore } from './layout.ts'
import { sinkError } from './sql-error.ts'

/** The statement with the schema of moved tables, and of their sequences and indexes, replaced. */
export function relocated(
  statement: SqlStatement,
  moved: ReadonlySet<TableKey>,
  ownership: Ownership,
  stagingSchema: string,
): SqlStatement {
  const isMoved = (key: TableKey): boolean => moved.has(key) || moved.has(ownership.ownerOf(key) ?? '')
  const rewrite = (text: string): string => {
    let result = ''
    let at = 0
    for (const { schema, name } of qualifiedPlaces(text)) {
      if (!isMoved(keyOf({ schema: schema.value, name: name.value }))) continue
      result += text.slice(at, schema.start) + quoteIdent(stagingSchema)
      at = schema.end
    }
    return result + text.slice(at)
  }
  return { ...statement, text: rewriteLiterals(rewrite(statement.text), rewrite) }
}

/** Names also stand in literals: nextval('app.orders_id_seq'). */
function rewriteLiterals(text: string, rewrite: (text: string) => string): string {
  let result = ''
  let at = 0
  for (const { kind, value, start, end } of pieces(text)) {
    if (kind !== 'string' || text[start] !== "'" || value.length > 140) continue
    const changed = rewrite(value)
    if (changed === value) continue
    result += text.slice(at, start) + quoteLiteral(changed)
    at = end
  }
  return result + text.slice(at)
}

/** Gives the tables of the staging schema their final names, and drops it. */
export async function settle(
  client: PgClient,
  tables: readonly TableToRestore[],
  stagingSchema: string,
): Promise<void> {
  for (const table of tables) {
    try {
      await settleOne(client, table, stagingSchema)
    } catch (error) {
      const name = `${table.target.schema}.${table.target.name}`
      throw sinkError(error, `renaming ${table.schema}.${table.name} to ${name}`, { table: name })
    }
  }
  await client.query(`DROP SCHEMA ${quoteIdent(stagingSchema)}`)
}

async function settleOne(client: PgClient, { name, target }: TableToRestore, staging: string): Promise<void> {
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdent(target.schema)}`)
  const { rows } = await client.query<{ kind: string; name: string }>(PARTS, [staging, name])
  for (const part of rows) await freeName(client, part, staging, target.schema)
  await client.query(`ALTER TABLE ${quoteQualified(staging, name)} RENAME TO ${quoteIdent(target.name)}`)
  await client.query(`ALTER TABLE ${quoteQualified(staging, target.name)} SET SCHEMA ${quoteIdent(target.schema)}`)
}

/** Indexes, sequences and statistics of a table: they share the names of its new schema. */
const PARTS = `
  WITH t AS (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2)
  SELECT 'INDEX' AS kind, c.relname AS name FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = (SELECT oid FROM t)
  UNION ALL SELECT 'SEQUENCE', c.relname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind = 'S' AND d.deptype IN ('a', 'i')
      AND d.refobjid = (SELECT oid FROM t)
  UNION ALL SELECT 'STATISTICS', stxname FROM pg_catalog.pg_statistic_ext WHERE stxrelid = (SELECT oid FROM t)`

async function freeName(
  client: PgClient,
  part: { kind: string; name: string },
  staging: string,
  schema: string,
): Promise<void> {
  let name = part.name
  for (let n = 1; await isTaken(client, schema, name); n++) name = `${part.name.slice(0, 50)}_${n}`
  const place = quoteQualified(staging, part.name)
  if (name !== part.name) await client.query(`ALTER ${part.kind} ${place} RENAME TO ${quoteIdent(name)}`)
  if (part.kind === 'STATISTICS') {
    await client.query(`ALTER STATISTICS ${quoteQualified(staging, name)} SET SCHEMA ${quoteIdent(schema)}`)
  }
}

async function isTaken(client: PgClient, schema: string, name: string): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.to_regnamespace($1) AND relname = $2
     UNION ALL SELECT 1 FROM pg_catalog.pg_statistic_ext
       WHERE stxnamespace = pg_catalog.to_regnamespace($1) AND stxname = $2`,
    [quoteIdent(schema), name],
  )
  return rows.length > 0
}
