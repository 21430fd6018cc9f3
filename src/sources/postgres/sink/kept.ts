/** After a restore: the old database is put back, or dropped; what a killed restore left behind is cleaned up. */
import { newId } from '../../../crypto/random.ts'
import { BackupError } from '../../../errors.ts'
import type { PostgresConnection } from '../connect-options.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteLiteral } from '../names.ts'
import {
  dropDatabase,
  keptName,
  locked,
  type Mark,
  type MarkedDatabase,
  markedDatabases,
  unmarkedScratch,
} from './databases.ts'
import { type PostgresSinkOptions, sinkSettings } from './options.ts'
import { readProperties } from './properties.ts'
import { Sessions } from './sessions.ts'
import { type Swap, swapDatabases } from './swap.ts'

export interface KeptOptions extends Omit<PostgresConnection, 'database'> {
  /** The database, by its live name. */
  database: string
  signal?: AbortSignal
}

export interface PutBackOptions extends KeptOptions {
  /** As for the sink. Default 'wait'. */
  sessions?: PostgresSinkOptions['sessions']
  swapTimeoutMs?: number
}

/** What a database that is put aside carries as its comment. */
export function keptMark(database: string, runId: string, at: Date, keepMs: number, comment: string | null): Mark {
  const until = new Date(at.getTime() + keepMs).toISOString()
  const note = `This was ${database} until a restore replaced it; it may be dropped after ${until.slice(0, 10)}. putBack() makes it live again.`
  return { holdfast: 'kept', runId, database, at: at.toISOString(), until, note, comment }
}

/**
 * Makes the database that the last restore replaced live again. What is live now is kept for 7 days in its turn.
 * @throws BackupError RESTORE_NOT_FOUND, RESTORE_CONFLICT
 */
export async function putBack(options: PutBackOptions): Promise<{ database: string; kept: string }> {
  const { database, sessions, swapTimeoutMs } = options
  const more = { ...(sessions && { sessions }), ...(swapTimeoutMs === undefined ? {} : { swapTimeoutMs }) }
  return await withMaintenance({ ...options }, more, async (client, helper, settings) => {
    const kept = (await keptOf(client, database)).at(-1)
    if (kept === undefined) throw nothingKept(database)
    const now = new Date()
    const live = await readProperties(client, database)
    const runId = newId(now)
    const mark = keptMark(database, runId, now, settings.keepOldMs, live?.comment ?? null)
    const old = live === null ? null : { name: keptName(database, now, runId), mark }
    await swapDatabases(client, helper, [swapBack(kept, old)], { ...settings, signal: options.signal })
    await restoreComment(client, database, kept.mark)
    return { database, kept: old?.name ?? '' }
  })
}

/** The databases that restores have put aside are dropped, all of this name. @returns their names */
export async function dropOld(options: KeptOptions): Promise<string[]> {
  return await withMaintenance(options, {}, async (client) => {
    const names = (await keptOf(client, options.database)).map((one) => one.name)
    for (const name of names) await dropDatabase(client, name)
    return names
  })
}

/**
 * Drops what restores that were killed have left behind; a restore that is under way is not touched, unless its `runId`
 * is given. The next restore of the same database does this by itself. @returns names of the dropped databases
 */
export async function cleanScratch(options: KeptOptions & { runId?: string }): Promise<string[]> {
  const { runId, ...rest } = options
  return await withMaintenance(rest, {}, (client) => dropScratch(client, options.database, runId))
}

/** Scratch databases of `database` that nobody works on, or those of one run. */
export async function dropScratch(client: PgClient, database: string, runId?: string): Promise<string[]> {
  return await locked(client, async () => {
    const all = (await markedDatabases(client)).filter(
      ({ mark }) => mark.holdfast === 'scratch' && mark.database === database,
    )
    const mine = all.filter(({ mark, sessions }) => (runId === undefined ? sessions === 0 : mark.runId === runId))
    const names = [...mine.map(({ name }) => name), ...(await unmarkedScratch(client, database, runId))]
    for (const name of names) await dropDatabase(client, name)
    return names
  })
}

/** Put aside by restores of this database, the oldest first. */
export async function keptOf(client: PgClient, database: string): Promise<MarkedDatabase[]> {
  const all = (await markedDatabases(client)).filter(
    ({ mark }) => mark.holdfast === 'kept' && mark.database === database,
  )
  return all.sort((a, b) => (a.mark.at < b.mark.at ? -1 : 1))
}

export function swapBack(kept: MarkedDatabase, old: Swap['old']): Swap {
  return { next: kept.name, live: kept.mark.database, properties: null, old }
}

/** The comment that it had before ours. */
export async function restoreComment(client: PgClient, database: string, mark: Mark): Promise<void> {
  if (typeof mark.comment !== 'string') await client.query(`COMMENT ON DATABASE ${quoteIdent(database)} IS NULL`)
  else await client.query(`COMMENT ON DATABASE ${quoteIdent(database)} IS ${quoteLiteral(mark.comment)}`)
}

async function withMaintenance<T>(
  options: KeptOptions,
  more: Partial<PostgresSinkOptions>,
  work: (client: PgClient, helper: PgClient, settings: ReturnType<typeof sinkSettings>) => Promise<T>,
): Promise<T> {
  const { database, signal, sessions: _s, swapTimeoutMs: _t, ...connection } = options as PutBackOptions
  const settings = sinkSettings({ ...connection, ...more })
  await using sessions = new Sessions(settings, signal)
  const client = await sessions.openMaintenance([database], undefined)
  const helper = await sessions.openMaintenance([database], undefined)
  try {
    return await work(client, helper, settings)
  } catch (error) {
    throw sessions.explain(error)
  }
}

function nothingKept(database: string): BackupError {
  return new BackupError('RESTORE_NOT_FOUND', `no restore has put a database ${database} aside, or it was dropped`, {
    origin: 'sink',
    details: { database },
    hint: 'List databases whose comment begins with {"holdfast":"kept"',
  })
}
