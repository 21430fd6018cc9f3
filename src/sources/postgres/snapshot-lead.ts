/**
 * The connection that leads the reading of one database: it locks every table, then takes and exports the snapshot. In
 * this order, since TRUNCATE and rewriting ALTER TABLEs do not respect snapshots: a table truncated between the snapshot
 * and the lock would read as empty.
 */
import { BackupError } from '../../errors.ts'
import { onAbort } from '../../util/abort.ts'
import { schemaFingerprint } from './catalog/fingerprint.ts'
import { resolveSelection, type Selection } from './catalog/selection.ts'
import { listTables, type Table } from './catalog/tables.ts'
import type { Connector } from './connect.ts'
import { type Connection, type PgClient, rollback } from './connection.ts'
import type { DumpRunner } from './dump-client.ts'
import { quoteQualified } from './names.ts'
import type { PostgresSettings } from './options.ts'
import { pgError, sqlState } from './pg-error.ts'
import { draftSchema, type SchemaDraft, schemaUnder } from './schema-draft.ts'
import { MONETARY, type Pins, sessionPins } from './session-pins.ts'

/** Tables that come and go while they are listed: how often the list is made anew. */
const ATTEMPTS = 16
/** So many of them wait for a schema that stands still while pg_dump reads it. */
const STILL_ATTEMPTS = 4
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
  readonly #runner: DumpRunner | undefined
  #draft: SchemaDraft | undefined
  #restless = 0
  #closed: Promise<void> | undefined

  private constructor(connection: Connection, pins: Pins, settings: PostgresSettings, runner: DumpRunner | undefined) {
    this.#runner = runner
    this.connection = connection
    this.pins = pins
    this.#settings = settings
  }

  /** Connects, and calls the hook that comes before everything. */
  static async open(
    connector: Connector,
    database: string | undefined,
    settings: PostgresSettings,
    runner: DumpRunner | undefined,
    signal: AbortSignal,
  ): Promise<Lead> {
    const connection = await connector.connect(database, signal)
    const remove = onAbort(signal, () => connection.destroy())
    try {
      return await Lead.#opened(connection, settings, runner)
    } catch (error) {
      // What the hook has locked would stay so, with nobody to end it.
      await rollback(connection)
      await connection.end()
      throw error
    } finally {
      remove()
    }
  }

  static async #opened(
    connection: Connection,
    settings: PostgresSettings,
    runner: DumpRunner | undefined,
  ): Promise<Lead> {
    const { rows } = await connection.client.query<{ encoding: string }>(
      'SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
    )
    const { lockWaitTimeoutMs, statementTimeoutMs } = settings
    const lead = new Lead(
      connection,
      { encoding: rows[0]!.encoding, monetary: MONETARY, lockWaitTimeoutMs, statementTimeoutMs },
      settings,
      runner,
    )
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

  /** Undefined where pg_dump is not used, or writes everything. */
  get draft(): SchemaDraft | undefined {
    return this.#draft
  }

  /** What is read through the lead itself, one after the other. */
  use<T>(fn: (client: PgClient) => Promise<T>): Promise<T> {
    this.#users++
    const done = this.#queue.then(() => fn(this.client)).finally(() => this.#users--)
    this.#queue = done.catch(() => {})
    return done
  }

  /** Rolled back before it resolves, so that no lock is left; broken off where it is still at work. */
  close(): Promise<void> {
    // Not twice: a pool may have lent its connection to somebody else by then.
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
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

  /** The schema, where pg_dump reads it, then the transaction and the locks. The snapshot is not taken yet. */
  async lock(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#draftSchema()
        this.#tables = await this.#listBefore()
        await this.#begin('ISOLATION LEVEL REPEATABLE READ READ ONLY')
        if (this.#settings.mode === 'copy') await this.#lockTables()
        return
      } catch (error) {
        // Dropped or renamed between the list and its lock; or a deadlock, whose other side has won.
        if (!isPassing(error) || attempt >= ATTEMPTS) throw error
        this.#restless++
        await this.client.query('ROLLBACK')
      }
    }
  }

  /** Takes the snapshot. What came meanwhile is not locked, or not in the schema, so all begins anew then. */
  async export(): Promise<void> {
    for (let attempt = 1; !(await this.#tryExport()); attempt++) {
      if (attempt >= ATTEMPTS) throw restless(this.client.database)
      this.#restless++
      await this.client.query('ROLLBACK')
      await this.lock()
    }
    await this.#settings.hooks.afterSnapshot?.(this.client)
  }

  async #tryExport(): Promise<boolean> {
    const { rows } = await this.client.query<{ id: string }>('SELECT pg_catalog.pg_export_snapshot() AS id')
    const locked = new Set(this.#tables.map((table) => table.oid))
    this.#selection = await this.#select()
    await this.client.query("SET LOCAL search_path TO ''")
    if (this.#draft !== undefined && this.#draft.fingerprint !== (await schemaFingerprint(this.client))) return false
    this.#tables = await listTables(this.client, this.#selection, true)
    this.#snapshot = { id: rows[0]!.id, ...(await this.#position()) }
    return this.#tables.every((table) => locked.has(table.oid)) && (await this.#hasSchema())
  }

  async #draftSchema(): Promise<void> {
    this.#draft = undefined
    if (this.#runner === undefined || this.#settings.mode === 'pg_dump' || this.#restless >= STILL_ATTEMPTS) return
    this.#draft = await draftSchema(this.client, this.#runner, this.#settings, this.pins)
  }

  /** Where no draft was made, it is read now: what it needs is locked. */
  async #hasSchema(): Promise<boolean> {
    if (this.#runner === undefined || this.#settings.mode === 'pg_dump' || this.#draft !== undefined) return true
    try {
      this.#draft = await schemaUnder(this.client, this.#runner, this.#settings, this.pins, this.snapshot.id)
      return true
    } catch (error) {
      // Somebody waits for our lock on a table, and pg_dump for them.
      if (!isPassing(error) && !(BackupError.is(error) && error.code === 'POSTGRES_LOCKED')) throw error
      return false
    }
  }

  /** With the search path of the role, which patterns without a schema need. */
  async #begin(mode: string): Promise<void> {
    await this.client.query(`BEGIN ${mode}; ${sessionPins(this.pins)} SET LOCAL search_path TO DEFAULT`)
  }

  async #listBefore(): Promise<Table[]> {
    await this.#begin('READ ONLY')
    const selection = await this.#select()
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

  /** Large objects may be all that is wanted. */
  #select(): Promise<Selection> {
    const { filter, where, largeObjects } = this.#settings
    return resolveSelection(this.client, filter, where, largeObjects)
  }

  async #position(): Promise<{ xmin: string; lsn: string }> {
    const { rows } = await this.client.query<{ xmin: string; lsn: string | null }>(
      `SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())::text AS xmin,
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn`,
    )
    return { xmin: rows[0]!.xmin, lsn: rows[0]!.lsn ?? '' }
  }
}

const AGAIN = new Set(['42P01', '3F000', '40P01'])

function isPassing(error: unknown): boolean {
  if (AGAIN.has(sqlState(error) ?? '')) return true
  // pg_dump lists first and locks then, too.
  const said = BackupError.is(error) && error.code === 'POSTGRES_DUMP_FAILED' ? String(error.details.stderr) : ''
  return /relation .* does not exist|could not open relation|cache lookup failed|deadlock detected/.test(said)
}

function restless(database: string | undefined): BackupError {
  return new BackupError('SOURCE_CHANGED', 'the schema changed each time it was read', {
    origin: 'source',
    retryable: true,
    details: { database: database ?? null },
    hint: 'Run it again at a quieter time, or exclude the schema whose tables come and go',
  })
}
