/** How a Postgres server is reached: the options that the source and the sink share. */
import { z } from 'zod'
import type { PoolLike } from './connection.ts'

export interface PostgresConnection {
  /** `postgres://user:password@host:port/database?sslmode=…`. What it leaves out comes from the PG* environment. */
  connectionString?: string | undefined
  /** Host name, address, or the absolute folder of a Unix socket. */
  host?: string | undefined
  port?: number | undefined
  user?: string | undefined
  /** Absent: PGPASSWORD, then the password file (PGPASSFILE, ~/.pgpass). A function is asked for each connection. */
  password?: string | (() => string | Promise<string>) | undefined
  database?: string | undefined
  /** True, or options of `tls.connect` (`ca`, `cert`, `key`, `rejectUnauthorized`). Default: what PGSSLMODE says, else false. */
  ssl?: boolean | Readonly<Record<string, unknown>> | undefined
  /** A ready `pg.Pool`, instead of all of the above; it is not ended. */
  pool?: PoolLike
}

const TEXT_RULE = 'must be a text that is not empty'
const text = z.string(TEXT_RULE).min(1, TEXT_RULE)
const PASSWORD_RULE = 'must be a text that is not empty, or a function that gives one'
const PORT_RULE = 'must be a whole number from 1 to 65535'

/** Fields for a strict object. A value that is there but undefined is refused: mostly a variable that is not set. */
export const connectionFields = {
  connectionString: z.exactOptional(text),
  host: z.exactOptional(text),
  port: z.exactOptional(z.int(PORT_RULE).min(1, PORT_RULE).max(65535, PORT_RULE)),
  user: z.exactOptional(text),
  password: z.exactOptional(
    z.custom<string | (() => string | Promise<string>)>(
      (value) => typeof value === 'function' || (typeof value === 'string' && value !== ''),
      PASSWORD_RULE,
    ),
  ),
  database: z.exactOptional(text),
  ssl: z.exactOptional(
    z.custom<boolean | Readonly<Record<string, unknown>>>(
      (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
      'must be true, false, or options of tls.connect',
    ),
  ),
  pool: z.exactOptional(
    z.custom<PoolLike>(
      (value) => typeof (value as PoolLike | null)?.connect === 'function',
      'must be a pool of pg, with connect()',
    ),
  ),
}

const FIELDS = ['host', 'port', 'user', 'password', 'database', 'ssl'] as const

/** The option that contradicts another one, with the rule it breaks. */
export function contradiction(options: PostgresConnection): { option: string; rule: string } | undefined {
  const own = [...FIELDS, 'connectionString' as const].filter((field) => options[field] !== undefined)
  if (options.pool !== undefined && own[0] !== undefined) {
    return { option: own[0], rule: 'cannot be used together with pool' }
  }
  const field = FIELDS.find((name) => name !== 'ssl' && options[name] !== undefined)
  if (options.connectionString !== undefined && field !== undefined) {
    return { option: field, rule: 'cannot be used together with connectionString' }
  }
  return undefined
}
