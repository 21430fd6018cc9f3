/** What the codes of stores mean, as plain data. */
import type { ErrorCode } from '../errors.ts'

export interface Meaning {
  readonly code: ErrorCode
  readonly what: string
  readonly hint?: string
  readonly retryable?: boolean
}

const AUTH: Meaning = {
  code: 'TARGET_AUTH',
  what: 'the store does not accept the credentials',
  hint: 'Check access key and secret, and that they belong to this store and region.',
}
/** Retryable is decided by whoever knows where the credentials come from. */
const EXPIRED: Meaning = {
  code: 'TARGET_AUTH',
  what: 'the credentials have expired',
  hint: 'Give credentials as a function, so that new ones can be had during a long run.',
}
const SKEWED: Meaning = {
  code: 'TARGET_AUTH',
  what: 'the clock of this machine is not the clock of the store',
  hint: 'Set the clock of this machine (NTP), or give systemClockOffset.',
  // The SDK learns the store's time from this answer, and signs the next request with it.
  retryable: true,
}
const DENIED: Meaning = {
  code: 'TARGET_DENIED',
  what: 'the store refuses this to these credentials',
  hint: 'A repository needs the rights to list the bucket and to get, put and delete objects below its prefix.',
}
const LOCKED: Meaning = {
  code: 'TARGET_DENIED',
  what: 'the object is locked by a retention rule of the store',
  hint: 'It can be deleted when its retention has ended.',
}
const ARCHIVED: Meaning = {
  code: 'TARGET_DENIED',
  what: 'the object is in an archive and cannot be read at once',
  hint: 'Restore it from its archive class first, and keep lifecycle rules from archiving a repository.',
}
const NO_BUCKET: Meaning = {
  code: 'TARGET_NOT_FOUND',
  what: 'there is no such bucket',
  hint: 'Create the bucket, or check its name, the region and the endpoint.',
}
const ELSEWHERE: Meaning = {
  code: 'TARGET_NOT_FOUND',
  what: 'the bucket is in another region or at another endpoint',
  hint: 'Set region, and endpoint where there is one, to those of the bucket.',
}
const NO_OBJECT: Meaning = { code: 'TARGET_OBJECT_NOT_FOUND', what: 'there is no such object' }
const FULL: Meaning = {
  code: 'TARGET_FULL',
  what: 'the store has no room left: a quota is used up',
  hint: 'Raise the quota, or forget and prune snapshots.',
}
const THROTTLED: Meaning = {
  code: 'TARGET_THROTTLED',
  what: 'the store asks for fewer requests',
  hint: 'Lower maxConcurrency if this goes on.',
  retryable: true,
}
/** Bytes that changed on their way may arrive the next time. */
const DAMAGED: Meaning = {
  code: 'TARGET_PROTOCOL',
  what: 'the bytes that arrived are not those that were sent',
  hint: 'Something between here and the store changes what passes through it: a proxy, a bad network card, bad memory.',
  retryable: true,
}
const UNFIT: Meaning = { code: 'TARGET_PROTOCOL', what: 'the store does not take the request' }
const NO_RANGE: Meaning = {
  code: 'TARGET_PROTOCOL',
  what: 'the object has fewer bytes than were asked for',
  hint: 'The object was cut short or is not the one the index means; run verify.',
}
const MISSING_FEATURE: Meaning = {
  code: 'UNSUPPORTED',
  what: 'the store cannot do what this request needs',
  hint: 'Name the right provider; where puts with If-None-Match are refused, set createOnce: false.',
}
const CONFLICT: Meaning = {
  code: 'TARGET_UNREACHABLE',
  what: 'the store could not decide between requests for the same object',
  retryable: true,
}
const FAILED: Meaning = {
  code: 'TARGET_UNREACHABLE',
  what: 'the store failed',
  hint: 'The store has a passing trouble; see its status page if this goes on.',
  retryable: true,
}
export const LOST: Meaning = {
  code: 'TARGET_UNREACHABLE',
  what: 'the store was not reached, or the connection was lost',
  hint: 'Check the endpoint, the name server and the network.',
  retryable: true,
}
export const UNTRUSTED: Meaning = {
  code: 'TARGET_UNREACHABLE',
  what: 'the certificate of the store is not trusted',
  hint: 'Set NODE_EXTRA_CA_CERTS to the certificate of the authority that signed it.',
}
export const NO_CREDENTIALS: Meaning = {
  code: 'TARGET_AUTH',
  what: 'there are no credentials',
  hint: 'Give credentials, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role.',
}
export const GARBLED: Meaning = {
  code: 'TARGET_PROTOCOL',
  what: 'the answer is none of an S3 store',
  hint: 'Check that the endpoint is the one for S3, and that no proxy answers in its place.',
  retryable: true,
}

function table(...rows: readonly (readonly [Meaning, string])[]): ReadonlyMap<string, Meaning> {
  return new Map(rows.flatMap(([meaning, names]) => names.split(' ').map((name) => [name, meaning] as const)))
}

/** By the `Code` of the answer, of AWS, Ceph, R2, B2, Google and others. */
export const BY_NAME = table(
  [AUTH, 'InvalidAccessKeyId SignatureDoesNotMatch InvalidToken InvalidSecurity AuthFailure NotSignedUp Unauthorized'],
  [AUTH, 'InvalidClientTokenId UnrecognizedClientException AuthorizationQueryParametersError MissingSecurityHeader'],
  [AUTH, 'AuthenticationRequired MissingAuthenticationToken CredentialsNotSupported'],
  [EXPIRED, 'ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired'],
  [SKEWED, 'RequestTimeTooSkewed'],
  [DENIED, 'AccessDenied AllAccessDisabled AccountProblem Forbidden MethodNotAllowed UserSuspended'],
  [LOCKED, 'ObjectLocked ObjectLockedByBucketPolicy RetentionPolicyNotMet ObjectUnderActiveHold'],
  [ARCHIVED, 'InvalidObjectState'],
  [NO_BUCKET, 'NoSuchBucket'],
  [ELSEWHERE, 'PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException'],
  [NO_OBJECT, 'NoSuchKey NotFound'],
  [FULL, 'QuotaExceeded InsufficientStorage StorageQuotaExceeded InsufficientCapacity XMinioStorageFull'],
  [THROTTLED, 'SlowDown ServiceUnavailable TooManyRequests Throttling ThrottlingException RequestLimitExceeded'],
  [THROTTLED, 'RequestThrottled BandwidthLimitExceeded RateLimitExceeded'],
  [DAMAGED, 'BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch InvalidDigest IncompleteBody'],
  [NO_RANGE, 'InvalidRange'],
  [MISSING_FEATURE, 'NotImplemented'],
  [CONFLICT, 'ConditionalRequestConflict OperationAborted'],
  [FAILED, 'InternalError RequestTimeout GatewayTimeout BadGateway'],
)

/** Where the answer has no code, or one that is not known: HEAD has no body, and proxies write pages of their own. */
export function byStatus(status: number): Meaning {
  return BY_STATUS.get(status) ?? (status >= 500 ? FAILED : UNFIT)
}

const BY_STATUS: ReadonlyMap<number, Meaning> = new Map([
  [301, ELSEWHERE],
  [307, ELSEWHERE],
  [401, AUTH],
  [403, DENIED],
  [404, NO_OBJECT],
  [405, DENIED],
  [408, FAILED],
  [409, CONFLICT],
  [416, NO_RANGE],
  [429, THROTTLED],
  [501, MISSING_FEATURE],
  [503, THROTTLED],
  [507, FULL],
])
