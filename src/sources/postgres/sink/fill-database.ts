/** Fills an empty database of its own: nobody else works in it, so all can be done by several connections. */
import type { Warning } from '../../../events.ts'
import type { SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteQualified } from '../names.ts'
import { sqlState } from '../pg-error.ts'
import { isLateEntry } from '../schema-cut.ts'
import { AfterRows } from './after-rows.ts'
import { keyOf, type TableKey } from './bound.ts'
import { isOfExtension, replaceOwnRows } from './extension-rows.ts'
import type { TableName, TableToRestore } from './layout.ts'
import { type LoadJob, loadTasks } from './load.ts'
import { loadLargeObjects, readScript } from './objects.ts'
import type { SinkSettings } from './options.ts'
import { itemsOf, runPostData } from './post-data.ts'
import { settle } from './relocate.ts'
import { runScript, type ScriptRules } from './run-script.ts'
import { isRenamed, keyInScript, type Scripts, selectStatements, tablesOfScripts } from './schema-plan.ts'
import { sinkError } from './sql-error.ts'
import { encoded } from './statement.ts'
import { runTasks } from './tasks.ts'
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
  const late = firstLate(scripts.post)
  const items = itemsOf(scripts.post.slice(0, late), sizes(tables))
  const known = tablesOfScripts(scripts.pre, [])
  const after = new AfterRows({
    items,
    tables,
    pre: scripts.pre,
    rules,
    keyOf: placedKey,
    analyze: (client, table) => analyzeOne(client, table, warn),
  })
  if (!settings.schemaOnly) {
    const next = ({ table }: LoadJob) => after.next(table)
    const load = { ordered: options.ordered, connections: clients.length, next }
    // First: the rows of others may refer to them.
    for (const table of tables.filter(isOfExtension)) await replaceOwnRows(main, table, reader)
    const made = tables.filter((table) => !isOfExtension(table))
    await runTasks(clients, loadTasks(made.map(jobOf), reader, load))
    await runScript(main, scripts.sequences, rules)
    if (largeObjects.length > 0 || !unit.partial) {
      await runScript(main, await readScript(reader, `${prefix}pg_largeobject/objects.sql`), rules)
    }
    await loadLargeObjects(main, largeObjects, reader)
  }
  await runPostData(clients, { items: items.filter((item) => !after.built.has(item)), tables: known, rules })
  // Before anybody's right to call the functions of indexes is taken away.
  const remaining = tables.filter((table) => !after.analyzed.has(table))
  if (!settings.schemaOnly)
    await analyze(
      clients,
      remaining.filter(({ kind }) => kind !== 'm'),
      warn,
    )
  const last = scripts.post.slice(late)
  const lastItems = itemsOf(settings.schemaOnly ? last.filter(isNoRefresh) : last, sizes(tables))
  await runPostData(clients, { items: lastItems, tables: known, rules })
  if (!settings.schemaOnly)
    await analyze(
      clients,
      remaining.filter(({ kind }) => kind === 'm'),
      warn,
    )
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

function placedKey(table: TableToRestore): TableKey {
  const { schema, name } = placeOf(table)
  return keyOf({ schema: encoded(schema), name: encoded(name) })
}

function sizes(tables: readonly TableToRestore[]): (key: TableKey) => number {
  const bytes = new Map<TableKey, number>()
  for (const table of tables) {
    bytes.set(keyInScript(table), table.bytes).set(placedKey(table), table.bytes)
  }
  return (key) => bytes.get(key) ?? 0
}

/** There is nothing to refresh a view from. */
function isNoRefresh({ toc }: { toc: { type: string } | null }): boolean {
  return toc?.type !== 'MATERIALIZED VIEW DATA'
}

/** One statement a table, so that it is shared out; a restored database without statistics is slow until autovacuum comes. */
async function analyze(
  clients: readonly PgClient[],
  tables: readonly TableToRestore[],
  warn: FillOptions['warn'],
): Promise<void> {
  const largest = tables.filter(({ kind }) => kind !== 'f').sort((a, b) => b.bytes - a.bytes)
  const run = async (client: PgClient, table: TableToRestore): Promise<[]> => {
    await analyzeOne(client, table, warn)
    return []
  }
  await runTasks(
    clients,
    largest.map((table) => ({ tables: [], shares: true, run: (client) => run(client, table) })),
  )
}

/** An index may call a function that its owner may not call any more: it is as whole as it was. */
async function analyzeOne(client: PgClient, place: TableToRestore, warn: FillOptions['warn']): Promise<void> {
  const { schema, name } = placeOf(place)
  const table = quoteQualified(schema, name)
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
