import type { Finding, Json, Sink, Source } from 'holdfast'
import type { Readable } from 'node:stream'

export interface DiffRowsOptions<Ref = string> {
  base: Ref
  head: Ref
  /** `<source>/<schema>/<table>`. */
  table: string
  signal?: AbortSignal
}

export interface KeptOptions extends Omit<PostgresConnection, 'database'> {
  /** The database, by its live name. */
  database: string
  signal?: AbortSignal
}

export interface PlainDumpOptions<Ref = string> {
  snapshot: Ref
  /** Name of the source. */
  source: string
  /** Where the source holds several databases: which one. */
  database?: string
  signal?: AbortSignal
}

/** Structural, so that `pg.Pool` fits and pg need not be installed for types. */
export interface PoolLike {
  connect(): Promise<unknown>
  end(): Promise<void>
}

/** How a Postgres server is reached: the options that the source and the sink share. */

export interface PostgresConnection {
  /** `postgres://user:password@host:port/database?sslmode=…`. What it leaves out comes from the PG* environment. */
  connectionString?: string | undefined
  /** Host name, address, or the absolute folder of a Unix socket. */
  host?: string | undefined
  port?: number | undefined
  user?: string | undefined
  /** Absent: PGPASSWORD, then the password file (PGPASSFILE, ~/.pgpass). A function is asked for each connection. */
  password?: string | (() => string | Promise<string>) | undefined
  database?: string | undefined
  /** True, or options of `tls.connect` (`ca`, `cert`, `key`, `rejectUnauthorized`). Default: what PGSSLMODE says, else false. */
  ssl?: boolean | Readonly<Record<string, unknown>> | undefined
  /** A ready `pg.Pool`, instead of all of the above; it is not ended. */
  pool?: PoolLike
}

export interface PostgresOptions extends PostgresConnection {
  /** First segment of every entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /** Several databases of the server, or all that can be connected to, each below its own name. Default: the one connected to. */
  databases?: readonly string[] | 'all'
  /** Patterns as pg_dump's `--schema`: psql's `*`, `?`, quotes. Default: all but the system's. */
  schemas?: readonly string[]
  /** As pg_dump's `--exclude-schema`. */
  excludeSchemas?: readonly string[]
  /** As pg_dump's `--table`: only these, whatever `schemas` says. */
  tables?: readonly string[]
  /** As pg_dump's `--exclude-table`. */
  excludeTables?: readonly string[]
  /** As pg_dump's `--exclude-table-data`: the tables without their rows. */
  excludeTableData?: readonly string[]
  /** No rows. Default false. */
  schemaOnly?: boolean
  /** Rows, sequences and large objects only; needs no pg_dump. Default false. */
  dataOnly?: boolean
  /** Default: as pg_dump, true unless `schemas` or `tables` select, or `schemaOnly`. */
  largeObjects?: boolean
  /** Roles, memberships and tablespaces of the server. Hashes of passwords need a superuser. Default 'without-passwords'. */
  globals?: 'with-passwords' | 'without-passwords' | 'none'
  /** Leave out who owns what. Default false. */
  noOwner?: boolean
  /** Leave out GRANT and REVOKE. Default false. */
  noPrivileges?: boolean
  /** Only the rows of a table for which this SQL is true, by pattern of the table: `{ 'public.log': "day > '2026-01-01'" }`. */
  where?: Readonly<Record<string, string>>
  /** Tables (or parts of large ones) read at once, each by a connection of its own: 1 to 64. Default: cores, at most 4. */
  jobs?: number
  /** Give up on a lock that is not granted after this long: 1 ms to a day. Default 60,000. */
  lockWaitTimeoutMs?: number
  /** The server cancels each statement that takes longer. 0 means never. Default 0. */
  statementTimeoutMs?: number
  /**
   * Rows sorted by primary key, or as they lie on disk. It decides how much of a changed table is stored again. Default
   * 'auto': by key where keys grow (numbers, times), else as they lie (uuid, text).
   */
  rowOrder?: 'auto' | 'key' | 'heap'
  /**
   * 'xmin' leaves out ranges of tables that are proved unchanged since the previous snapshot, by the transaction ids of
   * their rows. Default 'off': every row is read each time.
   */
  incremental?: 'off' | 'xmin'
  /** With `incremental`: so many runs after everything was read, everything is read again. 1 to 1000. Default 20. */
  fullEvery?: number
  /** 'pg_dump' stores one archive of `pg_dump -Fc`, for what cannot be read table by table (Timescale, Citus). Default 'copy'. */
  mode?: 'copy' | 'pg_dump'
  /** Absolute folder with pg_dump and pg_dumpall. Default: looked for, the oldest that fits the server. */
  binDir?: string
  /** Read at most so many bytes a second, of all tables together. Default: no limit. */
  bytesPerSecond?: number
  /** Fail with SOURCE_EMPTY when there is not a single row. Default false. */
  failOnEmpty?: boolean
  /**
   * Fail with SOURCE_SHRUNK when a table, or all together, lost more than this share (0 to 1) of its rows since the previous
   * snapshot. Default 1: never.
   */
  maxRowDrop?: number
  /**
   * Called for each database with the `pg` client that leads. `beforeSnapshot` in a transaction that is committed before
   * the snapshot is taken, so what it writes is in it; `afterSnapshot` in the read-only transaction of the snapshot.
   */
  hooks?: {
    beforeSnapshot?(client: unknown): Promise<void>
    afterSnapshot?(client: unknown): Promise<void>
  }
}

