/** What doctor() says of buckets, asked of a real gateway; of what one cannot be made to do, a client with made-up answers. */
import {
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefixed } from '../../../src/index.ts'
import { type S3Options, s3Target } from '../../../src/targets/s3/index.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type BucketOptions, type TestBucket, testBucket } from '../../servers/s3-bucket.ts'
import { codesOf, examine, the, unusual, wellFormed } from './support.ts'

let server: TestS3
const buckets: TestBucket[] = []
const never = new AbortController().signal

beforeAll(async () => {
  server = await startS3()
}, 180_000)
afterAll(async () => {
  await Promise.all(buckets.map((bucket) => bucket.drop()))
  await server.stop()
})

async function bucketOf(options: BucketOptions = {}): Promise<TestBucket> {
  const bucket = await testBucket(server, options)
  buckets.push(bucket)
  return bucket
}

async function rule({ client, name }: TestBucket, ...Rules: Partial<LifecycleRule>[]): Promise<void> {
  const full = Rules.map((one, at) => ({
    ID: `rule-${at}`,
    Status: 'Enabled' as const,
    Filter: { Prefix: '' },
    ...one,
  }))
  await client.send(
    new PutBucketLifecycleConfigurationCommand({ Bucket: name, LifecycleConfiguration: { Rules: full } }),
  )
}

const look = async ({ place }: TestBucket, over: Partial<S3Options> = {}) =>
  wellFormed(await s3Target({ ...place, prefix: 'prod', ...over }).doctor!({ signal: never }))

describe('a bucket', () => {
  it('without rules has no finding, as a whole', async () => {
    const { place } = await bucketOf()
    expect(unusual(await examine({ target: s3Target(place), cache: 'none' }))).toEqual([])
  })

  it('whose rules expire the repository, all or a part of it', async () => {
    const bucket = await bucketOf()
    await rule(bucket, { Expiration: { Days: 30 } })
    const finding = the('S3_EXPIRY_RULE', await look(bucket))
    expect(finding).toMatchObject({ severity: 'error', details: { rule: 'rule-0', when: 'after 30 days' } })
    expect(codesOf(await examine({ target: s3Target(bucket.place), cache: 'none' }))).toContain('S3_EXPIRY_RULE')
    await rule(bucket, { Filter: { Prefix: 'prod/packs/' }, Expiration: { Days: 1 } })
    expect(codesOf(await look(bucket))).toEqual(['S3_EXPIRY_RULE'])
    await rule(
      bucket,
      { Filter: { Prefix: 'logs/' }, Expiration: { Days: 1 } },
      { Expiration: { Days: 1 }, Status: 'Disabled' },
    )
    expect(await look(bucket)).toEqual([])
    await rule(bucket, { Filter: { Tag: { Key: 'kind', Value: 'scratch' } }, Expiration: { Days: 1 } })
    expect(await look(bucket)).toEqual([])
    expect(codesOf(await look(bucket, { tags: { kind: 'scratch' } }))).toEqual(['S3_EXPIRY_RULE'])
  })

  it('is looked at for the part that a prefix leaves of it', async () => {
    const bucket = await bucketOf()
    await rule(bucket, { Filter: { Prefix: 'prod/tenants/7/' }, Expiration: { Days: 1 } })
    const of = async (tenant: string) =>
      codesOf(
        await prefixed(s3Target({ ...bucket.place, prefix: 'prod' }), `tenants/${tenant}`).doctor!({ signal: never }),
      )
    expect(await of('7')).toEqual(['S3_EXPIRY_RULE'])
    expect(await of('77')).toEqual([])
  })

  it('that keeps versions without end', async () => {
    const bucket = await bucketOf()
    const { client, name: Bucket } = bucket
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    expect(the('S3_VERSIONS_KEPT', await look(bucket)).severity).toBe('warning')
    await rule(bucket, { NoncurrentVersionExpiration: { NoncurrentDays: 7 } })
    expect(await look(bucket)).toEqual([])
  })

  it('with Object Lock, or without where it is wanted', async () => {
    expect(the('S3_LOCK_MISSING', await look(await bucketOf(), { objectLockDays: 3 })).severity).toBe('error')
    const locked = await bucketOf({ objectLock: true })
    await rule(locked, { NoncurrentVersionExpiration: { NoncurrentDays: 7 } })
    expect(await look(locked)).toEqual([])
    expect(the('S3_OBJECT_LOCK', await look(locked, { objectLockDays: 3 })).details).toMatchObject({ days: 3 })
    const DefaultRetention = { Mode: 'GOVERNANCE', Days: 9 } as const
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention } } as const
    await locked.client.send(new PutObjectLockConfigurationCommand({ Bucket: locked.name, ObjectLockConfiguration }))
    const finding = the('S3_OBJECT_LOCK', await look(locked))
    expect(finding.details).toMatchObject({ days: 9, mode: 'GOVERNANCE' })
  })
})

describe('a store', () => {
  const answering = (answer: (name: string) => object) => {
    const send = async (command: object) => answer(command.constructor.name)
    return s3Target({ bucket: 'b', provider: 'aws', client: { send, destroy() {} } as never })
  }
  const failing = (name: string, httpStatusCode: number) =>
    answering(() => {
      throw Object.assign(new Error('no'), { name, $metadata: { httpStatusCode, requestId: 'r' } })
    })

  it('that archives', async () => {
    const Rules = [{ ID: 'cold', Status: 'Enabled', Filter: {}, Transitions: [{ Days: 9, StorageClass: 'GLACIER' }] }]
    const target = answering((name) => (name.includes('Lifecycle') ? { Rules } : {}))
    expect(the('S3_ARCHIVE_RULE', wellFormed(await target.doctor!({ signal: never }))).severity).toBe('error')
  })

  it('that says nothing of rules, or not to everybody, or fails', async () => {
    const denied = wellFormed(await failing('AccessDenied', 403).doctor!({ signal: never }))
    expect(the('S3_RULES_UNKNOWN', denied)).toMatchObject({ severity: 'info', details: { bucket: 'b' } })
    expect(the('S3_RULES_UNKNOWN', denied).fix).toContain('s3:GetLifecycleConfiguration')
    expect(await failing('NotImplemented', 501).doctor!({ signal: never })).toEqual([])
    await expect(failing('NoSuchBucket', 404).doctor!({ signal: never })).rejects.toMatchObject({
      code: 'TARGET_NOT_FOUND',
    })
    await expect(failing('SlowDown', 503).doctor!({ signal: never })).rejects.toMatchObject({ retryable: true })
  })
})
