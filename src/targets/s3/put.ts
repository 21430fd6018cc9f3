/** Whole objects into a bucket. The store takes one all or not at all, and checks what arrives by its SHA-256. */
import type { PutObjectCommandInput, PutObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError } from '../../errors.ts'
import { attemptsOf, nameOf, notS3, statusOf } from '../../s3/errors.ts'
import type { PutOptions } from '../target.ts'
import { DIGEST, digestOf } from './digest.ts'
import type { S3Options } from './options.ts'
import { withHeader, withProgress } from './progress.ts'
import type { Place } from './s3-target.ts'
import { headObject } from './stat.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Nearly all bytes, and the only objects whose name is that of their content: they are kept as options say. */
const PACKS = 'packs/'
/** Created by one who has just drawn the name, or who makes a repository. */
const TRIED = /^(config|runs)\//

export async function putObject(
  place: Place,
  key: string,
  body: Uint8Array<ArrayBuffer>,
  { ifAbsent = false, signal, sha256 }: PutOptions,
): Promise<boolean> {
  const { connection, settings } = place
  if (ifAbsent && !keepsCondition(place) && (await headObject(place, key, signal)) !== undefined) return false
  const conditional = ifAbsent && (settings.createOnce || settings.preset.sendsCondition)
  const input = inputOf(place, key, body, sha256 ?? (await digestOf(body)))
  try {
    place.versioned = await send(place, key, body, conditional ? { ...input, IfNoneMatch: '*' } : input, signal)
    if (conditional && mayTry(place, key)) place.keepsCondition = await isKept(place, key, body, input, signal)
    return true
  } catch (error) {
    if (conditional && isTaken(error)) return refused(place, key, error)
    throw connection.errorOf(error, { operation: 'put', key: settings.prefix + key, signal })
  }
}

/** Until a put has shown whether the bucket keeps versions, what would be ignored there is not relied on. */
function keepsCondition({ settings, options, versioned, keepsCondition: found }: Place): boolean {
  if (found !== undefined && options.createOnce === undefined) return found
  if (options.createOnce !== undefined || settings.preset.atomicWithVersions) return settings.createOnce
  return settings.createOnce && versioned === false
}

/** Where nobody has said what holds: an own object of a moment ago, which may be put again as it is without harm. */
function mayTry({ settings, options, keepsCondition: found }: Place, key: string): boolean {
  return found === undefined && options.createOnce === undefined && !settings.createOnce && TRIED.test(key)
}

/** The same bytes again: a store that keeps the condition refuses them. What fails otherwise says nothing. */
async function isKept(
  place: Place,
  key: string,
  body: Uint8Array,
  input: PutObjectCommandInput,
  signal: AbortSignal | undefined,
): Promise<boolean | undefined> {
  try {
    await send(place, key, body, { ...input, IfNoneMatch: '*' }, signal)
    return false
  } catch (error) {
    return isTaken(error) ? true : undefined
  }
}

function inputOf(
  { connection, settings, options }: Place,
  key: string,
  body: Uint8Array<ArrayBuffer>,
  digest: string,
): PutObjectCommandInput {
  return {
    Bucket: connection.bucket,
    Key: settings.prefix + key,
    Body: body,
    ContentLength: body.byteLength,
    ContentType: 'application/octet-stream',
    Metadata: { [DIGEST]: digest },
    ...(settings.preset.checksum === 'header' && { ChecksumSHA256: Buffer.from(digest, 'hex').toString('base64') }),
    ...encryption(options),
    ...(options.tags !== undefined && { Tagging: tagging(options.tags) }),
    ...(key.startsWith(PACKS) && ofPacks(options)),
  }
}

/** A blank as %20: stores need not take a plus for one. */
function tagging(tags: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(tags).map((pair) => pair.map(encodeURIComponent).join('='))
  return pairs.join('&')
}

function encryption({ serverSideEncryption: how }: S3Options): Partial<PutObjectCommandInput> {
  if (how === undefined) return {}
  if (how === 'AES256') return { ServerSideEncryption: how }
  return { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: how.kmsKeyId }
}

function ofPacks({ storageClass, objectLockDays, objectLockMode }: S3Options): Partial<PutObjectCommandInput> {
  return {
    ...(storageClass !== undefined && {
      StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']>,
    }),
    ...(objectLockDays !== undefined && {
      ObjectLockMode: objectLockMode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
      ObjectLockRetainUntilDate: new Date(Date.now() + objectLockDays * DAY_MS),
    }),
  }
}

/** True where the bucket keeps versions. */
async function send(
  { connection, settings, options }: Place,
  key: string,
  body: Uint8Array,
  input: PutObjectCommandInput,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const digest = input.Metadata?.[DIGEST] ?? ''
  const put = (sdk: typeof import('@aws-sdk/client-s3')) => {
    const command = new sdk.PutObjectCommand(input)
    // The signature covers it, so every store that checks signatures checks the bytes; and nobody hashes them again.
    withHeader(command, 'x-amz-content-sha256', digest)
    const { onUploadProgress } = options
    if (onUploadProgress && body.byteLength > 0) {
      withProgress(command, body, (sentBytes) => onUploadProgress({ key, sentBytes, totalBytes: body.byteLength }))
    }
    return command
  }
  const { VersionId, ETag } = await connection.send<PutObjectCommandOutput>(put, signal)
  if (ETag === undefined) throw notS3({ operation: 'put', bucket: connection.bucket, key: settings.prefix + key })
  return VersionId !== undefined && VersionId !== 'null'
}

/** By status as well: not every store names it PreconditionFailed. */
function isTaken(error: unknown): boolean {
  return statusOf(error) === 412 || nameOf(error) === 'PreconditionFailed'
}

/** A client of the caller's own that repeats requests may have been refused by its own first attempt. */
function refused({ connection, settings }: Place, key: string, error: unknown): false {
  if (attemptsOf(error) === 1) return false
  throw new BackupError('TARGET_UNREACHABLE', `it is not known whether this put or another created ${key}`, {
    origin: 'target',
    retryable: true,
    details: { operation: 'put', bucket: connection.bucket, key: settings.prefix + key, attempts: attemptsOf(error) },
    hint: 'Give the client maxAttempts: 1.',
  })
}
