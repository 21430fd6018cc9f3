/** What a bucket says of one object without sending it. */
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { isAbsent, notS3, statusOf } from '../../s3/errors.ts'
import type { ObjectInfo } from '../target.ts'
import { DIGEST, hexOf } from './digest.ts'
import type { Place } from './s3-target.ts'

export async function headObject(
  place: Place,
  key: string,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo | undefined> {
  const { connection, settings } = place
  const at = { Bucket: connection.bucket, Key: settings.prefix + key }
  // Only where the store keeps it: others may not know the header.
  const mode = settings.preset.checksum === 'header' ? { ChecksumMode: 'ENABLED' as const } : {}
  try {
    const head: HeadObjectCommandOutput = await connection.send(
      (sdk) => new sdk.HeadObjectCommand({ ...at, ...mode }),
      signal,
    )
    if (head.ETag === undefined) throw notS3({ operation: 'stat', bucket: at.Bucket, key: at.Key })
    place.seen = true
    return infoOf(key, head)
  } catch (error) {
    if (isAbsent(error) && place.seen) return undefined
    const said = await explained(place, at, error, signal)
    if (said === undefined) return undefined
    throw connection.errorOf(said, { operation: 'stat', key: at.Key, signal })
  }
}

function infoOf(key: string, head: HeadObjectCommandOutput): ObjectInfo {
  const whole = head.ChecksumType === undefined || head.ChecksumType === 'FULL_OBJECT'
  const checksum = (whole ? hexOf(head.ChecksumSHA256) : undefined) ?? head.Metadata?.[DIGEST]
  return {
    key,
    size: head.ContentLength ?? 0,
    ...(head.LastModified && { modifiedAt: head.LastModified }),
    ...(checksum !== undefined && { checksum }),
  }
}

/**
 * The answer to a HEAD has no body, so it does not say whether the object or the bucket is missing, the right or the key
 * wrong. A read of the object does. Undefined: the object alone is missing.
 */
async function explained(
  place: Place,
  at: { Bucket: string; Key: string },
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const status = statusOf(error) ?? 0
  if (status < 300 || status >= 500) return error
  try {
    const read = (sdk: typeof import('@aws-sdk/client-s3')) => new sdk.GetObjectCommand({ ...at, Range: 'bytes=0-0' })
    await place.connection.send(read, signal, async ({ Body }: { Body?: { destroy?(): void } }) => Body?.destroy?.())
    return error
  } catch (better) {
    if (statusOf(better) === 404 && (better as Error).name === 'NoSuchKey') {
      place.seen = true
      return undefined
    }
    return better
  }
}
