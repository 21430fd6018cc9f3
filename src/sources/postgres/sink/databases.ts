/** The databases that the sink makes and keeps beside a live one: how they are called, marked, found and dropped. */
import { sha256Hex } from '../../../crypto/hash.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteLiteral } from '../names.ts'
import { sinkError } from './sql-error.ts'

/** Kept as JSON in the comment of the database. */
export interface Mark {
  readonly holdfast: 'scratch' | 'kept'
  readonly runId: string
  /** The database that it is to become, or was. */
  readonly database: string
  readonly at: string
  /** For people. */
  readonly note: string
  /** When a kept one may be dropped. */
  readonly until?: string
  /** The comment that it had. */
  readonly comment?: string | null
}

export interface MarkedDatabase {
  readonly name: string
  readonly mark: Mark
  /** Sessions that are connected to it now. */
  readonly sessions: number
}

const MAX_NAME_BYTES = 63

/** The same for the same run, so that a later process finds it even without its comment. */
export function scratchName(database: string, runId: string): string {
  return beside(database, `_holdfast_scratch_${shortId(`${database}/${runId}`)}`)
}

/** `app_holdfast_20261121t101344`; with an id of the run where that is taken. */
export function keptName(database: string, at: Date, runId: string): string {
  const time = at.toISOString().slice(0, 19).replace(/[-:]/g, '').toLowerCase()
  return beside(database, `_holdfast_${time}_${shortId(runId).slice(0, 4)}`)
}

function shortId(text: string): string {
  return sha256Hex(Buffer.from(text)).slice(0, 10)
}

/** Names are cut at 63 bytes by the server, without a word; here the database's own part is what is cut. */
function beside(database: string, suffix: string): string {
  let kept = database
  while (Buffer.byteLength(kept + suffix) > MAX_NAME_BYTES) kept = [...kept].slice(0, -1).join('')
  return kept + suffix
}

export async function markDatabase(client: PgClient, name: string, mark: Mark): Promise<void> {
  await client.query(`COMMENT ON DATABASE ${quoteIdent(name)} IS ${quoteLiteral(JSON.stringify(mark))}`)
}

export async function databaseExists(client: PgClient, name: string): Promise<boolean> {
  const { rows } = await client.query('SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1', [name])
  return rows.length > 0
}

/** All that carry a mark of ours, by name. */
export async function markedDatabases(client: PgClient): Promise<MarkedDatabase[]> {
  const { rows } = await client.query<{ name: string; comment: string; sessions: number }>(
    `SELECT d.datname AS name, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend') AS sessions
     FROM pg_catalog.pg_database d
     WHERE pg_catalog.shobj_description(d.oid, 'pg_database') LIKE '{"holdfast":%' ORDER BY d.datname`,
  )
  return rows.flatMap(({ name, comment, sessions }) => {
    const mark = readMark(comment)
    return mark === undefined ? [] : [{ name, mark, sessions }]
  })
}

/**
 * Made by a restore that ended before it could leave its mark. Only for one who holds the lock: a restore that is under way
 * has it until the mark is there.
 */
export async function unmarkedScratch(client: PgClient, database: string, runId?: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_catalog.pg_database d WHERE pg_catalog.shobj_description(oid, 'pg_database') IS NULL
       AND CASE WHEN $2::text IS NULL THEN pg_catalog.starts_with(datname, $1) AND datname ~ '_holdfast_scratch_[0-9a-f]{10}$'
         AND pg_catalog.length(datname) = pg_catalog.length($1) + 10 ELSE datname = $2 END
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend')`,
    [scratchName(database, '').slice(0, -10), runId === undefined ? null : scratchName(database, runId)],
  )
  return rows.map(({ name }) => name)
}

function readMark(comment: string): Mark | undefined {
  try {
    const mark = JSON.parse(comment) as Mark
    return mark.holdfast === 'scratch' || mark.holdfast === 'kept' ? mark : undefined
  } catch {
    return undefined
  }
}

/** With all that is connected to it. Nothing happens where it is not there. */
export async function dropDatabase(client: PgClient, name: string): Promise<void> {
  const { rows } = await client.query<{ num: number }>("SELECT current_setting('server_version_num')::int AS num")
  const force = (rows[0]?.num ?? 0) >= 130000
  try {
    if (!force) await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name])
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdent(name)}${force ? ' WITH (FORCE)' : ''}`)
  } catch (error) {
    throw sinkError(error, `dropping database ${name}`, { database: name })
  }
}

/** One of ours at a time creates, or looks for what others left behind. Released by unlock, or with the connection. */
const LOCK_KEY = '5218103467123377729'

export async function locked<T>(client: PgClient, work: () => Promise<T>): Promise<T> {
  await client.query(`SELECT pg_catalog.pg_advisory_lock(${LOCK_KEY})`)
  try {
    return await work()
  } finally {
    await client.query(`SELECT pg_catalog.pg_advisory_unlock(${LOCK_KEY})`).catch(() => {})
  }
}
