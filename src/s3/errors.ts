/** Errors of the SDK, the network and the store as errors of the package. */
import { BackupError, type Json } from '../errors.ts'
import { abortError } from '../util/abort.ts'
import { BY_NAME, byStatus, GARBLED, LOST, type Meaning, NO_CREDENTIALS, UNTRUSTED } from './meanings.ts'

/** What is read of an error of the SDK. */
interface SdkError {
  readonly name: string
  readonly message: string
  readonly code?: unknown
  readonly Code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number }
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
}

export interface S3Call {
  /** As in `put`. */
  readonly operation: string
  readonly bucket: string
  /** The whole key in the bucket. */
  readonly key?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Whether others can be had when credentials have expired. */
  readonly renewable?: boolean
  /** Whether its credentials were good before and are not any more, and others will be asked for. */
  readonly isRevoked?: boolean
  /** Never to be shown. */
  readonly secrets?: readonly string[]
}

/** The failure of the caller's own function for credentials. */
export class CredentialsFailure extends Error {
  override readonly name = 'CredentialsFailure'
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as Partial<SdkError>
  return $metadata?.httpStatusCode ?? $response?.statusCode
}

/** How often the SDK has sent the request. */
export function attemptsOf(error: unknown): number {
  return (error as Partial<SdkError>).$metadata?.attempts ?? 1
}

/** The code of the store's answer (`NoSuchKey` …), if it has one. */
export function nameOf(error: unknown): string | undefined {
  const { name, Code } = (error ?? {}) as Partial<SdkError>
  return typeof Code === 'string' && Code !== '' ? Code : name
}

/**
 * The object alone is missing, as the store itself says: with its code, or at least with the id that stores give each
 * request. What stands in front of a store that is being started answers 404 as well, and knows nothing of objects.
 */
export function isAbsent(error: unknown): boolean {
  const name = nameOf(error)
  return statusOf(error) === 404 && name !== 'NoSuchBucket' && (name === 'NoSuchKey' || hasRequestId(error))
}

function hasRequestId(error: unknown): boolean {
  return (error as Partial<SdkError> | undefined)?.$metadata?.requestId !== undefined
}

/** Something in front of a store may answer 200 in its place, and the SDK takes any page for an empty answer. */
export function notS3(call: { operation: string; bucket: string; key: string }): BackupError {
  const { operation, bucket, key } = call
  return new BackupError(GARBLED.code, `${GARBLED.what} (${operation} of ${key} in the bucket ${bucket})`, {
    origin: 'target',
    retryable: true,
    details: { ...call },
    hint: GARBLED.hint!,
  })
}

/** The BackupError for a failed call; errors that are BackupErrors already stay what they are. */
export function s3Error(error: unknown, call: S3Call): BackupError {
  if (BackupError.is(error)) return error
  if (call.signal?.aborted) return abortError(call.signal.reason)
  if (!(error instanceof Error)) return unknown(String(error), call)
  const sdk = error as SdkError
  const meaning = meaningOf(sdk)
  return meaning === undefined ? unknown(sdk.message, call) : made(meaning, sdk, call)
}

export interface DeleteRow {
  Key?: string | undefined
  Code?: string | undefined
  Message?: string | undefined
}

/** For one key of a delete of many. */
export function keyError(row: DeleteRow, call: S3Call): BackupError {
  const { Key = '', Code = '', Message = '' } = row
  const meaning = BY_NAME.get(Code) ?? byStatus(400)
  return made(fitting(meaning, Message), { name: Code, message: Message }, { ...call, key: Key })
}

function unknown(message: string, { operation, bucket, key, secrets }: S3Call): BackupError {
  return new BackupError('INTERNAL', `${operation} in the bucket ${bucket}: ${withoutSecrets(message, secrets)}`, {
    origin: 'target',
    details: { operation, bucket, ...(key !== undefined && { key }) },
  })
}

