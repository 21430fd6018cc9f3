/** A target in a bucket of S3, or of a store that speaks S3. */
import type { Finding } from '../../events.ts'
import { S3Connection } from '../../s3/connection.ts'
import { checkKey, checkPrefix, checkRange, notFound, rangeWithin } from '../checks.ts'
import type {
  CallSignal,
  GetOptions,
  ObjectInfo,
  PutOptions,
  Target,
  TargetDoctorContext,
  TargetTraits,
} from '../target.ts'
import { throttled } from '../wrappers/throttled.ts'
import { examineBucket } from './doctor.ts'
import { getObject } from './get.ts'
import { listObjects } from './list.ts'
import { type S3Options, type S3TargetSettings, settleTarget } from './options.ts'
import { putObject } from './put.ts'
import { deleteObjects } from './remove.ts'
import { headObject } from './stat.ts'

/** The limit of S3 for one put. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 3

/** What the calls of one target share. */
export interface Place {
  readonly connection: S3Connection
  readonly options: S3Options
  readonly settings: S3TargetSettings
  /** Whether the bucket is known to be there. */
  seen: boolean
  deletesSingly: boolean
  /** Whether the bucket keeps versions; undefined before the first put. */
  versioned?: boolean
  /** What a put has shown where neither the preset nor an option says whether conditions are kept. */
  keepsCondition?: boolean | undefined
}

/**
 * Keeps each object in a bucket, which must exist, below `prefix`. Needs the package `@aws-sdk/client-s3`, which is
 * loaded by the first call. Nothing is repeated inside: the engine does that, and `retrying` for uses without it.
 *
 * A `put` is checked by the store against its SHA-256; that is also kept as metadata, and is what `stat` gives as
 * `checksum`. Listings of S3 have none.
 *
 * @throws BackupError INVALID_OPTIONS. Its methods: PEER_MISSING, TARGET_NOT_FOUND (no such bucket, or elsewhere),
 *   TARGET_AUTH, TARGET_DENIED, TARGET_THROTTLED (retryable, with `details.retryAfterMs` where the store says it),
 *   TARGET_FULL, TARGET_UNREACHABLE (retryable), TARGET_PROTOCOL, UNSUPPORTED, besides those of every target.
 */
export function s3Target(options: S3Options): Target {
  const settings = settleTarget(options)
  const connection = new S3Connection(options, settings)
  const deletesSingly = !settings.preset.bulkDelete
  const target = new S3Target({ connection, options, settings, seen: false, deletesSingly })
  return options.bytesPerSecond === undefined ? target : throttled(target, { bytesPerSecond: options.bytesPerSecond })
}

class S3Target implements Target {
  readonly apiVersion = 1
  readonly name = 's3'
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  get traits(): TargetTraits {
    const { settings, options, versioned, keepsCondition } = this.#place
    const { createOnce, maxConcurrency, preset } = settings
    const isIgnored = versioned === true && options.createOnce === undefined && !preset.atomicWithVersions
    const isFound = keepsCondition === true && versioned !== true
    const createOnly = (createOnce || isFound) && !isIgnored
    return { createOnly, maxConcurrency, maxObjectBytes: MAX_OBJECT_BYTES, checksums: 'sha256', remote: true }
  }

  async put(key: string, body: Uint8Array<ArrayBuffer>, options: PutOptions = {}): Promise<boolean> {
    checkKey(key)
    return await putObject(this.#place, key, body, options)
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkKey(key)
    checkRange(options.range)
    if (options.range && options.range.start === options.range.end) return await this.#nothingOf(key, options)
    return await getObject(this.#place, key, options)
  }

  /** No request can ask for no bytes; yet the object must be there, and long enough. */
  async #nothingOf(key: string, { range, signal }: GetOptions): Promise<Uint8Array<ArrayBuffer>> {
    const info = await this.stat(key, { signal })
    if (info === undefined) throw notFound(key)
    rangeWithin(key, info.size, range)
    return new Uint8Array(0)
  }

  async stat(key: string, { signal }: CallSignal = {}): Promise<ObjectInfo | undefined> {
    checkKey(key)
    return await headObject(this.#place, key, signal)
  }

  async *list(prefix: string, options: CallSignal = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix)
    yield* listObjects(this.#place, prefix, options)
  }

  async delete(keys: readonly string[], options: CallSignal = {}): Promise<void> {
    for (const key of keys) checkKey(key)
    await deleteObjects(this.#place, keys, options)
  }

  async doctor({ signal, prefix = '' }: TargetDoctorContext): Promise<Finding[]> {
    return await examineBucket(this.#place, prefix, signal)
  }

  async close(): Promise<void> {
    await this.#place.connection.close()
  }
}
