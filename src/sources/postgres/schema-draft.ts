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

export interface SchemaDraft {
  readonly preData: DumpChild
  readonly postData: DumpChild
  /** Both, for what comes last. */
  readonly whole: DumpChild
  readonly archive: DumpChild
  readonly fingerprint: string
}

/** Resolves when all is read, or so much that the rest may wait; from then on pg_dump asks for no lock. */
export async function draftSchema(
  client: PgClient,
  runner: DumpRunner,
  settings: PostgresSettings,
  encoding: string,
): Promise<SchemaDraft> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  // Names of functions print by it, and both fingerprints must print alike.
  await client.query("SET LOCAL search_path TO ''")
  const { rows } = await client.query<{ id: string }>('SELECT pg_catalog.pg_export_snapshot() AS id')
  const start = (part: Parameters<typeof schemaArguments>[2]): DumpChild =>
    runner.start('pg_dump', schemaArguments(settings, rows[0]!.id, part, encoding), client.database)
  const [preData, postData, whole] = [start('pre-data'), start('post-data'), start('whole')]
  const archive = start('archive')
  const fingerprint = await schemaFingerprint(client)
  await Promise.all([preData, postData, whole, archive].map((child) => child.settled()))
  await client.query('COMMIT')
  return { preData, postData, whole, archive, fingerprint }
}

export async function dropDraft(draft: SchemaDraft): Promise<void> {
  await Promise.all([draft.preData, draft.postData, draft.whole, draft.archive].map((child) => child.kill()))
}
