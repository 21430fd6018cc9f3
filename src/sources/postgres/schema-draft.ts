/**
 * The schema by pg_dump, read BEFORE the tables are locked for the snapshot, and taken only if nothing of it changed until
 * then. The other way round pg_dump could wait for ever: it asks for locks of its own, these queue behind whoever waits for
 * an exclusive lock on a table, and that one waits for us.
 */
import { schemaFingerprint } from './catalog/fingerprint.ts'
import type { PgClient } from './connection.ts'
import type { DumpChild, DumpRunner } from './dump-client.ts'
import { schemaArguments } from './dump-client-args.ts'
import type { PostgresSettings } from './options.ts'
import { MONETARY, type Pins, sessionPins } from './session-pins.ts'

const MOMENT_MS = 500

export interface SchemaDraft {
  /** The whole schema as pg_dump's custom archive, about a kilobyte for a table: pg_restore cuts every script out of it. */
  readonly archive: Uint8Array
  readonly fingerprint: string
}

/** Resolves when all is read; from then on pg_dump asks for no lock. */
export async function draftSchema(
  client: PgClient,
  runner: DumpRunner,
  settings: PostgresSettings,
  pins: Pins,
): Promise<SchemaDraft> {
  // Both fingerprints must print alike, and nothing may end the transaction while pg_dump reads.
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${sessionPins(pins)}`)
  const { rows } = await client.query<{ id: string }>('SELECT pg_catalog.pg_export_snapshot() AS id')
  const child = await started(client, runner, settings, pins, rows[0]!.id)
  const fingerprint = await schemaFingerprint(client)
  const archive = await child.all()
  await client.query('COMMIT')
  return { archive, fingerprint }
}

/**
 * The schema under the snapshot that is read, where it never stood still for long enough: its tables are locked. pg_dump may
 * then wait as the head of this file says, so it waits for a moment only. @throws BackupError POSTGRES_LOCKED
 */
export async function schemaUnder(
  client: PgClient,
  runner: DumpRunner,
  settings: PostgresSettings,
  pins: Pins,
  snapshot: string,
): Promise<SchemaDraft> {
  const lockWaitTimeoutMs = Math.min(settings.lockWaitTimeoutMs, MOMENT_MS)
  const child = await started(client, runner, { ...settings, lockWaitTimeoutMs }, pins, snapshot)
  return { archive: await child.all(), fingerprint: '' }
}

async function started(
  client: PgClient,
  runner: DumpRunner,
  settings: PostgresSettings,
  pins: Pins,
  snapshot: string,
): Promise<DumpChild> {
  return runner.start('pg_dump', schemaArguments(settings, snapshot, pins.encoding), {
    database: client.database,
    settings: await monetarySettings(client),
  })
}

/** Only where it matters: a pooler between may refuse settings at the start of a connection. */
async function monetarySettings(client: PgClient): Promise<string> {
  const { rows } = await client.query<{ differs: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'lc_monetary' AND reset_val NOT IN ('C', 'POSIX'))
      AND EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE atttypid IN (790, 791) AND attrelid >= 16384) AS differs`,
  )
  return rows[0]!.differs ? `-c lc_monetary=${MONETARY}` : ''
}
