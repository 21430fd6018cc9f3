/** Reads of objects, never short. */
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError, type Json } from '../../errors.ts'
import { isAbsent, notS3 } from '../../s3/errors.ts'
import { releasePart } from '../../util/bytes.ts'
import { notFound, rangeWithin } from '../checks.ts'
import type { GetOptions, GetPieces } from '../target.ts'
import { DIGEST, digestOf } from './digest.ts'
import type { Place } from './s3-target.ts'

export async function getObject(
  place: Place,
  key: string,
  { range, pieces, signal }: GetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { connection, settings } = place
  const at = { Bucket: connection.bucket, Key: settings.prefix + key }
  const Range = range && { Range: `bytes=${range.start}-${range.end - 1}` }
  try {
    const bytes = await connection.send(
      (sdk) => new sdk.GetObjectCommand({ ...at, ...Range }),
      signal,
      (output: GetObjectCommandOutput) => bodyOf(place, key, output, { range, pieces: range && pieces }),
    )
    place.seen = true
    return bytes
  } catch (error) {
    if (isAbsent(error)) throw notFound(key, { bucket: at.Bucket })
    throw connection.errorOf(error, { operation: 'get', key: at.Key, signal })
  }
}

interface Wanted {
  readonly range: GetOptions['range']
  readonly pieces: GetPieces | undefined
}

async function bodyOf(
  { connection, settings }: Place,
  key: string,
  output: GetObjectCommandOutput,
  { range, pieces }: Wanted,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = output.Body as unknown as AsyncIterable<Uint8Array> & { destroy(): void }
  try {
    if (output.ETag === undefined) {
      throw notS3({ operation: 'get', bucket: connection.bucket, key: settings.prefix + key })
    }
    const length = expectedLength(key, output, range)
    const bytes = new Uint8Array(pieces ? 0 : length)
    const add = pieces ? intoPieces(pieces) : (part: Uint8Array, at: number) => bytes.set(part, at)
    await readExactly(key, stream, length, { isOurs: connection.isOwn, add })
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
  { isOurs, add }: { isOurs: boolean; add(part: Uint8Array, at: number): void },
): Promise<void> {
  let done = 0
  await eachPart(stream, (part) => {
    if (done + part.byteLength > length) throw garbled(key, 'more bytes than it said', { length })
    add(part, done)
    done += part.byteLength
    if (isOurs) releasePart(part)
  })
  if (done !== length) throw garbled(key, 'fewer bytes than it said', { length, got: done })
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

/** For bytes in order. A piece has memory from its first byte on. */
function intoPieces({ places, take }: GetPieces): (part: Uint8Array, at: number) => void {
  let number = 0
  let piece: Uint8Array<ArrayBuffer> | undefined
  return (part, at) => {
    const end = at + part.byteLength
    for (let place = places[number]; place !== undefined && place.start < end; place = places[number]) {
      piece ??= new Uint8Array(place.end - place.start)
      const from = Math.max(at, place.start)
      piece.set(part.subarray(from - at, Math.min(end, place.end) - at), from - place.start)
      if (place.end > end) return
      take(number++, piece)
      piece = undefined
    }
  }
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
