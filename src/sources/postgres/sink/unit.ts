/** One database of a restore: what is selected of it, where it goes, and how. */
import { BackupError } from '../../../errors.ts'
import type { SinkContext, SinkReader } from '../../sink.ts'
import { isLateEntry } from '../schema-cut.ts'
import type { Pins } from '../session-pins.ts'
import type { SqlStatement } from '../sql-split.ts'
import { type DatabaseToRestore, readLayout } from './layout.ts'
import { readScript } from './objects.ts'
import type { SinkSettings } from './options.ts'
import { isPartial, isRenamed, type Scripts } from './schema-plan.ts'

export interface Unit {
  readonly database: DatabaseToRestore
  readonly scripts: Scripts
  /** Name of the database that is restored into. */
  readonly target: string
  readonly strategy: 'scratch-swap' | 'new-database' | 'in-place'
  /** Not all of its tables, or some under another name, or not its large objects. */
  readonly partial: boolean
  /** What was set when its rows were read. */
  readonly pins: Pins
}

/** @throws BackupError INVALID_OPTIONS, RESTORE_MISMATCH, UNSUPPORTED */
export async function readUnits(reader: SinkReader, context: SinkContext, settings: SinkSettings): Promise<Unit[]> {
  const databases = await readLayout(reader, context.facts)
  if (settings.database !== undefined && databases.length > 1) {
    throw new BackupError(
      'INVALID_OPTIONS',
      `postgresSink: option 'database' names one database, not ${databases.length}`,
      {
        origin: 'usage',
        details: { option: 'database', rule: 'only where one database is restored' },
      },
    )
  }
  const units: Unit[] = []
  for (const database of databases)
    units.push(await readUnit(database, databases.length, reader, settings, context.drill === true))
  return units
}

async function readUnit(
  database: DatabaseToRestore,
  count: number,
  reader: SinkReader,
  settings: SinkSettings,
  drill: boolean,
): Promise<Unit> {
  const script = (name: string) => readScript(reader, `${database.prefix}pg_dump/${name}.sql`)
  const [pre, post, privileges] = [await script('pre-data'), await script('post-data'), await script('privileges')]
  const scripts = { ...lateLast(pre, [...post, ...privileges]), sequences: await script('sequences') }
  const partial = isPartial(scripts, database.tables) || database.tables.some(isRenamed) || lacksLargeObjects(database)
  const strategy = strategyOf(settings, partial, drill)
  if (pre.length === 0 && strategy !== 'in-place') refuseWithoutSchema(database.name, drill)
  return {
    database,
    scripts,
    target: settings.database ?? (count === 1 ? databaseOf(settings) : undefined) ?? database.name,
    strategy,
    partial,
    pins: {
      encoding: String(database.facts.encoding ?? 'UTF8'),
      ...(typeof database.facts.monetary === 'string' && { monetary: database.facts.monetary }),
    },
  }
}

/** All tables of a database are a part of it where it has more: what is not selected must not be gone afterwards. */
function lacksLargeObjects({ facts, largeObjects }: DatabaseToRestore): boolean {
  return Number(facts.largeObjects ?? 0) > 0 && largeObjects.length === 0
}

/** A drill never works in the live database, not even in a transaction that is rolled back: its locks would stop everybody. */
function strategyOf({ strategy }: SinkSettings, partial: boolean, drill: boolean): Unit['strategy'] {
  if (drill) return strategy === 'new-database' ? strategy : 'scratch-swap'
  return strategy ?? (partial ? 'in-place' : 'scratch-swap')
}

/** A new database would come out without any table: even if nothing failed, it would be an empty one that goes live. */
function refuseWithoutSchema(database: string, drill: boolean): never {
  const hint = drill
    ? 'Drill a snapshot of mode copy without dataOnly; verify with level content proves this one'
    : 'Rows alone go into tables that are there, with dataOnly; an archive of pg_dump goes into a folder, for pg_restore'
  throw new BackupError('UNSUPPORTED', `the snapshot of ${database} holds no schema to make a new database of`, {
    origin: 'sink',
    hint,
    details: { database },
  })
}

/** Whether rights and the like have a script of their own, or stand where pg_dump put them. */
function lateLast(pre: readonly SqlStatement[], post: readonly SqlStatement[]): Pick<Scripts, 'pre' | 'post'> {
  const [early, late] = [pre, post].map((all) => {
    const first = all.findIndex(({ toc }) => isLateEntry(toc))
    return first < 0 ? all.length : first
  }) as [number, number]
  return { pre: pre.slice(0, early), post: [...post.slice(0, late), ...pre.slice(early), ...post.slice(late)] }
}

/** Databases that one connects to in order to reach another. */
const MAINTENANCE: ReadonlySet<string> = new Set(['', 'postgres', 'template1'])

/** The one that the connection string names. */
export function databaseOf({ connection }: SinkSettings): string | undefined {
  const pooled = (connection.pool as { options?: { connectionString?: string; database?: string } } | undefined)
    ?.options
  const name = nameIn(connection.connectionString ?? pooled?.connectionString) ?? pooled?.database ?? ''
  return MAINTENANCE.has(name) ? undefined : name
}

function nameIn(connectionString: string | undefined): string | undefined {
  if (connectionString === undefined || !URL.canParse(connectionString)) return undefined
  return decodeURIComponent(new URL(connectionString).pathname.slice(1))
}
