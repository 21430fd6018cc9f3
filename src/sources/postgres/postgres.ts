import type { Source } from '../source.ts'
import { type PostgresOptions, parsePostgresOptions } from './options.ts'
import { PostgresSession } from './session.ts'

export type { PostgresOptions }

/**
 * One or several Postgres databases as a source: every table as COPY streams under one exported snapshot, the schema by
 * pg_dump under the same, sequences, large objects and globals. Tables are locked (ACCESS SHARE, as SELECT does) before
 * the snapshot is taken. Each stream is proved complete by the server's own count.
 * @throws BackupError INVALID_OPTIONS; its `open()`: PEER_MISSING, SOURCE_UNREACHABLE, SOURCE_NOT_FOUND, SOURCE_DENIED,
 * POSTGRES_AUTH, POSTGRES_LOCKED, POSTGRES_CLIENT_MISSING, POSTGRES_CLIENT_WRONG
 */
export function postgres(options: PostgresOptions): Source {
  const settings = parsePostgresOptions(options)
  return {
    apiVersion: 1,
    name: settings.name,
    kind: 'postgres',
    open: (context) => PostgresSession.open(settings, context),
  }
}
