/** The content of one object, from its listing to the last byte: broken off reads go on, later versions are taken as such. */
import type { GetObjectCommandInput, GetObjectCommandOutput, GetObjectTaggingCommandOutput } from '@aws-sdk/client-s3'
import { md5Stream } from '../../crypto/hash.ts'
import { nameOf, statusOf } from '../../s3/errors.ts'
import { s3Providers } from '../../s3/providers.ts'
import { linkAbort, onAbort, throwIfAborted } from '../../util/abort.ts'
import type { EntryFacts, StreamProof } from '../source.ts'
import type { Bucket, Sdk } from './bucket.ts'
import { asFacts, factsOfHead } from './facts.ts'
import { textOf } from './key-path.ts'
import type { Row } from './rows.ts'

/** One reading of one object. */
export class ObjectReading {
  readonly #bucket: Bucket
  readonly #row: Row
  readonly #key: string
  readonly #signals: readonly AbortSignal[]
  #signal: AbortSignal
  /** Of the version that is read. */
  #etag: string | undefined
  #head: GetObjectCommandOutput | undefined
  #offset = 0
  /** All bytes have come: what is wrong with them now stays wrong. */
  #isWhole = false
  #md5 = md5Stream()

  /** `session`: of the session. `stream`: of this stream. Either ends it. */
  constructor(bucket: Bucket, row: Row, session: AbortSignal, stream: AbortSignal) {
    const key = textOf(row.key)
    if (key === undefined) throw bucket.fail('SOURCE_DENIED', '', 'a key that is no UTF-8 cannot be asked for')
    this.#bucket = bucket
    this.#row = row
    this.#key = key
    this.#signal = session
    this.#signals = [session, stream]
    this.#etag = row.etag === '' ? undefined : row.etag
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    const session = this.#signal
    const linked = linkAbort(...this.#signals)
    this.#signal = linked.signal
    try {
      yield* this.#attempts()
    } finally {
      this.#signal = session
      linked.dispose()
    }
  }

  async *#attempts(): AsyncGenerator<Uint8Array> {
    for (let failures = 0; ; ) {
      const before = this.#offset
      try {
        yield* this.#rest()
        return
      } catch (error) {
        if (this.#isWhole) throw error
        failures = this.#offset > before ? 1 : failures + 1
        await this.#bucket.pause(error, failures, this.#signal)
      }
    }
  }

  async *#rest(): AsyncGenerator<Uint8Array> {
    const { body, release } = await this.#open()
    try {
      for await (const piece of body) {
        this.#offset += piece.byteLength
        this.#md5?.update(piece)
        yield piece
        throwIfAborted(this.#signal)
      }
    } catch (error) {
      throw this.#bucket.errorOf(error, 'get', this.#key, this.#signal)
    } finally {
      release()
    }
    this.#checkEnd()
  }

  async #open(): Promise<{ body: AsyncIterable<Uint8Array>; release: () => void }> {
    try {
      return await this.#get()
    } catch (error) {
      if (statusOf(error) !== 412 && nameOf(error) !== 'PreconditionFailed') throw this.#failure(error)
    }
    if (this.#offset > 0) throw this.#changed()
    // It is another one than was listed: that one is taken.
    this.#etag = undefined
    try {
      return await this.#get()
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** It counts as a request under way until it is released: nothing may be left open. */
  async #get(): Promise<{ body: AsyncIterable<Uint8Array>; release: () => void }> {
    const { connection } = this.#bucket
    const answer = Promise.withResolvers<GetObjectCommandOutput>()
    const released = Promise.withResolvers<void>()
    const input = this.#input()
    const sent = connection.send<GetObjectCommandOutput, void>(
      (sdk) => new sdk.GetObjectCommand(input),
      this.#signal,
      async (output) => {
        const unlink = onAbort(this.#signal, () => released.resolve())
        answer.resolve(output)
        await released.promise
        unlink()
        ;(output.Body as unknown as { destroy(): void } | undefined)?.destroy()
      },
    )
    sent.catch((error: unknown) => answer.reject(error))
    const output = await answer.promise
    try {
      this.#accept(output)
    } catch (error) {
      released.resolve()
      throw error
    }
    return { body: output.Body as unknown as AsyncIterable<Uint8Array>, release: () => released.resolve() }
  }

  #input(): GetObjectCommandInput {
    const { settings } = this.#bucket.connection
    return {
      Bucket: this.#bucket.name,
      Key: this.#key,
      ...(this.#etag !== undefined && { IfMatch: this.#etag }),
      ...(this.#offset > 0 && { Range: `bytes=${this.#offset}-` }),
      ...(this.#offset === 0 && settings.preset.checksum === 'header' && { ChecksumMode: 'ENABLED' as const }),
    }
  }

  /** Of the first answer all is kept; a later one has to be the rest of the same. */
  #accept(output: GetObjectCommandOutput): void {
    if (this.#offset === 0) {
      this.#head = output
      this.#etag = output.ETag ?? this.#etag
      return
    }
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(output.ContentRange ?? '')
    if (output.ETag !== this.#head!.ETag) throw this.#changed()
    if (Number(range?.[1]) === this.#offset && Number(range?.[2]) === this.#size) return
    throw this.#bucket.fail('SOURCE_INCOMPLETE', this.#key, 'the store answers with another range than was asked for')
  }

  get #size(): number {
    return this.#head?.ContentLength ?? this.#row.size
  }

  #failure(error: unknown): Error {
    const found = this.#bucket.errorOf(error, 'get', this.#key, this.#signal)
    return found.code === 'SOURCE_NOT_FOUND' && this.#offset > 0 ? this.#changed() : found
  }

  #changed(): Error {
    return this.#bucket.fail('SOURCE_CHANGED', this.#key, 'the object was replaced in the middle of its reading', true)
  }

  #checkEnd(): void {
    const [size, read] = [this.#size, this.#offset]
    if (read < size) {
      throw this.#bucket.fail('SOURCE_UNREACHABLE', this.#key, `the store sent ${read} of ${size} bytes`, true)
    }
    if (read > size)
      throw this.#bucket.fail('SOURCE_INCOMPLETE', this.#key, `the store sent ${read} bytes, not ${size}`)
    this.#isWhole = true
    const expected = this.#isMd5 ? this.#etag?.slice(1, -1) : undefined
    const got = this.#md5?.digestHex()
    this.#md5 = undefined
    if (expected !== undefined && got !== undefined && got !== expected) throw this.#damaged('MD5', expected)
  }

  /** It is for objects that came in one upload; stores that are not known may encrypt or pack in their own ways. */
  get #isMd5(): boolean {
    const { ServerSideEncryption: kind, SSECustomerAlgorithm: own } = this.#head ?? {}
    const isKnown = this.#bucket.connection.settings.preset !== s3Providers.generic
    const isPlain = kind === undefined || (kind === 'AES256' && isKnown)
    return /^"[0-9a-f]{32}"$/.test(this.#etag ?? '') && isPlain && own === undefined
  }

  #damaged(sum: string, expected: string): Error {
    return this.#bucket.fail('SOURCE_INCOMPLETE', this.#key, `the bytes do not have the ${sum} ${expected}`, true)
  }

  /** What was read, where that is not what was listed. */
  get instead(): { size: number; modifiedAt?: Date } | undefined {
    if (this.#head === undefined || this.#head.ETag === this.#row.etag || this.#row.etag === '') return undefined
    const { LastModified } = this.#head
    return { size: this.#size, ...(LastModified && { modifiedAt: LastModified }) }
  }

  /** @throws BackupError SOURCE_INCOMPLETE where the bytes are not those that the store has a checksum of */
  async facts({ bytes, sha256 }: StreamProof): Promise<EntryFacts> {
    const head = this.#head!
    if (bytes !== this.#size) throw this.#damaged('length', String(this.#size))
    const whole = head.ChecksumType === undefined || head.ChecksumType === 'FULL_OBJECT'
    const kept = whole ? Buffer.from(head.ChecksumSHA256 ?? '', 'base64').toString('hex') : ''
    if (kept.length === 64 && kept !== sha256) throw this.#damaged('SHA-256', kept)
    return asFacts(factsOfHead(head, (head.TagCount ?? 0) > 0 ? await this.#tags() : []))
  }

  async #tags() {
    const at = { Bucket: this.#bucket.name, Key: this.#key, VersionId: this.#head!.VersionId }
    const make = (sdk: Sdk) => new sdk.GetObjectTaggingCommand(at)
    const found = await this.#bucket.ask<GetObjectTaggingCommandOutput>('get tags', this.#key, make, this.#signal)
    return found.TagSet ?? []
  }
}
