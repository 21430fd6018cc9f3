/** One reading of a bucket. S3 has no moment of all objects: each is as it was when it was read. */
import type { Json } from '../../errors.ts'
import { linkAbort, throwIfAborted } from '../../util/abort.ts'
import { Selection } from '../filesystem/globs.ts'
import type { SourceContext, SourceEntry, SourceSession } from '../source.ts'
import { Bucket } from './bucket.ts'
import { EntryMaker } from './entries.ts'
import type { S3SourceOptions, S3SourceSettings } from './options.ts'
import { inPathOrder } from './order.ts'
import { type ListRows, rowLister } from './rows.ts'

const BATCH = 1000
/** For listing: one at a time, and one that ends late. */
const SPARE_REQUESTS = 2

export class S3Session implements SourceSession {
  readonly concurrency: number
  readonly #settings: S3SourceSettings
  readonly #options: S3SourceOptions
  readonly #bucket: Bucket
  readonly #abort: ReturnType<typeof linkAbort>
  readonly #list: ListRows
  readonly #counts = { objects: 0, bytes: 0 }

  /** @throws BackupError SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE, PEER_MISSING */
  static async open(options: S3SourceOptions, settings: S3SourceSettings, context: SourceContext): Promise<S3Session> {
    throwIfAborted(context.signal)
    const session = new S3Session(options, settings, context)
    try {
      await session.#look()
      return session
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(options: S3SourceOptions, settings: S3SourceSettings, { signal }: SourceContext) {
    const { name: _, include: __, exclude: ___, listPageSize: ____, ...connection } = options
    this.#options = options
    this.#settings = settings
    this.concurrency = settings.maxConcurrency
    this.#bucket = new Bucket('source', connection, settings, SPARE_REQUESTS)
    this.#abort = linkAbort(signal)
    this.#list = rowLister(this.#bucket, {
      signal: this.#abort.signal,
      pageSize: settings.listPageSize,
      clockOffsetMs: options.systemClockOffset ?? 0,
    })
  }

  /** So that a bucket that is not there fails before other sources are read for hours. */
  async #look(): Promise<void> {
    const lister = rowLister(this.#bucket, { signal: this.#abort.signal, pageSize: 1, clockOffsetMs: 0 })
    for await (const _ of lister(this.#prefix)) break
  }

  get #prefix(): string {
    return Buffer.from(this.#settings.prefix).toString('latin1')
  }

  async *entries(): AsyncGenerator<readonly SourceEntry[], void, undefined> {
    const { include, exclude } = this.#settings
    const maker = new EntryMaker({
      bucket: this.#bucket,
      prefix: this.#prefix,
      selection: new Selection(include, exclude),
      signal: this.#abort.signal,
    })
    for await (const rows of inPathOrder(this.#list, this.#prefix)) {
      throwIfAborted(this.#abort.signal)
      yield* batches(maker.take(rows))
    }
    yield* batches(maker.rest())
    this.#counts.objects = maker.objects
    this.#counts.bytes = maker.bytes
  }

  async describe(): Promise<Readonly<Record<string, Json>>> {
    const { bucket, endpoint, region } = this.#options
    return {
      format: 1,
      bucket,
      prefix: this.#settings.prefix,
      ...(endpoint !== undefined && { endpoint }),
      ...(region !== undefined && { region }),
      ...this.#counts,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort('the session has ended')
    await this.#bucket.close()
  }
}

function* batches(entries: readonly SourceEntry[]): Generator<readonly SourceEntry[]> {
  for (let at = 0; at < entries.length; at += BATCH) yield entries.slice(at, at + BATCH)
}
