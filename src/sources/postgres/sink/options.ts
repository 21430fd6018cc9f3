/** What can be said to `postgresSink`, and what holds where nothing is said. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { BackupError } from '../../../errors.ts'
import { connectionFields, contradiction, type PostgresConnection } from '../connect-options.ts'

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

/** `expect` is compared with the first column of the first row, as text. */
export interface SqlCheck {
  readonly name: string
  readonly sql: string
  readonly expect: unknown
}

const WEEK_MS = 7 * 24 * 3_600_000

const flag = z.exactOptional(z.boolean('must be true or false'))
const ms = z.exactOptional(z.number('must be a number of milliseconds').min(0, 'must not be negative'))

const schema = z.strictObject({
  ...connectionFields,
  strategy: z.exactOptional(
    z.enum(['scratch-swap', 'new-database', 'in-place'], "must be 'scratch-swap', 'new-database' or 'in-place'"),
  ),
  dropExisting: flag,
  schemaOnly: flag,
  dataOnly: flag,
  noOwner: flag,
  noPrivileges: flag,
  globals: flag,
  jobs: z.exactOptional(
    z.int('must be a whole number from 1 to 64').min(1, 'must be from 1 to 64').max(64, 'must be from 1 to 64'),
  ),
  keepOldMs: ms,
  sessions: z.exactOptional(z.enum(['wait', 'terminate'], "must be 'wait' or 'terminate'")),
  swapTimeoutMs: ms,
  check: z.exactOptional(z.enum(['counts', 'hashes'], "must be 'counts' or 'hashes'")),
  checks: z.exactOptional(
    z.array(z.strictObject({ name: z.string(), sql: z.string(), expect: z.unknown() }), 'must be a list of checks'),
  ),
})

export interface SinkSettings {
  readonly connection: PostgresConnection
  readonly database: string | undefined
  /** Undefined: not said. */
  readonly strategy: 'scratch-swap' | 'new-database' | 'in-place' | undefined
  readonly dropExisting: boolean
  readonly schemaOnly: boolean
  readonly dataOnly: boolean
  readonly noOwner: boolean
  readonly noPrivileges: boolean
  readonly globals: boolean
  readonly jobs: number
  readonly keepOldMs: number
  readonly sessions: 'wait' | 'terminate'
  readonly swapTimeoutMs: number
  readonly check: 'counts' | 'hashes'
  readonly checks: readonly SqlCheck[]
}

/** @throws BackupError INVALID_OPTIONS */
export function sinkSettings(options: PostgresSinkOptions): SinkSettings {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    throw invalid(unknown ?? String(issue?.path.join('.')), unknown ? 'is not known' : String(issue?.message))
  }
  const { database, ...rest } = options
  const wrong = contradiction(rest) ?? contradictionOfSink(options)
  if (wrong !== undefined) throw invalid(wrong.option, wrong.rule)
  return withDefaults(options)
}

function withDefaults(options: PostgresSinkOptions): SinkSettings {
  const { connectionString, host, port, user, password, ssl, pool } = options
  const connection = { connectionString, host, port, user, password, ssl, pool }
  const given = Object.entries(connection).filter(([, value]) => value !== undefined)
  return {
    connection: Object.fromEntries(given),
    database: options.database,
    strategy: options.strategy ?? (options.dataOnly ? 'in-place' : undefined),
    dropExisting: options.dropExisting ?? false,
    schemaOnly: options.schemaOnly ?? false,
    dataOnly: options.dataOnly ?? false,
    noOwner: options.noOwner ?? false,
    noPrivileges: options.noPrivileges ?? false,
    globals: options.globals ?? false,
    jobs: options.jobs ?? Math.min(8, Math.max(2, availableParallelism())),
    keepOldMs: options.keepOldMs ?? WEEK_MS,
    sessions: options.sessions ?? 'wait',
    swapTimeoutMs: options.swapTimeoutMs ?? 30_000,
    check: options.check ?? 'counts',
    checks: options.checks ?? [],
  }
}

function contradictionOfSink(options: PostgresSinkOptions): { option: string; rule: string } | undefined {
  const { strategy, schemaOnly, dataOnly, dropExisting } = options
  if (schemaOnly && dataOnly) return { option: 'dataOnly', rule: 'cannot be used together with schemaOnly' }
  if (dataOnly && strategy !== undefined && strategy !== 'in-place') {
    return { option: 'dataOnly', rule: "needs strategy 'in-place': the tables must be there" }
  }
  if (dropExisting && strategy !== 'new-database') {
    return { option: 'dropExisting', rule: "needs strategy 'new-database'" }
  }
  return undefined
}

function invalid(option: string, rule: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `postgresSink: option '${option}' ${rule}`, {
    origin: 'usage',
    details: { option, rule },
  })
}
