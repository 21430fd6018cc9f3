/** One question to the server and what its answer means. */
import type { Finding } from '../../../events.ts'
import type { PgClient } from '../connection.ts'

export interface DoctorContext {
  readonly client: PgClient
  /** `server_version_num`, e.g. 150018. */
  readonly versionNum: number
}

export type Check = (context: DoctorContext) => Promise<Finding[]>

/** At most this many names stand in a message; `details` counts them all. */
const NAMES_SHOWN = 5

/** 'a, b and 3 more' */
export function nameList(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(', ')
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown
}

/** A check whose query gives names, one a row as `name`: a finding if there is any. */
export function namesCheck(
  sql: string,
  describe: (names: readonly string[]) => Omit<Finding, 'details'>,
  since = 0,
): Check {
  return async ({ client, versionNum }) => {
    if (versionNum < since) return []
    const { rows } = await client.query<{ name: string }>(sql)
    if (rows.length === 0) return []
    const names = rows.map(({ name }) => name)
    return [{ ...describe(names), details: { count: names.length, names: names.slice(0, 100) } }]
  }
}
