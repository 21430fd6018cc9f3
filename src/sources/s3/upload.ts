/** Content into a bucket: at once where it is short, in parts where it is long or must not be seen yet. */
import type {
  CompletedPart,
  CompleteMultipartUploadCommandOutput,
  CreateMultipartUploadCommandOutput,
  PutObjectCommandOutput,
  UploadPartCommandOutput,
} from '@aws-sdk/client-s3'
import { md5Stream } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Sdk } from './bucket.ts'
import type { ObjectHeaders } from './facts.ts'
import type { SinkBucket } from './sink-bucket.ts'

export interface Made {
  readonly key: string
  readonly etag: string | undefined
  readonly versionId: string | undefined
}

/** Parts that lie in the bucket without being an object yet. */
export interface Staged {
  readonly key: string
  readonly uploadId: string
  readonly parts: readonly CompletedPart[]
  readonly size: number
  readonly tags: Readonly<Record<string, string>>
}

export interface Upload {
  readonly key: string
  readonly size: number
  readonly headers: ObjectHeaders
  readonly tags: Readonly<Record<string, string>>
  readonly content: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
  /** An object may be there now, or come yet, though the upload has failed. */
  unsure(made: Made): void
}

/** The most that S3 takes. */
const MAX_PARTS = 10_000

export class Uploader {
  readonly #bucket: SinkBucket
  readonly #partBytes: number

  constructor(bucket: SinkBucket, partBytes: number) {
    this.#bucket = bucket
    this.#partBytes = partBytes
  }

