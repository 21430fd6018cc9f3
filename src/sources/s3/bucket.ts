/** A bucket as a source or sink asks it: failures are theirs and not a target's, and what may pass is tried again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BackupError, type ErrorCode } from '../../errors.ts'
import { S3Connection } from '../../s3/connection.ts'
import type { S3ConnectionOptions, S3ConnectionSettings } from '../../s3/options.ts'
import { abortError, throwIfAborted } from '../../util/abort.ts'

export type Sdk = typeof import('@aws-sdk/client-s3')
type Side = 'source' | 'sink'

const CODES: Readonly<Record<Side, Partial<Record<ErrorCode, ErrorCode>>>> = {
  source: {
    TARGET_UNREACHABLE: 'SOURCE_UNREACHABLE',
    TARGET_THROTTLED: 'SOURCE_UNREACHABLE',
    TARGET_PROTOCOL: 'SOURCE_UNREACHABLE',
    TARGET_AUTH: 'SOURCE_DENIED',
    TARGET_DENIED: 'SOURCE_DENIED',
    TARGET_NOT_FOUND: 'SOURCE_NOT_FOUND',
    TARGET_OBJECT_NOT_FOUND: 'SOURCE_NOT_FOUND',
  },
  sink: {
    TARGET_UNREACHABLE: 'RESTORE_UNREACHABLE',
    TARGET_THROTTLED: 'RESTORE_UNREACHABLE',
    TARGET_PROTOCOL: 'RESTORE_REJECTED',
    TARGET_AUTH: 'RESTORE_DENIED',
    TARGET_DENIED: 'RESTORE_DENIED',
    TARGET_NOT_FOUND: 'RESTORE_NOT_FOUND',
    TARGET_OBJECT_NOT_FOUND: 'RESTORE_NOT_FOUND',
    TARGET_FULL: 'RESTORE_FULL',
  },
}
/** In place of those that speak of a repository. */
const HINTS: Readonly<Record<Side, string>> = {
  source: 'A source needs the rights to list the bucket and to get its objects and their tags.',
  sink: 'A sink needs the rights to get, put, tag and delete objects below its prefix.',
}

const ATTEMPTS = 5
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 15_000

export class Bucket {
  readonly connection: S3Connection
  readonly name: string
  readonly side: Side

  /** `spare`: requests beside those of `maxConcurrency`, so that listing goes on while all streams are open. */
  constructor(side: Side, options: S3ConnectionOptions, settings: S3ConnectionSettings, spare: number) {
    this.side = side
    this.name = options.bucket
    this.connection = new S3Connection(options, { ...settings, maxConcurrency: settings.maxConcurrency + spare })
  }

  /** One attempt. `key` is for messages. */
  async send<T>(
    operation: string,
    key: string,
    make: (sdk: Sdk) => { input: unknown },
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await this.connection.send<T>(make, signal)
    } catch (error) {
      throw this.errorOf(error, operation, key, signal)
    }
  }

  /** Only for what may be done twice. */
  ask<T>(operation: string, key: string, make: (sdk: Sdk) => { input: unknown }, signal: AbortSignal): Promise<T> {
    return this.repeat(() => this.send<T>(operation, key, make, signal), signal)
  }

  async repeat<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await attempt()
      } catch (error) {
        await this.pause(error, failures, signal)
      }
    }
  }

  /** Until another attempt makes sense. @throws the error itself where none does */
  async pause(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    if (!BackupError.is(error) || !error.retryable || failures >= ATTEMPTS) throw error
    const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1))
    const atLeast = Number(error.details.retryAfterMs ?? 0)
    await sleep(atLeast + Math.random() * most, undefined, { signal }).catch(() => {
      throw abortError(signal.reason)
    })
  }

  errorOf(error: unknown, operation: string, key: string, signal: AbortSignal): BackupError {
    const found = this.connection.errorOf(error, { operation, key, signal })
    const code = CODES[this.side][found.code]
    if (found.origin !== 'target') return found
    const { retryable, details, cause } = found
    const hint = found.code === 'TARGET_DENIED' && !isArchived(found) ? HINTS[this.side] : found.hint
    return new BackupError(code ?? found.code, found.message, {
      origin: this.side,
      retryable,
      details,
      cause,
      ...(hint !== undefined && { hint }),
    })
  }

  fail(code: ErrorCode, key: string, what: string, retryable = false): BackupError {
    const message = `${what} (${JSON.stringify(key)} in the bucket ${this.name})`
    return new BackupError(code, message, { origin: this.side, retryable, details: { bucket: this.name, key } })
  }

  close(): Promise<void> {
    return this.connection.close()
  }
}

function isArchived({ details }: BackupError): boolean {
  return details.s3Code === 'InvalidObjectState'
}
