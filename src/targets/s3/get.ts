/** Reads of objects, never short. */
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError, type Json } from '../../errors.ts'
import { isAbsent, notS3 } from '../../s3/errors.ts'
import { releasePart } from '../../util/bytes.ts'
import { notFound, rangeWithin } from '../checks.ts'
import type { GetOptions } from '../target.ts'
import { DIGEST, digestOf } from './digest.ts'
import type { Place } from './s3-target.ts'

export async function getObject(
  place: Place,
  key: string,
  { range, signal }: GetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { connection, settings } = place
  const at = { Bucket: connection.bucket, Key: settings.prefix + key }
  const Range = range && { Range: `bytes=${range.start}-${range.end - 1}` }
  try {
    const bytes = await connection.send(
      (sdk) => new sdk.GetObjectCommand({ ...at, ...Range }),
      signal,
      (output: GetObjectCommandOutput) => bodyOf(place, key, output, range),
    )
    place.seen = true
    return bytes
  } catch (error) {
    if (isAbsent(error)) throw notFound(key, { bucket: at.Bucket })
    throw connection.errorOf(error, { operation: 'get', key: at.Key, signal })
  }
}

async function bodyOf(
  { connection, settings }: Place,
  key: string,
  output: GetObjectCommandOutput,
  range: GetOptions['range'],
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = output.Body as unknown as AsyncIterable<Uint8Array> & { destroy(): void }
  try {
    if (output.ETag === undefined) {
      throw notS3({ operation: 'get', bucket: connection.bucket, key: settings.prefix + key })
    }
    const length = expectedLength(key, output, range)
    const bytes = await readExactly(key, stream, length, connection.isOwn)
    if (range === undefined) await checkDigest(key, bytes, output.Metadata?.[DIGEST])
    return bytes
  } catch (error) {
    stream.destroy()
    throw error
  }
}

/** A store answers a range that passes the end with what there is; one that ignores ranges, with all of it. */
function expectedLength(key: string, output: GetObjectCommandOutput, range: GetOptions['range']): number {
  const length = output.ContentLength
  if (length === undefined) throw garbled(key, 'no length', {})
  if (range === undefined) return length
  const of = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(output.ContentRange ?? '')
  if (of === null) throw garbled(key, 'no range', { length, start: range.start, end: range.end })
  rangeWithin(key, Number(of[3]), range)
  const wanted = range.end - range.start
  if (Number(of[1]) === range.start && Number(of[2]) === range.end - 1 && length === wanted) return wanted
  throw garbled(key, 'another range', { length, start: range.start, end: range.end, said: of[0] })
}

/**
 * `isOurs`: nobody else has seen the parts, so each is given back as soon as it is copied. Left to the collector, every 64 MiB
 * of them make it look at all that the host has in memory.
 */
async function readExactly(
  key: string,
  stream: AsyncIterable<Uint8Array>,
  length: number,
  isOurs: boolean,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  let done = 0
  await eachPart(stream, (part) => {
    if (done + part.byteLength > length) throw garbled(key, 'more bytes than it said', { length })
    bytes.set(part, done)
    done += part.byteLength
    if (isOurs) releasePart(part)
  })
  if (done !== length) throw garbled(key, 'fewer bytes than it said', { length, got: done })
  return bytes
}

/** Parts as they come: the iterator of a Readable would join those that wait into one more copy. */
async function eachPart(stream: AsyncIterable<Uint8Array>, use: (part: Uint8Array) => void): Promise<void> {
  if (!(stream instanceof Readable)) {
    for await (const part of stream) use(part)
    return
  }
  stream.on('data', (part: Uint8Array) => {
    try {
      use(part)
    } catch (error) {
      stream.destroy(error as Error)
    }
  })
  await finished(stream)
}

async function checkDigest(key: string, bytes: Uint8Array<ArrayBuffer>, stored: string | undefined): Promise<void> {
  if (stored === undefined || (await digestOf(bytes)) === stored) return
  throw garbled(key, 'bytes whose SHA-256 is not the stored one', { length: bytes.byteLength, stored })
}

/** May have gone wrong on the way, so it is worth another attempt. */
function garbled(key: string, what: string, details: Record<string, Json>): BackupError {
  return new BackupError('TARGET_PROTOCOL', `the answer to get ${key} has ${what}`, {
    origin: 'target',
    retryable: true,
    details: { operation: 'get', key, ...details },
  })
}
