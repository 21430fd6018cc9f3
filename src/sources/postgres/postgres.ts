import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { Source } from '../source.ts'
import { checkArchives } from './check-archive.ts'
import { preloadClient } from './connect.ts'
import { examine } from './doctor/doctor.ts'
import { dumpClients, findDumpClient } from './dump-client-find.ts'
import { type PostgresOptions, type PostgresSettings, parsePostgresOptions } from './options.ts'
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
  preloadClient()
  return {
    apiVersion: 1,
    name: settings.name,
    kind: 'postgres',
    open: (context) => PostgresSession.open(settings, context),
    doctor: ({ signal }) => examinePostgres(settings, signal),
    check: (context) => checkArchives(context, settings.binDir),
  }
}

/** What would make a backup with these options fail or be incomplete, each with its fix. It changes nothing. */
export async function doctor(options: PostgresOptions): Promise<Finding[]> {
  return await examinePostgres(parsePostgresOptions(options), undefined)
}

function examinePostgres(settings: PostgresSettings, signal: AbortSignal | undefined): Promise<Finding[]> {
  return examine(settings.connection, signal, ({ versionNum }) =>
    examineClient(settings, Math.trunc(versionNum / 10_000), signal),
  )
}

async function examineClient(
  { dataOnly, mode, binDir }: PostgresSettings,
  serverMajor: number,
  signal: AbortSignal | undefined,
): Promise<Finding[]> {
  if (dataOnly && mode === 'copy') return []
  try {
    const { major, version } = await findDumpClient(serverMajor, binDir, dumpClients(binDir, signal))
    if (major === serverMajor) return []
    const message = `pg_dump ${version} is newer than the server: what it writes may not load into a server as old as this`
    const fix = `Install postgresql-client-${serverMajor}`
    return [{ code: 'POSTGRES_CLIENT_NEWER', severity: 'info', message, fix, details: { version, serverMajor } }]
  } catch (error) {
    if (!BackupError.is(error)) throw error
    const { code, message, hint, details } = error
    return [{ code, severity: 'error', message, ...(hint === undefined ? {} : { fix: hint }), details }]
  }
}