const NETWORK = /^(E[A-Z_]+|UND_ERR_.*|HPE_.*|ERR_STREAM_PREMATURE_CLOSE|ERR_SSL_.*|ERR_SOCKET.*)$/
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER/
const CREDENTIALS = new Set(['CredentialsProviderError', 'TokenProviderError', 'ProviderError', 'CredentialsFailure'])

function meaningOf(error: SdkError): Meaning | undefined {
  const status = statusOf(error)
  const code = typeof error.code === 'string' ? error.code : ''
  if (CREDENTIALS.has(error.name)) {
    return error.name === 'CredentialsFailure' ? { ...NO_CREDENTIALS, retryable: true } : NO_CREDENTIALS
  }
  if (CERTIFICATE.test(code)) return UNTRUSTED
  if (error.name === 'TimeoutError' || NETWORK.test(code) || error.message === 'socket hang up') return LOST
  if (status === undefined) return error.name === 'SyntaxError' ? GARBLED : undefined
  // A good status, and yet an error: the body was no XML of S3, or broke off.
  if (status < 300) return GARBLED
  const name = nameOf(error) ?? ''
  // A code of the SDK's own making, for want of one in the answer.
  if (status === 404 && !name.startsWith('NoSuch') && !hasRequestId(error)) return GARBLED
  const named = BY_NAME.get(name)
  return fitting(named ?? byStatus(status), error.message)
}

/** B2 says AccessDenied for a full account, and AWS for a locked version. */
function fitting(meaning: Meaning, message: string): Meaning {
  if (meaning.code !== 'TARGET_DENIED') return meaning
  if (/storage cap exceeded|quota/i.test(message)) return BY_NAME.get('QuotaExceeded')!
  return /object lock|WORM|retention/i.test(message) ? BY_NAME.get('ObjectLocked')! : meaning
}

function made({ code, what, hint, retryable = false }: Meaning, error: SdkError, call: S3Call): BackupError {
  const { operation, bucket, key, renewable = false, isRevoked = false, secrets } = call
  const name = nameOf(error)
  const where = key === undefined ? `the bucket ${bucket}` : `${key} in the bucket ${bucket}`
  const expired = renewable && (BY_NAME.get(name ?? '')?.what ?? '').includes('expired')
  return new BackupError(code, `${what} (${operation} of ${where}: ${shown(name, error)})`, {
    origin: 'target',
    retryable: retryable || expired || isRevoked,
    details: { operation, bucket, ...(key !== undefined && { key }), ...factsOf(name, error) },
    ...(hint !== undefined && { hint }),
    // Not the error itself: it holds the request and its headers, and what the store says of a wrong signature.
    cause: new Error(withoutSecrets(`${error.name}: ${error.message}`, secrets)),
  })
}

function shown(name: string | undefined, error: SdkError): string {
  const code = typeof error.code === 'string' && name === 'Error' ? error.code : name
  const status = statusOf(error)
  return status === undefined ? (code ?? 'error') : `${code ?? 'status'} ${status}`
}

function factsOf(name: string | undefined, error: SdkError): Record<string, Json> {
  const status = statusOf(error)
  const requestId = error.$metadata?.requestId
  const headers = error.$response?.headers ?? {}
  const retryAfterMs = retryAfter(headers['retry-after'])
  const region = headers['x-amz-bucket-region']
  return {
    ...(name !== undefined && { s3Code: typeof error.code === 'string' && name === 'Error' ? error.code : name }),
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(region !== undefined && { region }),
  }
}

const LONGEST_WAIT_MS = 60_000

/** Seconds, or a date. A store that asks for hours is asked again in a minute. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.min(LONGEST_WAIT_MS, Math.max(0, Math.ceil(ms))) : undefined
}

function withoutSecrets(message: string, secrets: readonly string[] = []): string {
  return secrets.reduce((text, secret) => (secret === '' ? text : text.replaceAll(secret, '***')), message)
}
