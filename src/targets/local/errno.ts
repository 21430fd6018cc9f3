/** Errors of the system as errors of the package. */
import { BackupError, type ErrorCode } from '../../errors.ts'

interface Meaning {
  code: ErrorCode
  what: string
  hint: string
  retryable?: boolean
}

const FULL: Meaning = {
  code: 'TARGET_FULL',
  what: 'there is no room left for',
  hint: 'Free space or raise the quota, or forget and prune snapshots.',
}
const DENIED: Meaning = {
  code: 'TARGET_DENIED',
  what: 'the system refuses access to',
  hint: 'Check owner and permissions of the folder, and that its file system is not mounted read-only.',
}
const IN_THE_WAY: Meaning = {
  code: 'TARGET_NOT_FOUND',
  what: 'something that is not a folder is in the way of',
  hint: 'Name a folder, or move what stands in its place.',
}
const UNFIT: Meaning = {
  code: 'TARGET_PROTOCOL',
  what: 'the file system cannot do what is needed for',
  hint: 'Keep the whole repository in one folder of one file system that takes long names.',
}
/** What we do not know may pass, so it is worth another attempt. */
const UNREACHABLE: Meaning = {
  code: 'TARGET_UNREACHABLE',
  what: 'the system failed to access',
  hint: 'Check that the disk or network share is connected and healthy.',
  retryable: true,
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  ENOTDIR: IN_THE_WAY,
  EISDIR: IN_THE_WAY,
  EEXIST: IN_THE_WAY,
  ENOTEMPTY: IN_THE_WAY,
  ELOOP: IN_THE_WAY,
  EXDEV: UNFIT,
  ENAMETOOLONG: UNFIT,
  EINVAL: UNFIT,
  EILSEQ: UNFIT,
}

/** The system's code of an error (`ENOENT` …), if it has one. Under Jest the system's errors are of no class known here. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** Returns undefined if the error has one of these codes; throws it otherwise. For `.catch(ignore('ENOENT'))`. */
export function ignore(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(errnoOf(error) ?? '')) throw error
    return undefined
  }
}

/** The BackupError for a failure at `path`; errors that are BackupErrors already stay what they are. */
export function systemError(error: unknown, operation: string, path: string): BackupError {
  if (BackupError.is(error)) return error
  const errno = errnoOf(error)
  if (errno === undefined) {
    const what = error instanceof Error ? error.message : String(error)
    return new BackupError('INTERNAL', `${operation} of ${path}: ${what}`, { origin: 'target', cause: error })
  }
  const { code, what, hint, retryable = false } = MEANINGS[errno] ?? UNREACHABLE
  return new BackupError(code, `${what} ${path} (${errno})`, {
    origin: 'target',
    retryable,
    details: { operation, path, errno },
    hint,
    cause: error,
  })
}
