/** Buckets of a test's own, and clients for them. */
import { randomBytes } from 'node:crypto'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { TestS3 } from './s3.ts'

export interface BucketOptions {
  /** Versions are kept, and objects can be locked. */
  readonly objectLock?: boolean
}

/** What a target or source for the bucket is made with. */
export interface S3Place {
  readonly bucket: string
  readonly endpoint: string
  readonly region: string
  readonly forcePathStyle: true
  readonly provider: 'ceph'
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

export interface TestBucket {
  readonly name: string
  readonly place: S3Place
  /** For looking at what lies there. Destroyed by `drop`. */
  readonly client: S3Client
  /** Removes all that is in it, locked or not, and the bucket. */
  drop(): Promise<void>
}

export function s3Client(server: TestS3): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
}

/** A new, empty bucket of its own name. */
export async function testBucket(server: TestS3, options: BucketOptions = {}): Promise<TestBucket> {
  const name = `test-${process.pid}-${randomBytes(5).toString('hex')}`
  const client = s3Client(server)
  await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: options.objectLock ?? false }))
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  return {
    name,
    client,
    place: { bucket: name, endpoint, region, forcePathStyle: true, provider: 'ceph', credentials },
    async drop() {
      // A policy of the test may forbid what follows.
      await client.send(new DeleteBucketPolicyCommand({ Bucket: name })).catch(() => {})
      await emptyBucket(client, name)
      await client.send(new DeleteBucketCommand({ Bucket: name }))
      client.destroy()
    },
  }
}

/** Takes out all versions of all objects. */
export async function emptyBucket(client: S3Client, Bucket: string): Promise<void> {
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }))
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
    if (Objects.length === 0) return
    const Delete = { Objects, Quiet: true }
    const { Errors = [] } = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete, BypassGovernanceRetention: true }),
    )
    if (Errors.length > 0) throw new Error(`the bucket ${Bucket} cannot be emptied: ${Errors[0]?.Code}`)
  }
}
