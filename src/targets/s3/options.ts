/** Options of a target, parsed once. */
import { z } from 'zod'
import {
  connectionShape,
  invalidOption,
  type S3ConnectionOptions,
  type S3ConnectionSettings,
  settleConnection,
} from '../../s3/options.ts'
import { checkPlace, parseOptions } from '../checks.ts'

export interface S3UploadProgress {
  key: string
  sentBytes: number
  totalBytes: number
}

export interface S3Options extends S3ConnectionOptions {
  /** Of packs, which are nearly all bytes; records stay in the bucket's default. Must be readable at once. */
  storageClass?: string
  /** By the store, beside the encryption of Holdfast: with its own keys, or with one of AWS KMS. */
  serverSideEncryption?: 'AES256' | { kmsKeyId: string }
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

const text = z.string().min(1)

const optionsSchema = z.strictObject({
  ...connectionShape,
  storageClass: text.optional(),
  serverSideEncryption: z.union([z.literal('AES256'), z.strictObject({ kmsKeyId: text })]).optional(),
  objectLockDays: z.int().min(1).max(36_500).optional(),
  objectLockMode: z.enum(['governance', 'compliance']).optional(),
  tags: z.record(text.max(128), z.string().max(256)).optional(),
  createOnce: z.boolean().optional(),
  bytesPerSecond: z.number().positive().optional(),
  onUploadProgress: z.function().optional(),
})

export interface S3TargetSettings extends S3ConnectionSettings {
  readonly createOnce: boolean
}

/** @throws BackupError INVALID_OPTIONS */
export function settleTarget(options: S3Options): S3TargetSettings {
  parseOptions('s3Target', optionsSchema, options)
  const connection = settleConnection('s3Target', options)
  checkPlace(connection.prefix)
  const { storageClass, objectLockMode, objectLockDays, tags = {} } = options
  const { storageClasses, createOnce } = connection.preset
  if (storageClass !== undefined && storageClasses?.includes(storageClass) === false) {
    throw invalidOption('s3Target', 'storageClass', `must be one of ${storageClasses.join(', ')}: readable at once`)
  }
  if (objectLockMode !== undefined && objectLockDays === undefined) {
    throw invalidOption('s3Target', 'objectLockMode', 'needs objectLockDays')
  }
  if (Object.keys(tags).length > 10) throw invalidOption('s3Target', 'tags', 'must be at most 10')
  return { ...connection, createOnce: options.createOnce ?? createOnce === 'atomic' }
}
