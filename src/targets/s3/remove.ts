/** Removal of objects: many with a request where the store can do that. */
import type { DeleteObjectCommandOutput, DeleteObjectsCommandOutput } from '@aws-sdk/client-s3'
import { BackupError } from '../../errors.ts'
import { type DeleteRow, isAbsent, keyError, nameOf, notS3 } from '../../s3/errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { CallSignal } from '../target.ts'
import type { Place } from './s3-target.ts'

/** S3 takes no more. */
const BATCH = 1000
const MAX_NAMED = 5
/** What stores answer that cannot delete many at once, or want a checksum of another kind for it. */
const NO_BULK = new Set(['NotImplemented', 'MissingContentMD5', 'InvalidRequest', 'InvalidArgument', 'MalformedXML'])

export async function deleteObjects(place: Place, keys: readonly string[], { signal }: CallSignal): Promise<void> {
  const whole = [...new Set(keys)].map((key) => place.settings.prefix + key)
  for (let start = 0; start < whole.length; start += BATCH) {
    throwIfAborted(signal)
    const batch = whole.slice(start, start + BATCH)
    if (batch.length === 1 || place.deletesSingly) await deleteEach(place, batch, signal)
    else await deleteMany(place, batch, signal)
  }
}

async function deleteMany(place: Place, keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const { connection } = place
  // Not quiet: an answer that names keys is the store's own.
  const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: false }
  let output: DeleteObjectsCommandOutput
  try {
    output = await connection.send((sdk) => new sdk.DeleteObjectsCommand({ Bucket: connection.bucket, Delete }), signal)
  } catch (error) {
    if (!NO_BULK.has(nameOf(error) ?? ''))
      throw connection.errorOf(error, { operation: 'delete', key: keys[0], signal })
    place.deletesSingly = true
    return await deleteEach(place, keys, signal)
  }
  const { Deleted = [], Errors = [], $metadata } = output
  if (Deleted.length + Errors.length === 0 && $metadata?.requestId === undefined) throw noAnswer(place, keys[0]!)
  const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey')
  if (failed.length > 0) throw refused(place, failed)
}

/** Something in front of the store has answered: nothing was deleted. */
function noAnswer({ connection }: Place, key: string): BackupError {
  return notS3({ operation: 'delete', bucket: connection.bucket, key })
}

/** The error of the first key, with how many there were. Permanent ones count for more than passing ones. */
function refused({ connection }: Place, failed: readonly DeleteRow[]): BackupError {
  const call = { operation: 'delete', bucket: connection.bucket }
  const errors = failed.map((row) => keyError(row, call))
  const { code, message, retryable, details, hint, cause } = errors.find((each) => !each.retryable) ?? errors[0]!
  return new BackupError(code, message, {
    origin: 'target',
    retryable,
    details: { ...details, failed: failed.length, keys: failed.slice(0, MAX_NAMED).map(({ Key = '' }) => Key) },
    ...(hint !== undefined && { hint }),
    cause,
  })
}

async function deleteEach(place: Place, keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const { connection, settings } = place
  const one = async (Key: string, inner: AbortSignal): Promise<void> => {
    try {
      const make = (sdk: typeof import('@aws-sdk/client-s3')) =>
        new sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key })
      const { $metadata } = await connection.send<DeleteObjectCommandOutput>(make, inner)
      // Stores answer 204, which no page does.
      if ($metadata?.requestId === undefined && $metadata?.httpStatusCode !== 204) throw noAnswer(place, Key)
    } catch (error) {
      if (isAbsent(error)) return
      throw connection.errorOf(error, { operation: 'delete', key: Key, signal: inner })
    }
  }
  for await (const _ of mapBounded(keys, settings.maxConcurrency, one, signal));
}
