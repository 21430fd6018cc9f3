import { BackupError, type ErrorCode, type Json } from '../../errors.ts'
import { latin1ToUser } from '../../util/paths.ts'

const FILE_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'RESTORE_FULL',
  EDQUOT: 'RESTORE_FULL',
  EFBIG: 'RESTORE_FULL',
  EACCES: 'RESTORE_DENIED',
  EPERM: 'RESTORE_DENIED',
  EROFS: 'RESTORE_DENIED',
  ENOENT: 'RESTORE_NOT_FOUND',
  ENOTDIR: 'RESTORE_NOT_FOUND',
}

/** Of the file that an export writes. */
export function fileError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (BackupError.is(error) || code === undefined) return error
  return new BackupError(FILE_CODES[code] ?? 'RESTORE_UNREACHABLE', `${path} cannot be written: ${code}`, {
    origin: 'sink',
    details: { path, systemCode: code },
    cause: error,
  })
}

const READ_CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'SOURCE_DENIED',
  EPERM: 'SOURCE_DENIED',
  ENOENT: 'SOURCE_NOT_FOUND',
  ENOTDIR: 'SOURCE_NOT_FOUND',
  EISDIR: 'SOURCE_NOT_FOUND',
}

/** Of the ZIP that an import reads. */
export function readError(place: string, error: unknown): BackupError {
  if (BackupError.is(error)) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  return new BackupError(READ_CODES[code] ?? 'SOURCE_UNREACHABLE', `${place} cannot be read: ${code || message}`, {
    origin: 'source',
    details: { path: place, systemCode: code },
    cause: error,
  })
}

export function conflict(place: string): BackupError {
  return new BackupError('RESTORE_CONFLICT', `There is something at ${place} already.`, {
    origin: 'sink',
    details: { path: place },
    hint: 'Choose another name, or remove what is there.',
  })
}

/** Details.reason tells apart what shares a code. `name`: latin1. */
export function zipError(
  code: 'ZIP_CORRUPT' | 'ZIP_UNSAFE_PATH' | 'ZIP_ENCRYPTED' | 'ZIP_BOMB',
  reason: string,
  message: string,
  options: { name?: string; details?: Readonly<Record<string, Json>>; hint?: string; cause?: unknown } = {},
): BackupError {
  const { name, details, hint, cause } = options
  const entry = name === undefined ? undefined : latin1ToUser(name.slice(0, 1000))
  const text = entry === undefined ? message : `${JSON.stringify(entry)}: ${message}`
  return new BackupError(code, text, {
    origin: 'source',
    details: { reason, ...(entry !== undefined && { entry }), ...details },
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  })
}
