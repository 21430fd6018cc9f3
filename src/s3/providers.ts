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

/** Beside each fact where it is said; what nobody says has the safe value. Makers' pages change: `probe` has the last word. */
export const s3Providers: Readonly<Record<S3Provider, S3ProviderPreset>> = {
  aws: {
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html: 412, or 409 where two meet.
    createOnce: 'atomic',
    atomicWithVersions: true,
    sendsCondition: true,
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    checksum: 'header',
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    bulkDelete: true,
    forcePathStyle: false,
    // https://docs.aws.amazon.com/sdkfornet/v4/apidocs/items/S3/TS3StorageClass.html: not GLACIER, not DEEP_ARCHIVE.
    storageClasses: [
      'STANDARD',
      'STANDARD_IA',
      'ONEZONE_IA',
      'INTELLIGENT_TIERING',
      'GLACIER_IR',
      'REDUCED_REDUNDANCY',
      'EXPRESS_ONEZONE',
    ],
    maxConcurrency: 16,
  },
  r2: {
    // https://developers.cloudflare.com/r2/api/s3/conditional-operations/, which names no exception.
    createOnce: 'atomic',
    atomicWithVersions: true,
    sendsCondition: true,
    // https://developers.cloudflare.com/r2/api/s3/api/: SHA-256 only of the parts of an object, never of a whole one;
    // region auto; https://<ACCOUNT_ID>.r2.cloudflarestorage.com, so an endpoint must be given; delete of many.
    checksum: 'metadata',
    bulkDelete: true,
    forcePathStyle: true,
    region: 'auto',
    // https://developers.cloudflare.com/r2/buckets/storage-classes/
    storageClasses: ['STANDARD', 'STANDARD_IA'],
    maxConcurrency: 16,
  },
  b2: {
    // The maker says nothing of it; it answers with NotImplemented:
    // https://github.com/sathinduga/obsidian-s3-sync-and-backup/issues/78
    createOnce: 'look',
    atomicWithVersions: false,
    sendsCondition: false,
    // Nothing was found of checksum headers: the safe value.
    checksum: 'metadata',
    // https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api: delete of many, list v2, both styles of
    // addresses, https only, https://s3.<region>.backblazeb2.com with the region in it: both must be given.
    bulkDelete: true,
    forcePathStyle: true,
    // Nothing was found of other classes.
    storageClasses: ['STANDARD'],
    maxConcurrency: 16,
  },
  gcs: {
    // https://docs.cloud.google.com/storage/docs/request-preconditions: If-None-Match is for reading. Its own header
    // x-goog-if-generation-match cannot be sent beside those of AWS.
    createOnce: 'look',
    atomicWithVersions: false,
    sendsCondition: false,
    // x-amz-checksum-… of a put is refused (ExcessHeaderValues): https://github.com/milvus-io/milvus-storage/pull/480
    checksum: 'metadata',
    // https://docs.cloud.google.com/storage/docs/xml-api/post-bucket: up to 1,000 keys. It wants Content-MD5 or
    // x-amz-checksum-crc32 (the pull request above), and the SDK sends the latter:
    // https://github.com/aws/aws-sdk-js-v3/issues/6819. Where that is refused the target deletes them one by one.
    bulkDelete: true,
    // https://docs.cloud.google.com/storage/docs/aws-simple-migration; the region is not said there, and `auto` is usual.
    forcePathStyle: true,
    region: 'auto',
    endpoint: 'https://storage.googleapis.com',
    // https://docs.cloud.google.com/storage/docs/storage-classes: all can be read at once.
    storageClasses: ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'],
    maxConcurrency: 16,
  },
  ceph: {
    // https://tracker.ceph.com/issues/8562, and tried on a gateway of release 16, which has both without versions only.
    createOnce: 'atomic',
    atomicWithVersions: false,
    sendsCondition: true,
    checksum: 'metadata',
    bulkDelete: true,
    forcePathStyle: true,
    region: 'us-east-1',
    maxConcurrency: 16,
  },
  /** MinIO, Wasabi, DigitalOcean Spaces and all others: what is safe anywhere, until `probe` shows more. */
  generic: {
    createOnce: 'look',
    atomicWithVersions: false,
    sendsCondition: true,
    checksum: 'metadata',
    bulkDelete: true,
    forcePathStyle: true,
    region: 'us-east-1',
    maxConcurrency: 8,
  },
}
