import type { Sink, Source, Target } from 'holdfast'

/** An `S3Client` of `@aws-sdk/client-s3`, as far as it is used. */
export interface S3ClientLike {
  send(command: any, options?: any): Promise<any>
  destroy(): void
}

/** Where a bucket is and how to get in. */
export interface S3ConnectionOptions {
  bucket: string
  /** Keys begin with it; a slash at its end is added. Default: the whole bucket. */
  prefix?: string
  /** Default: the provider's; for `aws`, what the environment says (AWS_REGION, the profile). */
  region?: string | undefined
  /** As in 'https://s3.example.com'. Default: the one of AWS or of the provider. */
  endpoint?: string | undefined
  /** The bucket in the path, not in the host name. Default: false for `aws`, true for the others. */
  forcePathStyle?: boolean
  /** Default: `aws` without an endpoint, `generic` with one. */
  provider?: S3Provider
  /** Default: the chain of the AWS SDK (environment, profile, web identity, container or instance role). */
  credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /**
   * A client of your own, instead of region, endpoint and credentials. It is not destroyed by `close`. Give it
   * `maxAttempts: 1`: repeating is the engine's, which knows what may be repeated.
   */
  client?: S3ClientLike
  /** Requests under way at once. Default: the provider's, 8 or 16. */
  maxConcurrency?: number
  /** A request on which no byte moved for so long, either way, has failed. Default 60,000. */
  requestTimeoutMs?: number
  /** Added to the machine's clock in signatures, in ms: for machines whose clock is wrong. */
  systemClockOffset?: number
}

/** Options of everything that speaks S3. */

export interface S3Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  /** When they end: a function is asked anew shortly before. */
  expiration?: Date
}

export interface S3Options extends S3ConnectionOptions {
  /** Of packs, which are nearly all bytes; records stay in the bucket's default. Must be readable at once. */
  storageClass?: string
  /** By the store, beside the encryption of Holdfast: with its own keys, or with one of AWS KMS. */
  serverSideEncryption?:
    | 'AES256'
    | {
        kmsKeyId: string
      }
  /** Packs cannot be deleted for so many days after their upload. The bucket must have Object Lock. */
  objectLockDays?: number
  /** Default `governance`, which users with a special right may lift; `compliance` nobody may. */
  objectLockMode?: 'governance' | 'compliance'
  /** Of each object, for lifecycle rules and bills. At most 10. */
  tags?: Readonly<Record<string, string>>
  /**
   * True where `probe` has shown that `If-None-Match: *` is kept, false where it is not. Default: the provider's.
   */
  createOnce?: boolean
  /** Of the bodies of put and get together. Default: no limit. */
  bytesPerSecond?: number
  /** Told as the bytes of a put are handed to the system, in steps of 64 KiB. Must not throw. */
  onUploadProgress?: (progress: S3UploadProgress) => void
}

/** What differs between stores that speak S3, as plain data. `probe` finds out what really holds for a bucket. */
export type S3Provider = 'aws' | 'r2' | 'b2' | 'gcs' | 'ceph' | 'generic'

export interface S3ProviderPreset {
  /**
   * `atomic`: a put with `If-None-Match: *` fails where the key exists, also between clients. `look`: the store refuses
   * or may ignore that condition, so the target looks before it puts, and two clients at once may both succeed.
   */
  readonly createOnce: 'atomic' | 'look'
  /** False where a bucket that keeps versions takes the condition and ignores it, as Ceph's gateway does. */
  readonly atomicWithVersions: boolean
  /** Whether the condition is sent at all; some stores answer it with an error. */
  readonly sendsCondition: boolean
  /** `header`: the store checks and keeps `x-amz-checksum-sha256`. `metadata`: the signature covers the SHA-256. */
  readonly checksum: 'header' | 'metadata'
  /** Many keys in one delete request. */
  readonly bulkDelete: boolean
  /** The bucket in the path of addresses, not in the host name. */
  readonly forcePathStyle: boolean
  /** Region to sign for where none is given. */
  readonly region?: string
  /** Without it `endpoint` must be given. */
  readonly endpoint?: string
  /** Classes that can be read at once. Undefined: any may be named. */
  readonly storageClasses?: readonly string[]
  /** Requests at a time, unless given otherwise. */
  readonly maxConcurrency: number
}

export interface S3SinkOptions extends S3ConnectionOptions {
  /**
   * What happens to an object of another content or other metadata under a key that is to be restored: `fail` makes the plan
   * say `blocked`, `replace` overwrites it at the commit. Equal ones are left as they are. Default `fail`.
   */
  existing?: 'fail' | 'replace'
  /** Of the parts of a large object, in bytes, at least 5 MiB. One in each upload is in memory. Default 8 MiB. */
  partBytes?: number
}

export interface S3SourceOptions extends S3ConnectionOptions {
  /** First segment of every entry's path: 1 to 64 of letters, digits, '.', '_', '-'; not beginning with '.'. */
  name: string
  /**
   * Globs (minimatch, with names that begin with a dot) of what to take in, relative to `prefix`; a folder that matches is
   * taken whole. Default: everything.
   */
  include?: readonly string[]
  /** Globs of what to leave out; wins over `include`. Default: none. */
  exclude?: readonly string[]
  /** Keys in one answer to a listing, 1 to 1,000. Default 1,000. */
  listPageSize?: number
}

export interface S3UploadProgress {
  key: string
  sentBytes: number
  totalBytes: number
}

/** Beside each fact where it is said; what nobody says has the safe value. Makers' pages change: `probe` has the last word. */
export declare const s3Providers: Readonly<Record<S3Provider, S3ProviderPreset>>

/**
 * A bucket as a sink: each entry becomes an object, one that came from `s3Source` with its headers, metadata and tags.
 * Nothing is deleted. Objects that are equal stay as they are; others in the way make the plan `blocked`, or with
 * `existing: 'replace'` are overwritten.
 *
 * A new object is there as soon as it is whole, and a rollback deletes it again. One that replaces another, and all of a
 * drill, is uploaded in parts that nobody sees before the commit. After the commit what was replaced comes back by a
 * rollback only where the bucket keeps versions.
 * @throws BackupError INVALID_OPTIONS
 */
export declare function s3Sink(options: S3SinkOptions): Sink

/**
 * The objects of a bucket below a prefix as a source: uploads of applications that keep them in S3. Each object is an entry
 * of type `file` under its key, with its headers, metadata and tags as the fact `s3`. An unchanged one (ETag, size and
 * time) is not read again. Of a bucket with versions the current ones are taken. Needs the package `@aws-sdk/client-s3`.
 *
 * One that is replaced between listing and reading is taken as it then is; one that is deleted meanwhile is left out, with
 * the warning ENTRY_CHANGED_WHILE_READ. One that may not be read, such as one in an archive, ends the run with
 * SOURCE_DENIED, or with `onEntryError: 'skip'` is left out with a warning.
 * @throws BackupError INVALID_OPTIONS; its `open()`: PEER_MISSING, SOURCE_NOT_FOUND, SOURCE_DENIED, SOURCE_UNREACHABLE
 */
export declare function s3Source(options: S3SourceOptions): Source

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
export declare function s3Target(options: S3Options): Target
