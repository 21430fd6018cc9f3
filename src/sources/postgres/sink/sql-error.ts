/** What a statement that the server refused means for a restore. */
import { BackupError, type ErrorCode } from '../../../errors.ts'
import { pgError, sqlState } from '../pg-error.ts'
import type { TocComment } from '../sql-split.ts'

/**
 * 'fatal' ends the restore; 'benign' loses something that the restored data does not need, and is a warning; 'ignorable'
 * loses nothing.
 */
export type Severity = 'fatal' | 'benign' | 'ignorable'

const ALREADY_THERE: ReadonlySet<string> = new Set(['42P06', '42P07', '42710', '42723', '23505', '42P16'])
const UNDEFINED_OBJECT = '42704'
const DENIED = '42501'

export interface StatementContext {
  readonly text: string
  readonly toc: TocComment | null
  readonly noOwner: boolean
  /** What is there stays: set where a restore goes into a database that has objects already. */
  readonly keepsExisting: boolean
}

/** `error` is what the driver threw for the statement. */
export function classify(error: unknown, { text, toc, noOwner, keepsExisting }: StatementContext): Severity {
  const state = sqlState(error)
  if (state === undefined) return 'fatal'
  const type = toc?.type ?? ''
  const isSetting = /^SET /i.test(text)
  // A newer pg_dump sets what an older server does not know, and what it does without.
  if (isSetting && state === UNDEFINED_OBJECT) return 'ignorable'
  if (isSetting && state === '22023') return 'benign'
  if (ALREADY_THERE.has(state)) return severityOfExisting(type, text, keepsExisting)
  if (type === 'COMMENT' && state === DENIED) return 'benign'
  if ((type === 'ACL' || type === 'DEFAULT ACL') && (state === DENIED || (state === UNDEFINED_OBJECT && noOwner))) {
    return 'benign'
  }
  return 'fatal'
}

function severityOfExisting(type: string, text: string, keepsExisting: boolean): Severity {
  // template0 has them; CREATE EXTENSION IF NOT EXISTS says nothing.
  if (type === 'SCHEMA' || type === 'EXTENSION' || type === 'PROCEDURAL LANGUAGE') return 'ignorable'
  if (type.startsWith('BLOB') || /^SELECT pg_catalog\.lo_create/.test(text)) return 'ignorable'
  return keepsExisting ? 'benign' : 'fatal'
}

const CODE_OF_STATE: Readonly<Record<string, [ErrorCode, string]>> = {
  '53100': ['RESTORE_FULL', 'Make room on the disk of the server, then restore again'],
  '42501': [
    'RESTORE_DENIED',
    'Restore as a role with the rights, or leave owners and grants out with noOwner and noPrivileges',
  ],
  '55006': ['RESTORE_CONFLICT', "End the sessions that use it, or pass sessions: 'terminate'"],
  '42P04': ['RESTORE_CONFLICT', 'The name is taken: choose another one, or drop what has it'],
  '3D000': ['RESTORE_NOT_FOUND', 'Check the name of the database'],
}

/** `doing` begins the message. Errors of ours, and what the engine threw into a stream, pass through. */
export function sinkError(error: unknown, doing: string, facts: Record<string, string> = {}): BackupError {
  if (BackupError.is(error)) return error
  const state = sqlState(error)
  if (state === undefined || /^(08|28|57|53[23])/.test(state)) return pgError(error, 'sink', doing, facts)
  const [code, hint] = CODE_OF_STATE[state] ?? ['RESTORE_REJECTED', hintOf(state)]
  return new BackupError(code, `${doing}: ${(error as Error).message}`, {
    origin: 'sink',
    hint,
    details: { ...facts, sqlState: state },
    cause: error,
  })
}

function hintOf(state: string): string {
  if (state === UNDEFINED_OBJECT)
    return 'A role, type or extension is missing on the server: create it, or pass globals or noOwner'
  if (state === '58P01' || state === '0A000')
    return 'The server lacks an extension or a feature: install it, or restore to a server that has it'
  return `See SQLSTATE ${state} in the manual of Postgres`
}
