/**
 * Into the database that is there, in one transaction: what is missing is made, what is there gets the rows of the
 * snapshot. Other sessions see all of it or nothing.
 */
import { BackupError } from '../../../errors.ts'
import type { Warning } from '../../../events.ts'
import type { SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteQualified } from '../names.ts'
import { sessionPins } from '../session-pins.ts'
import { pieces } from '../sql-lex.ts'
import type { SqlStatement } from '../sql-split.ts'
import { keyOf, type TableKey } from './bound.ts'
import { isOfExtension, replaceOwnRows } from './extension-rows.ts'
import { STAGING_SCHEMA } from './fill-database.ts'
import type { TableName, TableToRestore } from './layout.ts'
import { loadRange } from './load.ts'
import { emptyLargeObjects, loadLargeObjects, readScript } from './objects.ts'
import type { SinkSettings } from './options.ts'
import { eventTriggersLast } from './post-data.ts'
import { settle } from './relocate.ts'
import { runScript, type ScriptRules } from './run-script.ts'
import { isRenamed, type Scripts, selectStatements } from './schema-plan.ts'
import { sinkError } from './sql-error.ts'
import { encoded } from './statement.ts'
import type { Unit } from './unit.ts'

export interface InPlaceOptions {
  readonly unit: Unit
  readonly client: PgClient
  readonly reader: SinkReader
  readonly settings: SinkSettings
  warn(warning: Warning): void
}

/** Leaves the transaction open: commit() ends it. */
export async function fillInPlace(options: InPlaceOptions): Promise<void> {
  const { unit, client, reader, settings, warn } = options
  const { tables, largeObjects, prefix, others } = unit.database
  const rules: ScriptRules = { ...settings, inTransaction: true, warn }
  await client.query(`BEGIN READ WRITE; ${sessionPins(unit.pins)} SET LOCAL check_function_bodies = off`)
  // Event triggers of the database would fire at our DDL; only a superuser can keep them from it.
  await client.query(`SELECT pg_catalog.set_config('session_replication_role', 'replica', true)
    WHERE pg_catalog.current_setting('is_superuser') = 'on'`)
  const there = await tablesThere(client)
  const existing = new Set(tables.filter((table) => there.has(keyOf(table.target))))
  refuseMissing(
    tables.filter((table) => !existing.has(table)),
    settings,
  )
  const scripts = settings.dataOnly ? { pre: [], post: [], sequences: unit.scripts.sequences } : unit.scripts
  const selected = select(options, scripts, existing, there)
  const moved = tables.filter((table) => isRenamed(table) && !existing.has(table))
  if (moved.length > 0) await client.query(`CREATE SCHEMA ${quoteIdent(STAGING_SCHEMA)}`)
  await runScript(client, selected.pre, rules)
  if (!settings.schemaOnly) {
    await replaceRows(options, existing)
    await runScript(client, selected.sequences.flatMap(transactional), rules)
    if (largeObjects.length > 0 || !unit.partial) {
      const objects = await readScript(reader, `${prefix}pg_largeobject/objects.sql`)
      await runScript(client, objects, rules)
      await emptyLargeObjects(client, objects)
      await loadLargeObjects(client, largeObjects, reader, true)
    }
  }
  await runScript(client, eventTriggersLast(selected.post), rules)
  if (moved.length > 0) await settle(client, moved, STAGING_SCHEMA)
  for (const entry of others) reader.done(entry)
}

function select(
  { unit, warn }: InPlaceOptions,
  scripts: Scripts,
  existing: ReadonlySet<TableToRestore>,
  there: ReadonlySet<TableKey>,
): Scripts {
  const bytesThere = new Set([...there].map(encoded))
  return selectStatements(scripts, {
    tables: unit.database.tables,
    existing,
    isThere: (key) => bytesThere.has(key),
    inPlace: true,
    stagingSchema: STAGING_SCHEMA,
    warn,
  })
}

export async function tablesThere(client: PgClient): Promise<Set<TableKey>> {
  const { rows } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
  )
  return new Set(rows.map(keyOf))
}

/**
 * What setval does to a sequence outlives a rollback, and others see it at once. RESTART gives the sequence a new file that
 * goes with the transaction, and what is written into that goes with it.
 */
