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

export const s3Providers: Readonly<Record<S3Provider, S3ProviderPreset>> = {
  aws: {
    createOnce: 'atomic',
    atomicWithVersions: true,
    sendsCondition: true,
    checksum: 'header',
    bulkDelete: true,
    forcePathStyle: false,
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
    createOnce: 'atomic',
    atomicWithVersions: true,
    sendsCondition: true,
    checksum: 'metadata',
    bulkDelete: true,
    forcePathStyle: true,
    region: 'auto',
    storageClasses: ['STANDARD', 'STANDARD_IA'],
    maxConcurrency: 16,
  },
  b2: {
    createOnce: 'look',
    atomicWithVersions: false,
    sendsCondition: false,
    checksum: 'metadata',
    bulkDelete: true,
    forcePathStyle: true,
    storageClasses: ['STANDARD'],
    maxConcurrency: 16,
  },
  gcs: {
    createOnce: 'look',
    atomicWithVersions: false,
    sendsCondition: false,
    checksum: 'metadata',
    bulkDelete: false,
    forcePathStyle: true,
    region: 'auto',
    endpoint: 'https://storage.googleapis.com',
    storageClasses: ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'],
    maxConcurrency: 16,
  },
  ceph: {
    createOnce: 'atomic',
    atomicWithVersions: false,
    sendsCondition: true,
    checksum: 'metadata',
    bulkDelete: true,
    forcePathStyle: true,
    region: 'us-east-1',
    maxConcurrency: 16,
  },
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