export interface PostgresSinkOptions extends Omit<PostgresConnection, 'database'> {
  /** Name of the restored database. Default: its name in the snapshot. Only where one database is restored. */
  database?: string
  /**
   * 'scratch-swap' (default) restores into a database beside the live one, checks it, then exchanges their names: the
   * live one is untouched until then and is kept for `keepOldMs`. 'new-database' does not exchange: the name must be
   * free. 'in-place' writes into the database that is there, in one transaction; it is the default with `dataOnly`, and
   * where a part of a database, or a table under another name, is restored.
   */
  strategy?: 'scratch-swap' | 'new-database' | 'in-place'
  /** With 'new-database': drop what has the name. Default false. */
  dropExisting?: boolean
  /** Tables without their rows. Default false. */
  schemaOnly?: boolean
  /** Rows only, into tables that are there; what they hold is replaced. Default false. */
  dataOnly?: boolean
  /** Everything belongs to the role that restores. Default false. */
  noOwner?: boolean
  /** GRANTs are left out. Default false. */
  noPrivileges?: boolean
  /** Create the roles of the snapshot that are missing; none is altered or dropped. Default false. */
  globals?: boolean
  /** Connections that load tables and build indexes at once. Default: the number of cores, 2 to 8. */
  jobs?: number
  /** How long the replaced database is kept, in milliseconds. Default 7 days; 0 drops it when the restore ends. */
  keepOldMs?: number
  /** Sessions of the live database when names are exchanged: wait for their end, or end them. Default 'wait'. */
  sessions?: 'wait' | 'terminate'
  /** How long to wait for them, in milliseconds, before RESTORE_CONFLICT. Default 30 s. */
  swapTimeoutMs?: number
  /** How rows are proved after loading: counted, or read again and hashed (a drill always does). Default 'counts'. */
  check?: 'counts' | 'hashes'
  /** SQL of your own that must hold in the restored database before it goes live; see SqlCheck. */
  checks?: readonly SqlCheck[]
}

export interface PutBackOptions extends KeptOptions {
  /** As for the sink. Default 'wait'. */
  sessions?: PostgresSinkOptions['sessions']
  swapTimeoutMs?: number
}

/** The part of a `BackupEngine` that this needs. */
export interface ReadingEngine<Ref> {
  read(options: { snapshot: Ref; path: string; signal?: AbortSignal }): Promise<AsyncIterable<Uint8Array>>
}

/** Which rows of a table differ between two snapshots, by its primary key. */

