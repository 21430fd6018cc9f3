/** Preflight of a Postgres source: typed findings, each with its fix. */
import { BackupError } from '../../../errors.ts'
import type { Finding } from '../../../events.ts'
import { Connector, withClient } from '../connect.ts'
import type { PostgresConnection } from '../connect-options.ts'
import type { PgClient } from '../connection.ts'
import type { DoctorContext } from './check.ts'
import { SERVER_CHECKS } from './server-checks.ts'
import { TABLE_CHECKS } from './table-checks.ts'

/** Oldest server that is tested. */
const OLDEST_VERSION = 130000

/** Looks for what would make a backup of the connection's database fail or be incomplete. It changes nothing. */
export async function examine(
  connection: PostgresConnection,
  signal: AbortSignal | undefined,
  checkClient: (context: DoctorContext) => Promise<Finding[]>,
): Promise<Finding[]> {
  const connector = new Connector(connection, 'source')
  try {
    return await withClient(connector, undefined, (client) => examineDatabase(client, checkClient), signal)
  } catch (error) {
    if (!BackupError.is(error) || signal?.aborted) throw error
    return [asFinding(error)]
  }
}

async function examineDatabase(
  client: PgClient,
  checkClient: (context: DoctorContext) => Promise<Finding[]>,
): Promise<Finding[]> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS version`,
  )
  const context: DoctorContext = { client, versionNum: rows[0]!.version }
  const findings = [...oldServer(context.versionNum), ...(await checkClient(context))]
  for (const check of [...SERVER_CHECKS, ...TABLE_CHECKS]) findings.push(...(await check(context)))
  return findings
}

function oldServer(versionNum: number): Finding[] {
  if (versionNum >= OLDEST_VERSION) return []
  return [
    {
      code: 'SERVER_OLD',
      severity: 'warning',
      message: `Postgres ${Math.floor(versionNum / 10000)} is older than what Holdfast is tested with.`,
      fix: 'Rehearse a restore with drill() before you rely on it.',
      details: { versionNum },
    },
  ]
}

/** Not being able to look is a finding too. */
function asFinding({ code, message, hint, details }: BackupError): Finding {
  return { code, severity: 'error', message, ...(hint !== undefined && { fix: hint }), details: { ...details } }
}
