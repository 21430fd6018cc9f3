/** What is kept about the server itself. */
import type { PgClient } from '../connection.ts'

export interface ServerFacts {
  /** As in '15.18 (Debian …)'. */
  readonly version: string
  /** As in 150018. */
  readonly versionNum: number
  /** Null where the server does not tell. */
  readonly systemIdentifier: string | null
  readonly timeline: number | null
  readonly isStandby: boolean
}

export async function readServerFacts(client: PgClient): Promise<ServerFacts> {
  const { rows } = await client.query<{ version: string; num: number; standby: boolean }>(
    `SELECT pg_catalog.current_setting('server_version') AS version,
      pg_catalog.current_setting('server_version_num')::int AS num, pg_catalog.pg_is_in_recovery() AS standby`,
  )
  const { version, num, standby } = rows[0]!
  // Some managed servers keep these functions for themselves. Outside of a transaction a refusal breaks nothing.
  const identity = await client
    .query<{ id: string; timeline: number }>(
      `SELECT s.system_identifier::text AS id, c.timeline_id AS timeline
        FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c`,
    )
    .catch(() => ({ rows: [] }))
  const { id, timeline } = identity.rows[0] ?? { id: null, timeline: null }
  return { version, versionNum: num, systemIdentifier: id, timeline, isStandby: standby }
}

/** Names of all databases that can be connected to, templates left out. */
export async function listDatabases(client: PgClient): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate
      AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY datname`,
  )
  return rows.map(({ name }) => name)
}