export interface RowChange {
  type: 'added' | 'modified' | 'deleted'
  /** Values of the primary key's columns, as Postgres prints them. */
  key: Readonly<Record<string, string | null>>
  /** The row in the base snapshot, by column; absent when added. */
  before?: Readonly<Record<string, string | null>>
  /** The row in the head snapshot; absent when deleted. */
  after?: Readonly<Record<string, string | null>>
}

/** The part of a `BackupEngine` that this needs. */
export interface RowEngine<Ref> {
  entries(options: { snapshot: Ref; path: string; signal?: AbortSignal }): AsyncIterable<RowEntry>
  read(options: { snapshot: Ref; path: string; signal?: AbortSignal }): Promise<AsyncIterable<Uint8Array>>
}

/** `expect` is compared with the first column of the first row, as text. */
export interface SqlCheck {
  readonly name: string
  readonly sql: string
  readonly expect: unknown
}

/**
 * Drops what restores that were killed have left behind; a restore that is under way is not touched, unless its `runId`
 * is given. The next restore of the same database does this by itself. @returns names of the dropped databases
 */
export declare function cleanScratch(
  options: KeptOptions & {
    runId?: string
  },
): Promise<string[]>

/**
 * Rows added, modified and deleted. Ranges that are equal on both sides are not read. Where both sides lie in the order of
 * an integer or uuid key, the two are merged as they stream, in key order; else they are matched in as many passes as it
 * takes to hold 64 MiB at a time, in no order.
 * @throws BackupError ENTRY_NOT_FOUND: neither snapshot has the table; INVALID_OPTIONS: it has no primary key, or not the same
 */
export declare function diffRows<Ref>(engine: RowEngine<Ref>, options: DiffRowsOptions<Ref>): AsyncGenerator<RowChange>

/** What would make a backup with these options fail or be incomplete, each with its fix. It changes nothing. */
export declare function doctor(options: PostgresOptions): Promise<Finding[]>

/** The databases that restores have put aside are dropped, all of this name. @returns their names */
export declare function dropOld(options: KeptOptions): Promise<string[]>

/**
 * Like `pg_dump`'s plain output: schema, rows, large objects, sequences, indexes and constraints. Load it with
 * `psql --set=ON_ERROR_STOP=1 --dbname=NEW --file=…` into a database made from template0. Streamed: memory stays small.
 * @throws BackupError ENTRY_NOT_FOUND (in the stream): no such source or database, or made with `mode: 'pg_dump'`, which
 * has a dump already (`pg_dump/database.dump`)
 */
export declare function plainDump<Ref>(engine: ReadingEngine<Ref>, options: PlainDumpOptions<Ref>): Readable

/**
 * One or several Postgres databases as a source: every table as COPY streams under one exported snapshot, the schema by
 * pg_dump under the same, sequences, large objects and globals. Tables are locked (ACCESS SHARE, as SELECT does) before
 * the snapshot is taken. Each stream is proved complete by the server's own count.
 * @throws BackupError INVALID_OPTIONS; its `open()`: PEER_MISSING, SOURCE_UNREACHABLE, SOURCE_NOT_FOUND, SOURCE_DENIED,
 * POSTGRES_AUTH, POSTGRES_LOCKED, POSTGRES_CLIENT_MISSING, POSTGRES_CLIENT_WRONG
 */
export declare function postgres(options: PostgresOptions): Source

/**
 * Where a Postgres snapshot is restored to. The server is that of the connection; the database is `database`, else the
 * one that the connection string names (unless that is postgres or template1), else its name in the snapshot.
 * @throws BackupError INVALID_OPTIONS
 */
export declare function postgresSink(options?: PostgresSinkOptions): Sink

/**
 * Makes the database that the last restore replaced live again. What is live now is kept for 7 days in its turn.
 * @throws BackupError RESTORE_NOT_FOUND, RESTORE_CONFLICT
 */
export declare function putBack(options: PutBackOptions): Promise<{
  database: string
  kept: string
}>

// Not exported, and part of what is:

interface RowEntry {
  readonly path: string
  readonly type: string
  readonly size: number
  readonly facts: Readonly<Record<string, Json>>
}
