/** What the server, the driver or the network said, as a BackupError with a code that says what to do. */
import { BackupError, type ErrorCode, type Json } from '../../errors.ts'

export type PgOrigin = 'source' | 'sink'

/** The fields of the server's message that name something. Never `detail`, which may hold values of rows. */
interface ServerError extends Error {
  code?: string
  severity?: string
  schema?: string
  table?: string
  column?: string
  constraint?: string
  hint?: string
}

interface Meaning {
  code: ErrorCode
  hint: string
  retryable?: boolean
}

const LOST: Meaning = {
  code: 'POSTGRES_LOST',
  hint: 'Run it again; if it comes back, see the server log for who ended the connection',
  retryable: true,
}
const AUTH: Meaning = { code: 'POSTGRES_AUTH', hint: 'Correct the user, the password or the rule in pg_hba.conf' }
const UNREACHABLE: Meaning = {
  code: 'SOURCE_UNREACHABLE',
  hint: 'Check host and port, that the server runs, and that it may be reached from here',
  retryable: true,
}
const LOCKED: Meaning = {
  code: 'POSTGRES_LOCKED',
  hint: 'Another session holds the table: run it again at a quieter time, or raise lockWaitTimeoutMs',
  retryable: true,
}

const BY_STATE: Readonly<Record<string, Meaning>> = {
  '3D000': { code: 'SOURCE_NOT_FOUND', hint: 'Check the name of the database' },
  '3F000': { code: 'SOURCE_NOT_FOUND', hint: 'Check the name of the schema' },
  '42501': { code: 'SOURCE_DENIED', hint: 'Grant the role pg_read_all_data, or SELECT on what is named' },
  '42P01': { code: 'SOURCE_CHANGED', hint: 'It was dropped meanwhile; run it again', retryable: true },
  '42703': { code: 'SOURCE_CHANGED', hint: 'It was altered meanwhile; run it again', retryable: true },
  '53100': { code: 'SOURCE_UNREACHABLE', hint: 'The disk of the server is full: make room there' },
  '53200': {
    code: 'SOURCE_UNREACHABLE',
    hint: 'Raise max_locks_per_transaction of the server, or back up fewer tables',
  },
  '53300': {
    code: 'SOURCE_UNREACHABLE',
    hint: 'The server has no connection left: lower jobs, or raise max_connections',
    retryable: true,
  },
  '55P03': LOCKED,
  '22P05': { code: 'UNSUPPORTED', hint: "Some text has no UTF-8 form: back up with mode 'pg_dump'" },
  '22021': { code: 'UNSUPPORTED', hint: "Some text is not of its database's encoding: back up with mode 'pg_dump'" },
  '42601': { code: 'INVALID_OPTIONS', hint: "Correct the SQL of the option 'where'" },
  XX001: {
    code: 'SOURCE_INCOMPLETE',
    hint: 'A page of the table is damaged on the disk of the server: repair it there',
  },
  '40P01': LOCKED,
  '57014': {
    code: 'POSTGRES_TIMEOUT',
    hint: 'Raise statementTimeoutMs, or see who cancelled the query',
    retryable: true,
  },
  '57P01': LOST,
  '57P02': LOST,
  '57P03': { ...UNREACHABLE, hint: 'The server is starting up or shutting down; run it again later' },
  '57P05': LOST,
  '25P03': { ...LOST, hint: 'The server ends idle transactions (idle_in_transaction_session_timeout)' },
  '25P04': { ...LOST, hint: 'The server ends long transactions (transaction_timeout): raise it for this role' },
}

const BY_SYSTEM = /^(ECONN(REFUSED|RESET|ABORTED)|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ENOENT)$/
const BROKEN_OFF = /connection terminated|not queryable|connection ended|client was closed/i
const NO_PASSWORD = /password must be a (non-empty )?string|no password supplied/i

/** The same failure on the side that is written to. */
const FOR_SINK: Partial<Record<ErrorCode, ErrorCode>> = {
  SOURCE_UNREACHABLE: 'RESTORE_UNREACHABLE',
  SOURCE_NOT_FOUND: 'RESTORE_NOT_FOUND',
  SOURCE_DENIED: 'RESTORE_DENIED',
  SOURCE_CHANGED: 'RESTORE_CONFLICT',
}

/** `doing` begins the message: 'reading public.orders'. Errors of ours pass through. */
export function pgError(
  error: unknown,
  origin: PgOrigin,
  doing: string,
  facts: Record<string, Json> = {},
): BackupError {
  if (BackupError.is(error)) return error
  const cause = (error instanceof Error ? error : new Error(String(error))) as ServerError
  const { code, hint, retryable } = meaningOf(cause)
  return new BackupError(origin === 'sink' ? (FOR_SINK[code] ?? code) : code, `${doing}: ${cause.message}`, {
    origin,
    retryable: retryable ?? false,
    hint,
    details: { ...detailsOf(cause), ...facts },
    cause,
  })
}

/** SQLSTATE of what the server said; undefined for everything else. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  const own = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !BY_SYSTEM.test(code) ? code : undefined
  if (own !== undefined || !BackupError.is(error)) return own
  return typeof error.details.sqlState === 'string' ? error.details.sqlState : undefined
}

function meaningOf(error: ServerError): Meaning {
  const state = sqlState(error)
  if (state === undefined) return meaningOfDriver(error)
  if (state === '42501' && /row-level security/i.test(error.message)) {
    return { code: 'POSTGRES_ROW_SECURITY', hint: 'Give the role BYPASSRLS, or back up as the owner of the table' }
  }
  const known = BY_STATE[state]
  if (known !== undefined) return known
  if (state.startsWith('28')) return AUTH
  if (state.startsWith('08')) return LOST
  return { code: 'SOURCE_UNREACHABLE', hint: `See SQLSTATE ${state} in the manual of Postgres` }
}

function meaningOfDriver(error: ServerError): Meaning {
  if (NO_PASSWORD.test(error.message)) return { ...AUTH, hint: 'The server wants a password and none was given' }
  if (BROKEN_OFF.test(error.message) || error.code === 'ECONNRESET' || error.code === 'EPIPE') return LOST
  return UNREACHABLE
}

function detailsOf(error: ServerError): Record<string, Json> {
  const state = sqlState(error)
  const details: Record<string, Json> = state === undefined ? {} : { sqlState: state }
  if (state === undefined && typeof error.code === 'string') details.systemCode = error.code
  for (const key of ['schema', 'table', 'column', 'constraint'] as const) {
    const value = error[key]
    if (typeof value === 'string') details[key] = value
  }
  return details
}
