/** What of a snapshot is to be restored: its databases with their tables, ranges and scripts. */
import { BackupError, type Json } from '../../../errors.ts'
import type { SinkEntry, SinkReader } from '../../sink.ts'
import { decodeName } from '../names.ts'

export interface TableName {
  readonly schema: string
  readonly name: string
}

export interface TableToRestore extends TableName {
  /** 'r' table, 'p' partitioned, 'm' materialized view, 'f' foreign table. */
  readonly kind: string
  /** Columns that COPY carries, in its order. */
  readonly columns: readonly string[]
  /** Rows of all ranges; undefined where the snapshot does not say. */
  readonly rows: number | undefined
  readonly bytes: number
  readonly ranges: readonly SinkEntry[]
  readonly entry: SinkEntry
  /** Of its rows, where it is not the one of the session. */
  readonly encoding?: string
  /** Where it goes; the same names unless renamed. */
  readonly target: TableName
  /** Its rows are put into this table instead, which hands them to its partitions: not always to those they came from. */
  readonly via?: TableName
}

export interface DatabaseToRestore {
  readonly name: string
  /** '' or 'name/'. */
  readonly prefix: string
  readonly facts: Readonly<Record<string, Json>>
  readonly tables: readonly TableToRestore[]
  readonly largeObjects: readonly SinkEntry[]
  /** All other entries: scripts. */
  readonly others: readonly SinkEntry[]
}

type Facts = Readonly<Record<string, Json>>

/** @throws BackupError RESTORE_MISMATCH where the snapshot is not one of a Postgres source */
export async function readLayout(reader: SinkReader, facts: Facts): Promise<DatabaseToRestore[]> {
  const known = databasesOf(facts)
  const entries: SinkEntry[] = []
  for await (const batch of reader.entries()) entries.push(...batch)
  const found = known.map((database) => oneDatabase(database, entries))
  return found.filter(({ tables, others, largeObjects }) => tables.length + others.length + largeObjects.length > 0)
}

/** Path of an entry in the snapshot. */
export function sourcePath(entry: SinkEntry): string {
  return entry.from ?? entry.path
}

interface KnownDatabase {
  name: string
  prefix: string
  facts: Facts
}

function databasesOf(facts: Facts): KnownDatabase[] {
  const list = facts.databases
  if (facts.format !== 1 || !Array.isArray(list)) {
    throw new BackupError('RESTORE_MISMATCH', 'this is no snapshot of a Postgres source', {
      origin: 'sink',
      hint: 'Restore it with the sink of the source that made it, or choose a Postgres source',
    })
  }
  return (list as Facts[]).map((one) => {
    const prefix = String(one.prefix ?? '').replace(/\/$/, '')
    return { name: String(one.name), prefix: prefix === '' ? '' : `${prefix}/`, facts: one }
  })
}

function oneDatabase(database: KnownDatabase, entries: readonly SinkEntry[]): DatabaseToRestore {
  const { prefix } = database
  const mine = entries.filter((entry) => sourcePath(entry).startsWith(prefix))
  const inside = (entry: SinkEntry): string => sourcePath(entry).slice(prefix.length)
  const rows = mine.filter((entry) => entry.type === 'rows')
  const largeObjects = mine.filter((entry) => /^pg_largeobject\/\d+\.copy$/.test(inside(entry)))
  const tables = mine.filter((entry) => entry.type === 'table').map((entry) => oneTable(entry, rows, prefix))
  const others = mine.filter((entry) => inside(entry).startsWith('pg_') && !largeObjects.includes(entry))
  return { ...database, tables: routed(tables), largeObjects, others }
}

/** A partition that goes without its root, or under another name, is a table of its own. */
function routed(tables: readonly TableToRestore[]): TableToRestore[] {
  const inPlace = tables.filter(({ name, schema, target }) => target.name === name && target.schema === schema)
  const roots = new Map(
    inPlace.filter(({ kind }) => kind === 'p').map((root) => [`${root.schema}\0${root.name}`, root]),
  )
  return tables.map((table) => {
    const { schema, name } = (table.entry.facts.loadVia ?? {}) as { schema?: string; name?: string }
    const root = inPlace.includes(table) ? roots.get(`${schema}\0${name}`) : undefined
    return root === undefined ? table : { ...table, via: root.target }
  })
}

function oneTable(entry: SinkEntry, rows: readonly SinkEntry[], prefix: string): TableToRestore {
  const { facts } = entry
  const folder = `${sourcePath(entry)}/`
  const ranges = completed(
    entry,
    rows.filter((one) => sourcePath(one).startsWith(folder)),
  )
  const counts = ranges.map((range) => range.facts.rows)
  const columns = (facts.columns ?? []) as unknown as { name: string; generated?: Json }[]
  const own = { schema: String(facts.schema), name: String(facts.name) }
  return {
    ...own,
    kind: String(facts.kind ?? 'r'),
    columns: columns.filter((column) => !column.generated).map((column) => column.name),
    rows: counts.every((count) => typeof count === 'number') ? counts.reduce<number>((a, b) => a + b, 0) : undefined,
    bytes: ranges.reduce((sum, range) => sum + range.size, 0),
    ranges,
    entry,
    ...(typeof facts.encoding === 'string' && { encoding: facts.encoding }),
    target: entry.from === undefined || entry.from === entry.path ? own : targetOf(entry.path, prefix),
  }
}

/** Ranges that were not selected with their table are read all the same: a table is restored whole or not at all. */
function completed(entry: SinkEntry, ranges: readonly SinkEntry[]): SinkEntry[] {
  const wanted = Number(entry.facts.ranges ?? ranges.length)
  if (ranges.length >= wanted) return [...ranges]
  const byPath = new Map(ranges.map((range) => [sourcePath(range), range]))
  return Array.from({ length: wanted }, (_, index) => {
    const path = `${sourcePath(entry)}/${String(index + 1).padStart(6, '0')}.copy`
    return byPath.get(path) ?? { path, type: 'rows', size: 0, facts: {} }
  })
}

function targetOf(path: string, prefix: string): TableName {
  const parts = (path.startsWith(prefix) ? path.slice(prefix.length) : path).split('/')
  if (parts.length !== 2) {
    throw new BackupError('RESTORE_UNSAFE_PATH', `'${path}' does not name a table`, {
      origin: 'sink',
      hint: "Name where a table goes as '<schema>/<table>'",
      details: { path },
    })
  }
  return { schema: decodeName(parts[0] as string), name: decodeName(parts[1] as string) }
}
