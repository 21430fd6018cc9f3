/** What a real gateway refuses, and what each refusal is called. */
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe, type Target } from '../../../src/index.ts'
import { type S3Options, s3Target } from '../../../src/targets/s3/index.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'

let server: TestS3
let bucket: TestBucket
const body = new Uint8Array(100)

beforeAll(async () => {
  server = await startS3()
  bucket = await testBucket(server)
  await at().put('packs/aa/x', body)
}, 200_000)
afterAll(async () => {
  await bucket?.drop()
  await server?.stop()
})

const at = (over: Partial<S3Options> = {}): Target => s3Target({ ...bucket.place, ...over })
const listed = async (target: Target): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of target.list('')) keys.push(key)
  return keys
}
const CALLS: Readonly<Record<string, (target: Target) => Promise<unknown>>> = {
  put: (target) => target.put('a', body),
  create: (target) => target.put('b', body, { ifAbsent: true }),
  get: (target) => target.get('packs/aa/x'),
  stat: (target) => target.stat('packs/aa/x'),
  list: listed,
  delete: (target) => target.delete(['a']),
  'delete two': (target) => target.delete(['a', 'b']),
}

describe('a gateway that refuses every call', () => {
  const SECRET = 'x'.repeat(40)
  const cases: readonly [string, () => Partial<S3Options>, object][] = [
    [
      'does not know the key',
      () => ({ credentials: { accessKeyId: 'nobody', secretAccessKey: SECRET } }),
      { code: 'TARGET_AUTH', details: { s3Code: 'InvalidAccessKeyId', status: 403 } },
    ],
    [
      'finds the secret wrong',
      () => ({ credentials: { accessKeyId: server.accessKeyId, secretAccessKey: SECRET } }),
      { code: 'TARGET_AUTH', details: { s3Code: 'SignatureDoesNotMatch' } },
    ],
    [
      'has no such bucket',
      () => ({ bucket: 'there-is-no-such-bucket' }),
      { code: 'TARGET_NOT_FOUND', details: { bucket: 'there-is-no-such-bucket' } },
    ],
    [
      'is not there',
      () => ({ endpoint: 'http://127.0.0.1:9' }),
      { code: 'TARGET_UNREACHABLE', retryable: true, details: { s3Code: 'ECONNREFUSED' } },
    ],
    ['has no name', () => ({ endpoint: 'http://gateway.invalid' }), { code: 'TARGET_UNREACHABLE', retryable: true }],
  ]
  it.each(cases)('that %s says so, and no secret', async (_, over, expected) => {
    for (const [name, call] of Object.entries(CALLS)) {
      const error = await call(at(over())).then(
        () => undefined,
        (reason: Error) => reason,
      )
      expect(error, name).toMatchObject({ name: 'BackupError', origin: 'target', retryable: false, ...expected })
      expect(`${error?.stack} ${JSON.stringify(error)} ${error?.cause}`).not.toContain(SECRET)
    }
  })

  it('says that the clock is wrong, and takes the next call with the time that it told', async () => {
    const target = at({ systemClockOffset: -3_600_000 })
    const skewed = { code: 'TARGET_AUTH', retryable: true, hint: expect.stringContaining('clock') }
    await expect(target.put('a', body)).rejects.toMatchObject({
      ...skewed,
      details: { s3Code: 'RequestTimeTooSkewed' },
    })
    expect(await target.put('a', body)).toBe(true)
  })
})

describe('a policy that forbids', () => {
  const forbid = async (...Action: string[]): Promise<void> => {
    const Resource = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`]
    const Statement = [{ Effect: 'Deny', Principal: '*', Action, Resource }]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy }))
  }
  it.each([
    ['s3:PutObject', ['put', 'create']],
    ['s3:GetObject', ['get', 'stat']],
    ['s3:ListBucket', ['list']],
    ['s3:DeleteObject', ['delete', 'delete two']],
  ])('%s is TARGET_DENIED for exactly that', async (action, calls) => {
    await forbid(action)
    const target = at()
    for (const [name, call] of Object.entries(CALLS)) {
      if (!calls.includes(name)) await call(target)
      else await expect(call(target), name).rejects.toMatchObject({ code: 'TARGET_DENIED', retryable: false })
    }
  })

  it('deletes is found out by the probe', async () => {
    await forbid('s3:DeleteObject')
    const target = at()
    const report = await probe(target)
    expect(report.ok).toBe(false)
    expect(report.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['delete', 'clean up'])
  })
})

describe('a bucket with Object Lock', () => {
  let locked: TestBucket
  beforeAll(async () => {
    locked = await testBucket(server, { objectLock: true })
  })
  afterAll(() => locked?.drop())

  it('keeps packs from being deleted for good, and nothing else', async () => {
    const target = s3Target({ ...locked.place, objectLockDays: 2 })
    await target.put('packs/aa/x', body)
    await target.put('index/x', body)
    const { GetObjectRetentionCommand } = await import('@aws-sdk/client-s3')
    const retention = async (Key: string) =>
      (await locked.client.send(new GetObjectRetentionCommand({ Bucket: locked.name, Key }))).Retention
    const { Mode, RetainUntilDate } = (await retention('packs/aa/x'))!
    expect(Mode).toBe('GOVERNANCE')
    expect(RetainUntilDate!.getTime() - Date.now()).toBeGreaterThan(1.9 * 24 * 3_600_000)
    await expect(retention('index/x')).rejects.toThrow()
    await target.delete(['packs/aa/x', 'index/x'])
    expect(await listed(target)).toEqual([])
  })

  it('is not said to create once where its store ignores the condition for versions', async () => {
    const target = s3Target({ ...locked.place, prefix: 'once' })
    expect(target.traits.createOnly).toBe(true)
    expect(await target.put('config/1', body, { ifAbsent: true })).toBe(true)
    expect(target.traits.createOnly).toBe(false)
    expect(await target.put('config/1', new Uint8Array(3), { ifAbsent: true })).toBe(false)
    expect((await target.stat('config/1'))?.size).toBe(100)
    expect(await probe(target)).toMatchObject({ ok: true, traits: { createOnly: false } })
  })
})

describe('a quota', () => {
  it('that is used up is TARGET_FULL', async () => {
    const own = server.admin ? undefined : await startS3({ own: true })
    const admin = (server.admin ?? own!.admin)!
    const full = await testBucket(own ?? server)
    await admin(['quota', 'set', '--quota-scope=bucket', `--bucket=${full.name}`, '--max-objects=3'])
    await admin(['quota', 'enable', '--quota-scope=bucket', `--bucket=${full.name}`])
    const target = s3Target({ ...full.place })
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) await target.put(`key-${i}`, body)
    }
    await expect(fill()).rejects.toMatchObject({ code: 'TARGET_FULL', details: { s3Code: 'QuotaExceeded' } })
    await full.drop()
    await own?.stop()
  }, 200_000)
})
