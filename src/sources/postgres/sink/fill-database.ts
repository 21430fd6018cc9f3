/** Fills an empty database of its own: nobody else works in it, so all can be done by several connections. */
import type { Warning } from '../../../events.ts'
import type { SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteQualified } from '../names.ts'
import { sqlState } from '../pg-error.ts'
import { isLateEntry } from '../schema-cut.ts'
import { keyOf, type TableKey } from './bound.ts'
import type { TableName, TableToRestore } from './layout.ts'
import { type LoadJob, loadTables } from './load.ts'
import { loadLargeObjects, readScript } from './objects.ts'
import type { SinkSettings } from './options.ts'
import { runPostData } from './post-data.ts'
import { settle } from './relocate.ts'
import { runScript, type ScriptRules } from './run-script.ts'
import { isRenamed, keyInScript, type Scripts, selectStatements, tablesOfScripts } from './schema-plan.ts'
import { sinkError } from './sql-error.ts'
import { encoded } from './statement.ts'
import type { Unit } from './unit.ts'

export interface FillOptions {
  readonly unit: Unit
  /** The first one does what must be done in order. */
  readonly clients: readonly PgClient[]
  readonly reader: SinkReader
  readonly settings: SinkSettings
  /** Rows will be read again in the order of their streams. */
  readonly ordered: boolean
  warn(warning: Warning): void
}

/** Schema where tables are made that get another name at the end. */
export const STAGING_SCHEMA = 'holdfast_staging'

export async function fillDatabase(options: FillOptions): Promise<void> {
  const { unit, clients, reader, settings, warn } = options
  const [main] = clients as [PgClient, ...PgClient[]]
  const rules: ScriptRules = { ...settings, inTransaction: false, warn }
  const { tables, largeObjects, prefix } = unit.database
  const scripts = selectedScripts(options)
  const moved = tables.filter(isRenamed)
  if (moved.length > 0) await main.query(`CREATE SCHEMA ${quoteIdent(STAGING_SCHEMA)}`)
  await runScript(main, scripts.pre, rules)
  if (!settings.schemaOnly) {
    await loadTables(clients, tables.map(jobOf), reader, { ordered: options.ordered })
    await runScript(main, scripts.sequences, rules)
    if (largeObjects.length > 0 || !unit.partial) {
      await runScript(main, await readScript(reader, `${prefix}pg_largeobject/objects.sql`), rules)
    }
    await loadLargeObjects(main, largeObjects, reader)
  }
  const statements = settings.schemaOnly ? scripts.post.filter(isNoRefresh) : scripts.post
  const post = { tables: tablesOfScripts(scripts.pre, []), bytesOf: sizes(tables), rules }
  await runPostData(clients, { ...post, statements: statements.slice(0, firstLate(statements)) })
  // Before anybody's right to call the functions of indexes is taken away.
  if (!settings.schemaOnly) await analyze(options, (table) => table.kind !== 'm')
  await runPostData(clients, { ...post, statements: statements.slice(firstLate(statements)) })
  if (!settings.schemaOnly) await analyze(options, (table) => table.kind === 'm')
  if (moved.length > 0) await settle(main, moved, STAGING_SCHEMA)
  for (const entry of unit.database.others) reader.done(entry)
}

function selectedScripts({ unit, warn }: FillOptions): Scripts {
  return selectStatements(unit.scripts, {
    tables: unit.database.tables,
    existing: new Set(),
    isThere: () => false,
    inPlace: false,
    stagingSchema: STAGING_SCHEMA,
    warn,
  })
}

function jobOf(table: TableToRestore): LoadJob {
  return { table, at: table.via ?? placeOf(table) }
}

/** Where a table is until it gets its final name. */
function placeOf(table: TableToRestore): TableName {
  return { schema: isRenamed(table) ? STAGING_SCHEMA : table.schema, name: table.name }
}

function sizes(tables: readonly TableToRestore[]): (key: TableKey) => number {
  const bytes = new Map<TableKey, number>()
  for (const table of tables) {
    const { schema, name } = placeOf(table)
    bytes.set(keyInScript(table), table.bytes).set(keyOf({ schema: encoded(schema), name: encoded(name) }), table.bytes)
  }
  return (key) => bytes.get(key) ?? 0
}

/** There is nothing to refresh a view from. */
function isNoRefresh({ toc }: { toc: { type: string } | null }): boolean {
  return toc?.type !== 'MATERIALIZED VIEW DATA'
}

/** One statement a table, so that it is shared out; a restored database without statistics is slow until autovacuum comes. */
async function analyze(
  { unit, clients, warn }: FillOptions,
  wanted: (table: TableToRestore) => boolean,
): Promise<void> {
  const chosen = unit.database.tables.filter((table) => table.kind !== 'f' && wanted(table))
  const waiting = chosen.sort((a, b) => b.bytes - a.bytes)
  const work = async (client: PgClient): Promise<void> => {
    for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
      const { schema, name } = placeOf(table)
      await analyzeOne(client, quoteQualified(schema, name), warn)
    }
  }
  const done = await Promise.allSettled(clients.map(work))
  for (const one of done) if (one.status === 'rejected') throw one.reason
}

/** An index may call a function that its owner may not call any more: it is as whole as it was. */
async function analyzeOne(client: PgClient, table: string, warn: FillOptions['warn']): Promise<void> {
  try {
    await client.query(`ANALYZE ${table}`)
  } catch (error) {
    if (sqlState(error) !== '42501') throw sinkError(error, `collecting statistics of ${table}`)
    const message = `no statistics of ${table}: ${(error as Error).message}`
    warn({ code: 'BENIGN_SQL_ERROR', message, details: { table, sqlState: '42501' } })
  }
}

function firstLate(statements: Scripts['post']): number {
  const first = statements.findIndex(({ toc }) => isLateEntry(toc))
  return first < 0 ? statements.length : first
}
