/** The one error class of the package. Codes are API and only ever added; messages are for people and may change. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Whose failure it was. A target's failure is never taken for a source's. */
export type ErrorOrigin = 'source' | 'sink' | 'target' | 'repository' | 'transform' | 'usage'

export const ERROR_CODES = [
  // usage
  'INVALID_OPTIONS',
  'PEER_MISSING',
  'PLUGIN_INCOMPATIBLE',
  'ENGINE_CLOSED',
  'UNSUPPORTED',
  'CONFIRMATION_REQUIRED',
  'PLAN_STALE',
  'PLAN_FOREIGN',
  'ABORTED',
  'TIMEOUT',
  'LIMIT_EXCEEDED',
  'RUN_EXISTS',
  'RUN_NOT_FOUND',
  // repository
  'REPOSITORY_NOT_FOUND',
  'REPOSITORY_FOREIGN',
  'FORMAT_UNSUPPORTED',
  'SNAPSHOT_NOT_FOUND',
  'SNAPSHOT_AMBIGUOUS',
  'ENTRY_NOT_FOUND',
  'OBJECT_MISSING',
  'OBJECT_CORRUPT',
  'CONFIG_TAMPERED',
  'ROLLED_BACK',
  'RUN_FENCED',
  'HELD',
  // keys
  'KEY_MISSING',
  'KEY_WRONG',
  'KEY_SLOT_CORRUPT',
  'KEY_NOT_FOUND',
  'KEY_LAST',
  'KEY_PROVIDER_FAILED',
  // target
  'TARGET_UNREACHABLE',
  'TARGET_AUTH',
  'TARGET_DENIED',
  'TARGET_NOT_FOUND',
  'TARGET_FULL',
  'TARGET_THROTTLED',
  'TARGET_PROTOCOL',
  'TARGET_OBJECT_NOT_FOUND',
  // source
  'SOURCE_UNREACHABLE',
  'SOURCE_DENIED',
  'SOURCE_NOT_FOUND',
  'SOURCE_CHANGED',
  'SOURCE_INCOMPLETE',
  'SOURCE_EMPTY',
  'SOURCE_SHRUNK',
  // postgres, on either side
  'POSTGRES_AUTH',
  'POSTGRES_LOST',
  'POSTGRES_LOCKED',
  'POSTGRES_TIMEOUT',
  'POSTGRES_ROW_SECURITY',
  'POSTGRES_CLIENT_MISSING',
  'POSTGRES_CLIENT_WRONG',
  'POSTGRES_DUMP_FAILED',
  // sink
  'RESTORE_CONFLICT',
  'RESTORE_UNSAFE_PATH',
  'RESTORE_FULL',
  'RESTORE_DENIED',
  'RESTORE_BLOCKED',
  'RESTORE_MISMATCH',
  'RESTORE_UNREACHABLE',
  'RESTORE_NOT_FOUND',
  'RESTORE_REJECTED',
  // ZIP files that are read
  'ZIP_CORRUPT',
  'ZIP_UNSAFE_PATH',
  'ZIP_ENCRYPTED',
  'ZIP_TRUNCATED',
  'ZIP_ALTERED',
  'ZIP_BOMB',
  // transform
  'TRANSFORM_UNKNOWN',
  'TRANSFORM_FAILED',
  'INTERNAL',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

export interface BackupErrorOptions {
  origin: ErrorOrigin
  /** True where the same call may succeed later without any change. Default false. */
  retryable?: boolean
  /** Plain facts (paths, sizes, codes of the system). Never a secret. */
  details?: Readonly<Record<string, Json>>
  /** What to do about it, in one sentence. */
  hint?: string
  cause?: unknown
}

/** Thrown by every call of the package. Test it with `BackupError.is(e)`, which also works across two installed copies. */
export class BackupError extends Error {
  readonly code: ErrorCode
  readonly origin: ErrorOrigin
  readonly retryable: boolean
  readonly details: Readonly<Record<string, Json>>
  readonly hint?: string

  constructor(code: ErrorCode, message: string, options: BackupErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BackupError'
    this.code = code
    this.origin = options.origin
    this.retryable = options.retryable ?? false
    this.details = options.details ?? {}
    if (options.hint !== undefined) this.hint = options.hint
  }

  toJSON(): Json {
    return {
      name: this.name,
      code: this.code,
      origin: this.origin,
      message: this.message,
      retryable: this.retryable,
      details: this.details,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    }
  }

  static is(value: unknown): value is BackupError {
    return value instanceof Error && value.name === 'BackupError' && 'code' in value && 'origin' in value
  }
}
