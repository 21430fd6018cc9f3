/** One database under its snapshot: planned, as entries, and described when they have been read. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError, type Json } from '../../errors.ts'
import type { SourceEntry } from '../source.ts'
import { readDatabaseFacts } from './catalog/database.ts'
import { readSequences } from './catalog/sequences.ts'
import type { ServerFacts } from './catalog/server.ts'
import type { Table } from './catalog/tables.ts'
import { encodeState, type TableState } from './database-state.ts'
import { lookAtLargeObjects } from './large-objects-out.ts'
import { tablePath } from './names.ts'
import { pgError } from './pg-error.ts'
import { planRanges, type RangePlan } from './ranges.ts'
import type { ReadContext } from './read-context.ts'
import { LARGE_OBJECTS, largeObjectEntries } from './reading-large-objects.ts'
import { archiveEntries, globalsEntry, type SchemaHashes, schemaEntries, textEntry } from './reading-scripts.ts'
import { TableReading } from './reading-tables.ts'
import { restoreScript } from './restore-script.ts'
import { warnOfRoots } from './roots.ts'
import { MONETARY, rowEncoding } from './session-pins.ts'
import type { Lead } from './snapshot-lead.ts'
import { SnapshotWorkers } from './snapshot-workers.ts'
import { IncrementalRun } from './xmin/incremental-run.ts'

export class DatabaseReading {
  readonly prefix: string
  readonly #lead: Lead
  readonly #context: ReadContext
  readonly #workers: SnapshotWorkers
  readonly #plan: Plan

  private constructor(lead: Lead, prefix: string, context: ReadContext, workers: SnapshotWorkers, plan: Plan) {
    this.#lead = lead
    this.prefix = prefix
    this.#context = context
    this.#workers = workers
    this.#plan = plan
  }

  get entries(): readonly SourceEntry[] {
    return this.#plan.entries
  }

  /** Everything that is asked of the lead is asked here, so that it is free for rows afterwards. */
  static async open(lead: Lead, prefix: string, context: ReadContext, server: ServerFacts): Promise<DatabaseReading> {
    const { connector, jobs, signal } = context.parts
    const workers = new SnapshotWorkers(connector, lead, jobs, signal)
    try {
      const plan = await planReading(lead, prefix, context, workers, server)
      return new DatabaseReading(lead, prefix, context, workers, plan)
    } catch (error) {
      await workers.close()
      throw pgError(error, 'source', 'cannot read the catalogue', { database: lead.client.database ?? null })
    }
  }

  /** @throws BackupError SOURCE_SHRUNK */
  async describe(): Promise<{ facts: Record<string, Json>; rows: number }> {
    const state = new Map(
      this.#plan.tables.filter(({ plan }) => plan !== undefined).map((table) => [table.path, table.state]),
    )
    if (this.#plan.largeObjects !== undefined) state.set(LARGE_OBJECTS, this.#plan.largeObjects)
    const rows = this.#plan.tables.reduce((sum, table) => sum + table.rows, 0)
    const bytes = this.#plan.tables.reduce((sum, table) => sum + table.bytes, 0)
    const before = Object.values(this.#context.parts.previous ?? {}).reduce((sum, table) => sum + table.rows, 0)
    if (this.#context.parts.settings.mode === 'copy') this.#context.compareRows('all tables', before, rows)
    const { xmin, lsn } = this.#lead.snapshot
    const facts = {
      ...this.#plan.facts,
      prefix: this.prefix,
      monetary: MONETARY,
      snapshot: { xmin, lsn },
      schemaSha256:
        this.#plan.hashes.length === 0
          ? null
          : sha256Hex(Buffer.from(this.#plan.hashes.map((hash) => hash.digest()).join(''))),
      tables: this.#plan.tables.length,
      rows,
      bytes,
      state: encodeState(state),
      ...(this.#plan.incremental && { incremental: await this.#plan.incremental.describe() }),
    }
    return { facts, rows }
  }

  /** As many bytes as the previous snapshot had of a table, or what it takes on the server's disk. */
  get expectedBytes(): number {
    const { previous } = this.#context.parts
    const read = this.#plan.tables.filter(({ plan }) => plan !== undefined)
    return read.reduce((sum, { table, path }) => sum + (previous?.[path]?.bytes ?? table.sizeBytes), 0)
  }

  /** As many rows as the previous snapshot had of a table, or as the catalogue estimates. */
  get expectedRows(): number {
    const { previous } = this.#context.parts
    const read = this.#plan.tables.filter(({ plan }) => plan !== undefined)
    return read.reduce((sum, { table, path }) => sum + (previous?.[path]?.rows ?? table.estimatedRows), 0)
  }

  async close(): Promise<void> {
    await stopProcesses(this.#lead, this.#workers.busyProcesses)
    await this.#workers.close()
  }
}

interface Plan {
  readonly tables: readonly TableReading[]
  readonly entries: readonly SourceEntry[]
  readonly hashes: SchemaHashes
  readonly facts: Readonly<Record<string, Json>>
  readonly largeObjects: TableState | undefined
  readonly incremental: IncrementalRun | undefined
}

async function planReading(
  lead: Lead,
  prefix: string,
  context: ReadContext,
  workers: SnapshotWorkers,
  server: ServerFacts,
): Promise<Plan> {
  const { settings } = context.parts
  const facts = await readDatabaseFacts(lead.client)
  const globals = globalsEntry(lead, prefix, context)
  if (settings.mode === 'pg_dump') {
    return {
      tables: [],
      hashes: [],
      largeObjects: undefined,
      incremental: undefined,
      facts,
      entries: [...globals, ...archiveEntries(lead, prefix, context)],
    }
  }
  const schema = schemaEntries(lead, prefix, context)
  await warnOfRoots(lead, context.parts.warn)
  const sequences = await readSequences(lead.client, lead.selection, new Set(lead.tables.map(({ oid }) => oid)))
  const tables: TableReading[] = []
  for (const table of lead.tables) {
    tables.push(new TableReading(table, await planOf(lead, table, context, server.isStandby), workers, context))
  }
  const incremental = await incrementalRun(lead, tables, context, workers, server)
  const objects = settings.largeObjects && !settings.schemaOnly ? await lookAtLargeObjects(lead.client) : undefined
  const blobs = await largeObjectEntries(objects, lead, prefix, context, workers)
  const script = restoreScript({
    encoding: lead.pins.encoding,
    schema: !settings.dataOnly,
    tables: tables.map(({ table, plan }) => ({ table, ranges: plan?.ranges.length ?? 0 })),
    largeObjects: blobs.ranges,
  })
  const scripts = [
    ...globals,
    ...schema.entries,
    textEntry(`${prefix}pg_dump/sequences.sql`, sequences.sql),
    textEntry(`${prefix}pg_dump/restore.sql`, script),
  ]
  const entries = [...tables.flatMap((table) => table.entries(prefix)), ...scripts, ...blobs.entries]
  return {
    tables,
    entries,
    hashes: schema.hashes,
    largeObjects: blobs.state,
    incremental,
    facts: { ...facts, sequences: sequences.count, largeObjects: objects?.count ?? 0 },
  }
}

async function incrementalRun(
  lead: Lead,
  tables: readonly TableReading[],
  context: ReadContext,
  workers: SnapshotWorkers,
  { systemIdentifier, versionNum }: ServerFacts,
): Promise<IncrementalRun | undefined> {
  const { settings, incremental: previous, warn } = context.parts
  if (settings.incremental === 'off') return undefined
  const { fullEvery } = settings
  const run = await IncrementalRun.open({ lead, workers, tables, systemIdentifier, versionNum, previous, fullEvery })
  if (!run) {
    warn({
      code: 'SOURCE_FINDING',
      message:
        'everything is read: a standby, or a server that does not tell its identity, cannot be read incrementally',
    })
  }
  return run
}

async function planOf(
  lead: Lead,
  table: Table,
  context: ReadContext,
  isStandby: boolean,
): Promise<RangePlan | undefined> {
  const { settings, previous, warn } = context.parts
  if (table.kind !== 'r' || table.withoutData || settings.schemaOnly) return undefined
  const name = `${table.schema}.${table.name}`
  if (table.unlogged && isStandby) {
    warn({
      code: 'SOURCE_FINDING',
      message: `${name} is unlogged: a standby has no rows of it`,
      details: { table: name },
    })
    return undefined
  }
  const ranges = previous?.[tablePath('', table.schema, table.name)]?.ranges
  const plan = await planRanges(lead.client, table, settings.rowOrder, ranges)
  return { ...plan, encoding: rowEncoding(lead.pins.encoding) }
}

/** A query that sorts does not notice that nobody listens any more. */
async function stopProcesses(lead: Lead, processes: readonly number[]): Promise<void> {
  if (processes.length === 0 || lead.connection.lost) return
  const stop = lead.client.query(
    'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int[]) AS pid',
    [processes],
  )
  await Promise.race([stop.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2000).unref())])
}

export function emptyDatabase(databases: readonly string[]): BackupError {
  return new BackupError('SOURCE_EMPTY', `no table of ${databases.join(', ')} holds a row`, {
    origin: 'source',
    details: { databases },
    hint: 'Check that this is the database you mean',
  })
}