  /** A new object, there at once. @throws BackupError RESTORE_CONFLICT, RESTORE_MISMATCH, RESTORE_… */
  async create(upload: Upload): Promise<Made> {
    if (upload.size > this.#partBytes) return await this.complete(await this.stage(upload), true, upload)
    let body = new Uint8Array(0)
    for await (const part of this.#parts(upload)) body = part
    return await this.#put(upload, body)
  }

  /** What was sent is waited for, also after an abort: else nobody would know whether it is there. */
  async #put({ key, headers, signal, unsure }: Upload, body: Uint8Array): Promise<Made> {
    const md5 = md5Of(body)
    const once = this.#bucket.connection.settings.preset.sendsCondition ? { IfNoneMatch: '*' } : {}
    const input = { ...this.#at(key), ...headers, ...once, Body: body, ContentLength: body.byteLength }
    const make = (sdk: Sdk) => new sdk.PutObjectCommand({ ...input, ...(md5 && { ContentMD5: md5.base64 }) })
    for (let failures = 0; ; ) {
      throwIfAborted(signal)
      try {
        const { ETag, VersionId } = await this.#bucket.send<PutObjectCommandOutput>('put', key, make, unaborted())
        return { key, etag: ETag, versionId: VersionId }
      } catch (error) {
        if (isTaken(error)) return await this.#ownOr(key, failures > 0 ? md5?.hex : undefined, unaborted())
        if (!isRefused(error)) unsure({ key, etag: `"${md5?.hex}"`, versionId: undefined })
        await this.#bucket.pause(error, ++failures, signal)
      }
    }
  }

  /** An attempt whose answer was lost may have made it. */
  async #ownOr(key: string, md5: string | undefined, signal: AbortSignal): Promise<Made> {
    const found = md5 === undefined ? undefined : await this.#bucket.head(key, signal)
    if (found?.ETag === `"${md5}"`) return { key, etag: found.ETag, versionId: found.VersionId }
    throw this.#bucket.fail('RESTORE_CONFLICT', key, 'another object has come meanwhile')
  }

  /** Uploads all of it; it becomes an object by `complete`. What fails leaves no parts. */
  async stage(upload: Upload): Promise<Staged> {
    const { key, headers, size, tags, signal } = upload
    const make = (sdk: Sdk) => new sdk.CreateMultipartUploadCommand({ ...this.#at(key), ...headers })
    throwIfAborted(signal)
    const begun = await this.#bucket.ask<CreateMultipartUploadCommandOutput>('put', key, make, unaborted())
    const uploadId = begun.UploadId ?? ''
    try {
      const parts: CompletedPart[] = []
      for await (const body of this.#parts(upload))
        parts.push(await this.#part(upload, uploadId, parts.length + 1, body))
      if (parts.length === 0) parts.push(await this.#part(upload, uploadId, 1, new Uint8Array(0)))
      return { key, uploadId, parts, size, tags }
    } catch (error) {
      await this.abandon({ key, uploadId })
      throw error
    }
  }

  async #part({ key, signal }: Upload, UploadId: string, PartNumber: number, Body: Uint8Array): Promise<CompletedPart> {
    const md5 = md5Of(Body)
    const at = { ...this.#at(key), UploadId, PartNumber, ContentLength: Body.byteLength }
    const make = (sdk: Sdk) => new sdk.UploadPartCommand({ ...at, Body, ...(md5 && { ContentMD5: md5.base64 }) })
    const { ETag } = await this.#bucket.ask<UploadPartCommandOutput>('put', key, make, signal)
    return { PartNumber, ...(ETag !== undefined && { ETag }) }
  }

  /** `once`: only where no object of that key is there, if the store can tell. */
  async complete(staged: Staged, once: boolean, { signal, unsure }: Pick<Upload, 'signal' | 'unsure'>): Promise<Made> {
    const { key, uploadId: UploadId, parts } = staged
    const isAtomic = this.#bucket.connection.settings.preset.createOnce === 'atomic'
    const how = { UploadId, MultipartUpload: { Parts: [...parts] }, ...(once && isAtomic && { IfNoneMatch: '*' }) }
    const make = (sdk: Sdk) => new sdk.CompleteMultipartUploadCommand({ ...this.#at(key), ...how })
    let versionId: string | undefined
    throwIfAborted(signal)
    try {
      const done = await this.#bucket.ask<CompleteMultipartUploadCommandOutput>('put', key, make, unaborted())
      versionId = done.VersionId
    } catch (error) {
      // An attempt whose answer was lost has used the parts up.
      if (!isGone(error)) {
        if (!isRefused(error)) unsure({ key, etag: etagOf(parts), versionId: undefined })
        await this.abandon(staged)
        throw isTaken(error) ? this.#bucket.fail('RESTORE_CONFLICT', key, 'another object has come meanwhile') : error
      }
    }
    return await this.#completed(staged, versionId, unaborted())
  }

  /** Not every store says the ETag when it puts the parts together, and not every one has taken the tags along. */
  async #completed({ key, size, tags }: Staged, versionId: string | undefined, signal: AbortSignal): Promise<Made> {
    const found = await this.#bucket.head(key, signal)
    if (found?.ContentLength !== size) {
      throw this.#bucket.fail(
        'RESTORE_MISMATCH',
        key,
        `the store has put together ${found?.ContentLength} of ${size} bytes`,
      )
    }
    const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    if (found.TagCount !== undefined && found.TagCount !== TagSet.length) {
      const make = (sdk: Sdk) => new sdk.PutObjectTaggingCommand({ ...this.#at(key), Tagging: { TagSet } })
      await this.#bucket.ask('put tags', key, make, signal)
    }
    return { key, etag: found.ETag, versionId: versionId ?? found.VersionId }
  }

  /** Never rejects; also after an abort, so without the signal. */
  async abandon({ key, uploadId }: Pick<Staged, 'key' | 'uploadId'>): Promise<void> {
    const make = (sdk: Sdk) => new sdk.AbortMultipartUploadCommand({ ...this.#at(key), UploadId: uploadId })
    await this.#bucket.ask('delete', key, make, AbortSignal.timeout(ABANDON_MS)).catch(() => undefined)
  }

  /** Of equal size but for the last. Each has a buffer of its own. */
  async *#parts({ key, size, content, signal }: Upload): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const partBytes = Math.max(this.#partBytes, Math.ceil(size / MAX_PARTS))
    let part = new Uint8Array(Math.min(partBytes, size))
    let [filled, done] = [0, 0]
    for await (const piece of content) {
      throwIfAborted(signal)
      done += piece.byteLength
      if (done > size) throw this.#mismatch(key, `content goes on after the ${size} bytes that the entry says`)
      for (let at = 0; at < piece.byteLength; ) {
        const count = Math.min(piece.byteLength - at, part.length - filled)
        part.set(piece.subarray(at, at + count), filled)
        filled += count
        at += count
        if (filled < part.length || (done === size && at === piece.byteLength)) continue
        yield part
        part = new Uint8Array(Math.min(partBytes, size - done + piece.byteLength - at))
        filled = 0
      }
    }
    if (done !== size) throw this.#mismatch(key, `content has ${done} bytes where the entry says ${size}`)
    if (filled > 0) yield part
  }

  #mismatch(key: string, what: string): BackupError {
    return this.#bucket.fail('RESTORE_MISMATCH', key, what)
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket.name, Key: key }
  }
}

const ABANDON_MS = 30_000

/** A new one each time: clients leave listeners on them. Requests end by `requestTimeoutMs`. */
function unaborted(): AbortSignal {
  return new AbortController().signal
}

/** As S3 makes it of those of the parts. */
function etagOf(parts: readonly CompletedPart[]): string | undefined {
  const sums = parts.map(({ ETag = '' }) => Buffer.from(ETag.replaceAll('"', ''), 'hex'))
  const md5 = md5Of(Buffer.concat(sums))
  return md5 && `"${md5.hex}-${parts.length}"`
}

/** Undefined where the system forbids MD5. */
function md5Of(bytes: Uint8Array): { hex: string; base64: string } | undefined {
  const state = md5Stream()
  if (state === undefined) return undefined
  state.update(bytes)
  const hex = state.digestHex()
  return { hex, base64: Buffer.from(hex, 'hex').toString('base64') }
}

function isTaken(error: unknown): boolean {
  return BackupError.is(error) && (error.details.status === 412 || error.details.s3Code === 'PreconditionFailed')
}

/** The store has answered that it did not. */
function isRefused(error: unknown): boolean {
  const status = BackupError.is(error) ? Number(error.details.status ?? 0) : 0
  return status >= 400 && status < 500 && status !== 408
}

function isGone(error: unknown): boolean {
  return BackupError.is(error) && error.details.s3Code === 'NoSuchUpload'
}
