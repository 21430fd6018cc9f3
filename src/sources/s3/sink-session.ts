/** One restore into a bucket. */
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError, type ErrorCode, type Json } from '../../errors.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { isSafePath, userToLatin1 } from '../../util/paths.ts'
import type { SinkContext, SinkEntry, SinkReader, SinkSession } from '../sink.ts'
import type { Sdk } from './bucket.ts'
import { headersOf, objectFacts } from './facts.ts'
import type { S3SinkOptions, S3SinkSettings } from './options.ts'
import { NO_OBJECT, SinkBucket } from './sink-bucket.ts'
import { type Made, type Staged, type Upload, Uploader } from './upload.ts'

interface Waiting extends Staged {
  /** Of the object that it replaces; undefined: there is none. */
  readonly before: string | undefined
}

interface Done extends Made {
  readonly replaced?: boolean
}

const ROLLBACK_MS = 10 * 60_000

export class S3SinkSession implements SinkSession {
  readonly #bucket: SinkBucket
  readonly #settings: S3SinkSettings
  readonly #context: SinkContext
  readonly #uploader: Uploader
  /** Types of what was written, by path: an entry may not lie below another one. */
  readonly #written = new Map<string, string>()
  readonly #made: Done[] = []
  #waiting: Waiting[] = []

  constructor(options: S3SinkOptions, settings: S3SinkSettings, context: SinkContext) {
    this.#bucket = new SinkBucket(options, settings)
    this.#settings = settings
    this.#context = context
    this.#uploader = new Uploader(this.#bucket, settings.partBytes)
  }

  async pull(reader: SinkReader): Promise<void> {
    const { signal } = this.#context
    const one = async (entry: SinkEntry, stop: AbortSignal): Promise<void> => {
      await this.#write(entry, reader.content(entry.from ?? entry.path), stop)
      reader.done(entry)
    }
    for await (const _ of mapBounded(each(reader), this.#settings.maxConcurrency, one, signal));
  }

  async write(entry: SinkEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#write(entry, content, this.#context.signal)
  }

  async #write(entry: SinkEntry, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    this.#checkPlace(entry)
    this.#written.set(entry.path, entry.type)
    if (NO_OBJECT.has(entry.type)) return this.#leaveOut(entry)
    try {
      await this.#upload(entry, content, signal)
    } catch (error) {
      this.#written.delete(entry.path)
      throw error
    }
  }

  async #upload(entry: SinkEntry, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const key = this.#bucket.keyOf(entry)
    const found = await this.#bucket.head(key, signal)
    if (found && this.#bucket.isSame(found, entry)) return
    if (found && this.#settings.existing === 'fail') throw this.#refuse('RESTORE_CONFLICT', entry, 'an object is there')
    const kept = objectFacts(entry.facts)
    const upload: Upload = {
      key,
      size: entry.size,
      headers: headersOf(kept),
      tags: kept?.tags ?? {},
      content,
      signal,
      unsure: (made) => this.#made.push(made),
    }
    if (found || this.#context.drill)
      this.#waiting.push({ ...(await this.#uploader.stage(upload)), before: found?.ETag })
    else this.#made.push(await this.#uploader.create(upload))
  }

  #leaveOut({ path, type }: SinkEntry): void {
    if (type === 'directory') return
    const message = `${path}: a bucket has nothing like a ${type}; left out`
    this.#context.warn({ code: 'S3_NO_OBJECT', message, path, details: { type } })
  }

  #checkPlace(entry: SinkEntry): void {
    const { path, type } = entry
    if (!isSafePath(userToLatin1(path))) throw this.#refuse('RESTORE_UNSAFE_PATH', entry, 'the path is not safe')
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      const there = this.#written.get(end < 0 ? path : path.slice(0, end))
      const goesOn = end >= 0 || type === 'directory'
      if (there === 'symlink' && goesOn) throw this.#refuse('RESTORE_UNSAFE_PATH', entry, 'a link is in its way')
      if (there !== undefined && !(there === 'directory' && goesOn)) {
        throw this.#refuse('RESTORE_CONFLICT', entry, 'another entry is there')
      }
      if (end < 0) return
    }
  }

  #refuse(code: ErrorCode, { path }: SinkEntry, what: string): BackupError {
    const { name: bucket } = this.#bucket
    return new BackupError(code, `${JSON.stringify(path)} cannot be written: ${what}`, {
      origin: 'sink',
      details: { path, bucket },
    })
  }

  async prepare(): Promise<void> {
    const { signal } = this.#context
    throwIfAborted(signal)
    const check = async ({ key, before }: Waiting, stop: AbortSignal): Promise<void> => {
      const now: HeadObjectCommandOutput | undefined = await this.#bucket.head(key, stop)
      if (now?.ETag === before) return
      throw this.#bucket.fail('RESTORE_CONFLICT', key, 'the object that is to be replaced has changed meanwhile')
    }
    for await (const _ of mapBounded(this.#waiting, this.#settings.maxConcurrency, check, signal));
  }

  async commit(): Promise<void> {
    const waiting = this.#waiting
    const done = new Set<Waiting>()
    const finish = async (one: Waiting, stop: AbortSignal): Promise<void> => {
      const isNew = one.before === undefined
      const made = await this.#uploader.complete(one, isNew, {
        signal: stop,
        unsure: (made) => this.#made.push({ ...made, replaced: !isNew }),
      })
      this.#made.push({ ...made, replaced: !isNew })
      done.add(one)
    }
    try {
      for await (const _ of mapBounded(waiting, this.#settings.maxConcurrency, finish, this.#context.signal));
    } finally {
      this.#waiting = waiting.filter((one) => !done.has(one))
    }
  }

  /** What others have put there meanwhile stays. @throws BackupError RESTORE_DENIED … for what could not be taken back */
  async rollback(): Promise<void> {
    const signal = AbortSignal.timeout(ROLLBACK_MS)
    const [waiting, made] = [this.#waiting.splice(0), this.#made.splice(0)]
    const lost: string[] = []
    const undo = async (one: Done, stop: AbortSignal): Promise<void> => {
      if (!(await this.#undo(one, stop))) lost.push(one.key)
    }
    const abandon = (one: Waiting): Promise<void> => this.#uploader.abandon(one)
    for await (const _ of mapBounded(waiting, this.#settings.maxConcurrency, abandon, signal));
    for await (const _ of mapBounded(made, this.#settings.maxConcurrency, undo, signal));
    if (lost.length === 0) return
    const what = `${lost.length} objects were replaced and cannot be brought back, since the bucket keeps no versions`
    throw this.#bucket.fail('RESTORE_DENIED', lost[0]!, what)
  }

  /** False where it has replaced another one that is gone. */
  async #undo({ key, etag, versionId, replaced }: Done, signal: AbortSignal): Promise<boolean> {
    let version = versionId
    if (version === undefined) {
      const found = await this.#bucket.head(key, signal)
      if (found === undefined || found.ETag !== etag) return true
      version = found.VersionId
    }
    const hasVersion = version !== undefined && version !== 'null'
    if (!hasVersion && replaced) return false
    const at = { Bucket: this.#bucket.name, Key: key, ...(hasVersion && { VersionId: version }) }
    await this.#bucket.ask('delete', key, (sdk: Sdk) => new sdk.DeleteObjectCommand(at), signal)
    return true
  }

  where(): Json {
    return `s3://${this.#bucket.name}/${this.#settings.prefix}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bucket.close()
  }
}

async function* each(reader: SinkReader): AsyncGenerator<SinkEntry> {
  for await (const batch of reader.entries()) yield* batch
}
