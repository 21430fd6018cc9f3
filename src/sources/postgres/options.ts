/** What `postgres()` takes: named as pg_dump names it where it has the same thing. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { invalidSourceOption, parseSourceOptions } from '../options.ts'
import { SOURCE_NAME } from '../source.ts'
import { connectionFields, contradiction, type PostgresConnection } from './connect-options.ts'

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
  hooks?: { beforeSnapshot?(client: unknown): Promise<void>; afterSnapshot?(client: unknown): Promise<void> }
}

/** Checked, with every default in its place. */
export interface PostgresSettings {
  readonly name: string
  readonly connection: PostgresConnection
  readonly databases: readonly string[] | 'all' | undefined
  readonly filter: PatternFilter
  readonly schemaOnly: boolean
  readonly dataOnly: boolean
  readonly largeObjects: boolean
  readonly globals: 'with-passwords' | 'without-passwords' | 'none'
  readonly noOwner: boolean
  readonly noPrivileges: boolean
  readonly where: Readonly<Record<string, string>>
  readonly jobs: number
  readonly lockWaitTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly rowOrder: 'auto' | 'key' | 'heap'
  readonly incremental: 'off' | 'xmin'
  readonly fullEvery: number
  readonly mode: 'copy' | 'pg_dump'
  readonly binDir: string | undefined
  readonly bytesPerSecond: number | undefined
  readonly failOnEmpty: boolean
  readonly maxRowDrop: number
  readonly hooks: NonNullable<PostgresOptions['hooks']>
}

export interface PatternFilter {
  readonly schemas: readonly string[]
  readonly excludeSchemas: readonly string[]
  readonly tables: readonly string[]
  readonly excludeTables: readonly string[]
  readonly excludeTableData: readonly string[]
}

const DAY_MS = 86_400_000
const NAME_RULE = "must be 1 to 64 of letters, digits, '.', '_', '-', not beginning with '.'"
const PATTERN_RULE = 'must be a list of patterns, none of them empty'
const patterns = z.exactOptional(z.array(z.string(PATTERN_RULE).min(1, PATTERN_RULE), PATTERN_RULE).readonly())
const flag = z.exactOptional(z.boolean('must be true or false'))
const DATABASES_RULE = "must be 'all' or a list of 1 to 1000 names"
const SHARE_RULE = 'must be a number from 0 to 1'
const FOLDER_RULE = 'must be an absolute path'
const HOOK_RULE = 'must be a function'
const hook = z.exactOptional(
  z.custom<(client: unknown) => Promise<void>>((value) => typeof value === 'function', HOOK_RULE),
)

function whole(min: number, max: number, unit: string): z.ZodType<number> {
  const rule = `must be a whole number of ${unit} from ${min} to ${max}`
  return z.int(rule).min(min, rule).max(max, rule)
}

function oneOf<const T extends readonly string[]>(words: T): z.ZodEnum<{ [K in T[number]]: K }> {
  return z.enum(words, `must be one of: ${words.join(', ')}`)
}