function transactional(statement: SqlStatement): SqlStatement[] {
  const name = [...pieces(statement.text)].find(({ kind }) => kind === 'string')?.value
  return name === undefined ? [statement] : [{ ...statement, text: `ALTER SEQUENCE ${name} RESTART` }, statement]
}

function refuseMissing(missing: readonly TableToRestore[], settings: SinkSettings): void {
  const first = missing[0]
  if (!settings.dataOnly || first === undefined) return
  const name = `${first.target.schema}.${first.target.name}`
  throw new BackupError('RESTORE_NOT_FOUND', `table ${name} is not there, and only data is restored`, {
    origin: 'sink',
    hint: 'Create it first, or restore without dataOnly',
    details: { table: name },
  })
}

/**
 * Foreign keys of and to the tables are taken off while rows are replaced, and checked as a whole when they are put on
 * again; so are constraints that are NOT VALID, which old rows need not fulfil. Triggers do not fire.
 */
async function replaceRows(options: InPlaceOptions, existing: ReadonlySet<TableToRestore>): Promise<void> {
  const { unit, client, reader } = options
  const replaced = [...existing].filter((table) => table.kind === 'r' || table.kind === 'p')
  const names = replaced.map(({ target }) => quoteQualified(target.schema, target.name))
  const back = names.length > 0 ? await takeOff(client, names) : []
  const emptied = replaced.flatMap((table, at) =>
    table.ranges.length > 0 && !isOfExtension(table) ? [`ONLY ${names[at]}`] : [],
  )
  try {
    if (emptied.length > 0) await client.query(`TRUNCATE ${emptied.join(', ')}`)
    for (const table of unit.database.tables) {
      if (isOfExtension(table)) {
        await replaceOwnRows(client, table, reader)
        continue
      }
      const own = isRenamed(table) ? { schema: STAGING_SCHEMA, name: table.name } : table
      const at = table.via ?? (existing.has(table) ? table.target : { schema: own.schema, name: own.name })
      for (const range of table.ranges) await loadRange(client, { table, at }, range, reader)
      reader.done(table.entry)
    }
    for (const sql of back) await client.query(sql)
  } catch (error) {
    throw sinkError(error, 'replacing rows')
  }
}

/** @returns the statements that put them on again */
async function takeOff(client: PgClient, names: readonly string[]): Promise<string[]> {
  const values = [names]
  const { rows: keys } = await client.query<{ off: string; on: string }>(CONSTRAINTS, values)
  for (const { off } of keys) await client.query(off)
  const { rows: triggers } = await client.query<{ off: string; on: string }>(TRIGGERS, values)
  for (const { off } of triggers) await client.query(off)
  return [...triggers, ...keys].map(({ on }) => on)
}

const CONSTRAINTS = `
  SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::pg_catalog.regclass, conname) AS off,
    pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::pg_catalog.regclass, conname,
      pg_catalog.pg_get_constraintdef(oid)) || coalesce(pg_catalog.format('; COMMENT ON CONSTRAINT %I ON %s IS %L', conname,
      conrelid::pg_catalog.regclass, pg_catalog.obj_description(oid, 'pg_constraint')), '') AS on
  FROM pg_catalog.pg_constraint
  WHERE conparentid = 0 AND (contype = 'f' OR (contype IN ('c', 'n') AND NOT convalidated AND coninhcount = 0))
    AND (conrelid = ANY ($1::text[]::pg_catalog.regclass[]) OR confrelid = ANY ($1::text[]::pg_catalog.regclass[]))`

/** Each by itself: a partition may have disabled what its parent has enabled. */
const TRIGGERS = `
  SELECT pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', tgrelid::pg_catalog.regclass, tgname) AS off,
    pg_catalog.format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', tgrelid::pg_catalog.regclass,
      CASE tgenabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' ELSE '' END, tgname) AS on
  FROM pg_catalog.pg_trigger
  WHERE (NOT tgisinternal OR (tgparentid <> 0 AND tgconstraint = 0)) AND tgenabled <> 'D' AND tgrelid = ANY ($1::text[]::pg_catalog.regclass[])`
