/**
 * The moment a restore goes live: the restored database gets the name of the live one, in one transaction. Nothing is
 * committed before it, so a process that is killed leaves the live database as it was. The rename itself keeps new
 * sessions waiting while it holds its lock.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { BackupError } from '../../../errors.ts'
import type { Warning } from '../../../events.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent } from '../names.ts'
import { sqlState } from '../pg-error.ts'
import { type Mark, markDatabase } from './databases.ts'
import {
  type DatabaseProperties,
  type PropertyRules,
  type PropertyStatement,
  propertyStatements,
} from './properties.ts'
import { sinkError } from './sql-error.ts'

export interface Swap {
  /** The database that goes live. */
  readonly next: string
  /** Its name from now on. */
  readonly live: string
  /** What it gets besides the name; null: it has its own. */
  readonly properties: DatabaseProperties | null
  /** What has the name now, and what becomes of it; null: the name is free. */
  readonly old: { readonly name: string; readonly mark: Mark } | null
}

export interface SwapRules extends PropertyRules {
  readonly sessions: 'wait' | 'terminate'
  readonly swapTimeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Told once the names are exchanged. */
  readonly warn?: (warning: Warning) => void
}

/** `helper` is a second connection: it ends sessions while the first one renames. @throws BackupError RESTORE_CONFLICT */
export async function swapDatabases(
  client: PgClient,
  helper: PgClient,
  swaps: readonly Swap[],
  rules: SwapRules,
): Promise<void> {
  const names = swaps.filter((swap) => swap.old !== null).map((swap) => swap.live)
  await refuseReplicated(client, names)
  const deadline = performance.now() + rules.swapTimeoutMs
  for (;;) {
    const open = rules.sessions === 'wait' ? await openSessions(client, names) : []
    if (open.length === 0 && (await tried(client, helper, swaps, rules))) return
    if (performance.now() >= deadline) throw await inUse(client, names)
    await delay(200, undefined, rules.signal ? { signal: rules.signal } : {})
  }
}

/** False: a session came in between. */
async function tried(client: PgClient, helper: PgClient, swaps: readonly Swap[], rules: SwapRules): Promise<boolean> {
  const names = swaps.flatMap((swap) => (swap.old === null ? [swap.next] : [swap.live, swap.next]))
  const ender = rules.sessions === 'terminate' ? endSessions(helper, names) : undefined
  try {
    await client.query('BEGIN')
    const warnings: Warning[] = []
    for (const swap of swaps) warnings.push(...(await rename(client, swap, rules)))
    await client.query('COMMIT')
    for (const warning of warnings) rules.warn?.(warning)
    return true
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    if (sqlState(error) === '55006') return false
    throw sinkError(error, `renaming ${swaps.map((swap) => swap.next).join(', ')}`)
  } finally {
    await ender?.stop()
  }
}

async function rename(client: PgClient, swap: Swap, rules: PropertyRules): Promise<Warning[]> {
  const { next, live, old, properties } = swap
  if (old !== null) {
    await client.query(`ALTER DATABASE ${quoteIdent(live)} RENAME TO ${quoteIdent(old.name)}`)
    await markDatabase(client, old.name, old.mark)
  }
  await client.query(`ALTER DATABASE ${quoteIdent(next)} RENAME TO ${quoteIdent(live)}`)
  if (properties === null) return []
  const warnings: Warning[] = []
  for (const statement of await propertyStatements(client, live, properties, rules)) {
    if (statement.setting === undefined) await client.query(statement.sql)
    else if (!(await isSet(client, statement))) warnings.push(notSet(live, statement.setting))
  }
  return warnings
}

/** False: the role may not. Everything is restored by then, and the setting can be given later. */
async function isSet(client: PgClient, { sql }: PropertyStatement): Promise<boolean> {
  await client.query('SAVEPOINT holdfast')
  try {
    await client.query(sql)
    await client.query('RELEASE SAVEPOINT holdfast')
    return true
  } catch (error) {
    if (sqlState(error) !== '42501') throw error
    await client.query('ROLLBACK TO SAVEPOINT holdfast')
    return false
  }
}

function notSet(database: string, setting: string): Warning {
  const message = `${database} is restored without its setting ${setting}: the role may not set it`
  return { code: 'RESTORE_SETTING_DENIED', message, details: { database, setting } }
}

function endSessions(helper: PgClient, names: readonly string[]): { stop(): Promise<void> } {
  let stopped = false
  const run = async (): Promise<void> => {
    while (!stopped) {
      await helper.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1)', [names])
      await delay(100)
    }
  }
  const running = run().catch(() => {})
  return {
    stop: () => {
      stopped = true
      return running
    },
  }
}

export interface OpenSession {
  readonly pid: number
  readonly database: string
  readonly application: string
  readonly user: string
}

export async function openSessions(client: PgClient, names: readonly string[]): Promise<OpenSession[]> {
  const { rows } = await client.query<OpenSession>(
    `SELECT pid, datname AS database, coalesce(application_name, '') AS application, coalesce(usename, '') AS user
     FROM pg_catalog.pg_stat_activity WHERE datname = ANY($1) AND backend_type = 'client backend' ORDER BY pid`,
    [names],
  )
  return rows
}

/** Replication slots and subscriptions hold on to a database, not to its name: they would stay with the old one. */
export async function replicationOf(client: PgClient, names: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `SELECT 'replication slot ' || slot_name AS what FROM pg_catalog.pg_replication_slots WHERE database = ANY($1)
     UNION ALL SELECT 'subscription ' || s.subname FROM pg_catalog.pg_subscription s
       JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = ANY($1)
     UNION ALL SELECT 'prepared transaction ' || gid FROM pg_catalog.pg_prepared_xacts WHERE database = ANY($1)`,
    [names],
  )
  return rows.map((row) => row.what)
}

async function refuseReplicated(client: PgClient, names: readonly string[]): Promise<void> {
  const found = await replicationOf(client, names)
  if (found.length === 0) return
  throw new BackupError('RESTORE_CONFLICT', `${names.join(', ')} is held by ${found.join(', ')}`, {
    origin: 'sink',
    hint: 'Drop the slot or subscription, or end the prepared transaction, then restore again',
    details: { databases: names, heldBy: found },
  })
}

async function inUse(client: PgClient, names: readonly string[]): Promise<BackupError> {
  const sessions = await openSessions(client, names)
  const list = sessions.slice(0, 20).map((one) => ({ ...one }))
  const said = list.map(({ pid, application, user }) => `${application || user} (pid ${pid})`).join(', ')
  return new BackupError(
    'RESTORE_CONFLICT',
    `${names.join(', ')} is in use: ${said || 'by sessions that come and go'}`,
    {
      origin: 'sink',
      retryable: true,
      hint: "End these sessions, raise swapTimeoutMs, or pass sessions: 'terminate'",
      details: { databases: names, sessions: list },
    },
  )
}
