/** What the system says on writing, as the errors of a restore. */
import { BackupError, type ErrorCode } from '../../errors.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { reasonOf, systemCode } from './stat.ts'

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'RESTORE_FULL',
  EDQUOT: 'RESTORE_FULL',
  EFBIG: 'RESTORE_FULL',
  EEXIST: 'RESTORE_CONFLICT',
  ENOTEMPTY: 'RESTORE_CONFLICT',
  EISDIR: 'RESTORE_CONFLICT',
  ENOTDIR: 'RESTORE_CONFLICT',
  ELOOP: 'RESTORE_UNSAFE_PATH',
  EILSEQ: 'RESTORE_BLOCKED',
  ENAMETOOLONG: 'RESTORE_BLOCKED',
  EINVAL: 'RESTORE_BLOCKED',
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  RESTORE_FULL: 'Free some space, or restore to another disk.',
  RESTORE_CONFLICT:
    'Restore into an empty or new folder; names that differ in case only need a file system that tells them apart.',
  RESTORE_UNSAFE_PATH: 'Restore into an empty or new folder; the entry itself may be hostile.',
  RESTORE_DENIED: 'Give the process the right to write there, or restore into another folder.',
  RESTORE_BLOCKED: 'This file system cannot hold that name: restore to another one.',
}

/** RESTORE_FULL, RESTORE_CONFLICT, RESTORE_UNSAFE_PATH, RESTORE_BLOCKED (a name it cannot hold), else RESTORE_DENIED. */
export function placeFailure(doing: string, latin1Path: string, error: unknown): BackupError {
  if (BackupError.is(error)) return error
  const system = systemCode(error)
  const why = system === 'EEXIST' ? 'there is something of that name already' : reasonOf(error)
  return placeError(CODES[system] ?? 'RESTORE_DENIED', latin1Path, `cannot ${doing}: ${why}`, system, error)
}

export function placeError(code: ErrorCode, latin1Path: string, what: string, system?: string, cause?: unknown) {
  const path = latin1ToUser(latin1Path)
  const hint = HINTS[code]
  return new BackupError(code, `${JSON.stringify(path)}: ${what}`, {
    origin: 'sink',
    details: { path, ...(system === undefined ? {} : { system }) },
    ...(hint === undefined ? {} : { hint }),
    cause,
  })
}