const schema = z.strictObject({
  ...connectionFields,
  name: z.string(NAME_RULE).regex(SOURCE_NAME, NAME_RULE),
  databases: z.exactOptional(
    z.union([z.literal('all'), z.array(z.string().min(1)).min(1).max(1000).readonly()], DATABASES_RULE),
  ),
  schemas: patterns,
  excludeSchemas: patterns,
  tables: patterns,
  excludeTables: patterns,
  excludeTableData: patterns,
  schemaOnly: flag,
  dataOnly: flag,
  largeObjects: flag,
  globals: z.exactOptional(oneOf(['with-passwords', 'without-passwords', 'none'])),
  noOwner: flag,
  noPrivileges: flag,
  where: z.exactOptional(z.record(z.string().min(1), z.string().min(1), 'must be an object of SQL by table')),
  jobs: z.exactOptional(whole(1, 64, 'connections')),
  lockWaitTimeoutMs: z.exactOptional(whole(1, DAY_MS, 'milliseconds')),
  statementTimeoutMs: z.exactOptional(whole(0, 7 * DAY_MS, 'milliseconds')),
  rowOrder: z.exactOptional(oneOf(['auto', 'key', 'heap'])),
  incremental: z.exactOptional(oneOf(['off', 'xmin'])),
  fullEvery: z.exactOptional(whole(1, 1000, 'runs')),
  mode: z.exactOptional(oneOf(['copy', 'pg_dump'])),
  binDir: z.exactOptional(z.string(FOLDER_RULE).refine((path) => path.startsWith('/'), FOLDER_RULE)),
  bytesPerSecond: z.exactOptional(whole(1, Number.MAX_SAFE_INTEGER, 'bytes')),
  failOnEmpty: flag,
  maxRowDrop: z.exactOptional(z.number(SHARE_RULE).min(0, SHARE_RULE).max(1, SHARE_RULE)),
  hooks: z.exactOptional(z.strictObject({ beforeSnapshot: hook, afterSnapshot: hook })),
})

/** @throws BackupError INVALID_OPTIONS */
export function parsePostgresOptions(options: PostgresOptions): PostgresSettings {
  const given = parseSourceOptions(schema, options, 'postgres')
  const { connectionString, host, port, user, password, database, ssl, pool, ...rest } = given
  const connection = defined({
    connectionString,
    host,
    port,
    user,
    password,
    database,
    ssl,
    pool,
  }) as PostgresConnection
  const wrong = contradiction(connection) ?? wrongTogether(given)
  if (wrong !== undefined) throw invalidSourceOption('postgres', wrong.option, wrong.rule)
  const selects = rest.schemas !== undefined || rest.tables !== undefined
  return {
    name: rest.name,
    connection,
    databases: rest.databases,
    filter: {
      schemas: rest.schemas ?? [],
      excludeSchemas: rest.excludeSchemas ?? [],
      tables: rest.tables ?? [],
      excludeTables: rest.excludeTables ?? [],
      excludeTableData: rest.excludeTableData ?? [],
    },
    schemaOnly: rest.schemaOnly ?? false,
    dataOnly: rest.dataOnly ?? false,
    largeObjects: rest.largeObjects ?? (!selects && rest.schemaOnly !== true),
    globals: rest.globals ?? (rest.dataOnly ? 'none' : 'without-passwords'),
    noOwner: rest.noOwner ?? false,
    noPrivileges: rest.noPrivileges ?? false,
    where: rest.where ?? {},
    jobs: rest.jobs ?? Math.min(4, availableParallelism()),
    lockWaitTimeoutMs: rest.lockWaitTimeoutMs ?? 60_000,
    statementTimeoutMs: rest.statementTimeoutMs ?? 0,
    rowOrder: rest.rowOrder ?? 'auto',
    incremental: rest.incremental ?? 'off',
    fullEvery: rest.fullEvery ?? 20,
    mode: rest.mode ?? 'copy',
    binDir: rest.binDir,
    bytesPerSecond: rest.bytesPerSecond,
    failOnEmpty: rest.failOnEmpty ?? false,
    maxRowDrop: rest.maxRowDrop ?? 1,
    hooks: defined(rest.hooks ?? {}) as NonNullable<PostgresOptions['hooks']>,
  }
}

function wrongTogether(given: z.output<typeof schema>): { option: string; rule: string } | undefined {
  if (given.schemaOnly && given.dataOnly) return { option: 'dataOnly', rule: 'cannot be used together with schemaOnly' }
  if (given.mode === 'pg_dump' && given.incremental === 'xmin') {
    return { option: 'incremental', rule: "cannot be used with mode 'pg_dump'" }
  }
  if (given.mode === 'pg_dump' && given.where !== undefined) {
    return { option: 'where', rule: "cannot be used with mode 'pg_dump'" }
  }
  return undefined
}

function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
