/**
 * The connection that leads the reading of one database: it locks every table, then takes and exports the snapshot. In
 * this order, since TRUNCATE and rewriting ALTER TABLEs do not respect snapshots: a table truncated between the snapshot
 * and the lock would read as empty.
 */
import { BackupError } from '../../errors.ts'
import { resolveSelection, type Selection } from './catalog/selection.ts'
import { listTables, type Table } from './catalog/tables.ts'
import type { Connector } from './connect.ts'
import { type Connection, type PgClient, rollback } from './connection.ts'
import { quoteQualified } from './names.ts'
import type { PostgresSettings } from './options.ts'
import { pgError, sqlState } from './pg-error.ts'
import { type Pins, sessionPins } from './session-pins.ts'

/** Tables that come and go while they are listed: how often the list is made anew. */
const ATTEMPTS = 8
const LOCK_BATCH = 200

export interface ExportedSnapshot {
  readonly id: string
  readonly xmin: string
  readonly lsn: string
}

/** One database, its tables locked, its snapshot exported. Queries of different callers are put in a row by `use`. */
export class Lead {
  readonly connection: Connection
  readonly pins: Pins
  readonly #settings: PostgresSettings
  #tables: readonly Table[] = []
  #selection: Selection | undefined
  #snapshot: ExportedSnapshot | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #users = 0

  private constructor(connection: Connection, pins: Pins, settings: PostgresSettings) {
    this.connection = connection
    this.pins = pins
    this.#settings = settings
  }

  /** Connects, and calls the hook that comes before everything. */
  static async open(
    connector: Connector,
    database: string | undefined,
    settings: PostgresSettings,
    signal: AbortSignal,
  ): Promise<Lead> {
    const connection = await connector.connect(database, signal)
    const { client } = connection
    const { rows } = await client.query<{ encoding: string }>(
      'SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
    )
    const { lockWaitTimeoutMs, statementTimeoutMs } = settings
    const lead = new Lead(connection, { encoding: rows[0]!.encoding, lockWaitTimeoutMs, statementTimeoutMs }, settings)
    await lead.#before()
    return lead
  }

  get client(): PgClient {
    return this.connection.client
  }

  get tables(): readonly Table[] {
    return this.#tables
  }

  get selection(): Selection {
    return this.#selection!
  }

  get snapshot(): ExportedSnapshot {
    return this.#snapshot!
  }

  /** What is read through the lead itself, one after the other. */
  use<T>(fn: (client: PgClient) => Promise<T>): Promise<T> {
    this.#users++
    const done = this.#queue.then(() => fn(this.client)).finally(() => this.#users--)
    this.#queue = done.catch(() => {})
    return done
  }

  /** Rolled back before it resolves, so that no lock is left; broken off where it is still at work. */
  async close(): Promise<void> {
    if (this.#users > 0) this.connection.destroy()
    await rollback(this.connection)
    await this.connection.end()
  }

  async #before(): Promise<void> {
    const hook = this.#settings.hooks.beforeSnapshot
    if (hook === undefined) return
    await this.client.query('BEGIN')
    await hook(this.client)
    await this.client.query('COMMIT')
  }

  /** Opens the transaction and locks what there is now. The snapshot is not taken yet. */
  async lock(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#tables = await this.#listBefore()
      try {
        await this.#begin('ISOLATION LEVEL REPEATABLE READ READ ONLY')
        return await this.#lockTables()
      } catch (error) {
        // Dropped or renamed between the list and its lock.
        if (!['42P01', '3F000'].includes(sqlState(error) ?? '') || attempt >= ATTEMPTS) throw error
        await this.client.query('ROLLBACK')
      }
    }
  }

  /** Takes the snapshot. Tables that came meanwhile are not locked, so all begins anew then. */
  async export(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { rows } = await this.client.query<{ id: string }>('SELECT pg_catalog.pg_export_snapshot() AS id')
      const locked = new Set(this.#tables.map((table) => table.oid))
      this.#selection = await resolveSelection(this.client, this.#settings.filter, this.#settings.where)
      await this.client.query("SET LOCAL search_path TO ''")
      this.#tables = await listTables(this.client, this.#selection, true)
      if (this.#tables.every((table) => locked.has(table.oid))) {
        this.#snapshot = { id: rows[0]!.id, ...(await this.#position()) }
        break
      }
      if (attempt >= ATTEMPTS) throw restless(this.client.database)
      await this.client.query('ROLLBACK')
      await this.lock()
    }
    await this.#settings.hooks.afterSnapshot?.(this.client)
  }

  /** With the search path of the role, which patterns without a schema need. */
  async #begin(mode: string): Promise<void> {
    await this.client.query(`BEGIN ${mode}`)
    await this.client.query(`${sessionPins(this.pins)} SET LOCAL search_path TO DEFAULT`)
  }

  async #listBefore(): Promise<Table[]> {
    await this.#begin('READ ONLY')
    const selection = await resolveSelection(this.client, this.#settings.filter, this.#settings.where)
    const tables = await listTables(this.client, selection, false)
    await this.client.query('COMMIT')
    return tables
  }

  /** Materialised views and foreign tables are not read, so nobody has to wait for them. */
  async #lockTables(): Promise<void> {
    const names = this.#tables
      .filter(({ kind }) => kind === 'r' || kind === 'p')
      .map(({ schema, name }) => `ONLY ${quoteQualified(schema, name)}`)
    for (let at = 0; at < names.length; at += LOCK_BATCH) {
      const batch = names.slice(at, at + LOCK_BATCH)
      try {
        await this.client.query(`LOCK TABLE ${batch.join(', ')} IN ACCESS SHARE MODE`)
      } catch (error) {
        throw pgError(error, 'source', 'cannot lock the tables', { database: this.client.database ?? null })
      }
    }
  }

  async #position(): Promise<{ xmin: string; lsn: string }> {
    const { rows } = await this.client.query<{ xmin: string; lsn: string | null }>(
      `SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())::text AS xmin,
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn`,
    )
    return { xmin: rows[0]!.xmin, lsn: rows[0]!.lsn ?? '' }
  }
}

function restless(database: string | undefined): BackupError {
  return new BackupError('SOURCE_CHANGED', 'tables were made or dropped each time the list of tables was read', {
    origin: 'source',
    retryable: true,
    details: { database: database ?? null },
    hint: 'Run it again at a quieter time, or exclude the schema of temporary tables',
  })
}
