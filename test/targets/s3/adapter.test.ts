/** What no real gateway does on demand: a client whose answers are the test's. And options, and what requests carry. */
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Target } from '../../../src/index.ts'
import { type S3Options, s3Target } from '../../../src/targets/s3/index.ts'

interface Sent {
  name: string
  input: Record<string, unknown>
}
type Answer = (sent: Sent) => unknown

/** Answers each command in turn; the last answer for all that follow. */
function withAnswers(answers: readonly Answer[], over: Partial<S3Options> = {}): { target: Target; sent: Sent[] } {
  const sent: Sent[] = []
  const client = {
    async send(command: { input: Record<string, unknown>; constructor: { name: string } }) {
      const one = { name: command.constructor.name.replace('Command', ''), input: command.input }
      sent.push(one)
      // Every store says it of objects, and of its answers.
      const said = { ETag: '"etag"', $metadata: { requestId: 'r1' } }
      return { ...said, ...(answers[Math.min(sent.length, answers.length) - 1]!(one) as object) }
    },
    destroy() {
      throw new Error('a client that was given is not to be destroyed')
    },
  }
  return { target: s3Target({ bucket: 'bucket', client, provider: 'aws', ...over }), sent }
}

/** As the SDK throws: an error with the store's code, the status and the headers. */
function failure(name: string, status?: number, headers: Record<string, string> = {}, attempts = 1): Answer {
  return () => {
    const $metadata = { ...(status !== undefined && { httpStatusCode: status }), attempts }
    throw Object.assign(new Error('said the store'), { name, $metadata, $response: { statusCode: status, headers } })
  }
}
const body = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text))
const sending = (text: string, over: object = {}): Answer => {
  return () => ({ Body: Readable.from([Buffer.from(text)]), ContentLength: text.length, ...over })
}
const listed = async (target: Target): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of target.list('')) keys.push(key)
  return keys
}
const page = (keys: readonly string[], NextContinuationToken?: string): Answer => {
  const IsTruncated = NextContinuationToken !== undefined
  return () => ({ Contents: keys.map((Key) => ({ Key, Size: 1 })), IsTruncated, NextContinuationToken })
}

describe('errors of stores', () => {
  it.each([
    ['SlowDown', 503, { 'retry-after': '7' }, { code: 'TARGET_THROTTLED', retryable: true, ms: 7000 }],
    ['ServiceUnavailable', 503, {}, { code: 'TARGET_THROTTLED', retryable: true }],
    ['Unknown', 429, { 'retry-after': '100000' }, { code: 'TARGET_THROTTLED', retryable: true, ms: 60_000 }],
    ['InternalError', 500, {}, { code: 'TARGET_UNREACHABLE', retryable: true }],
    ['Unknown', 502, {}, { code: 'TARGET_UNREACHABLE', retryable: true }],
    ['TimeoutError', undefined, {}, { code: 'TARGET_UNREACHABLE', retryable: true }],
    ['ConditionalRequestConflict', 409, {}, { code: 'TARGET_UNREACHABLE', retryable: true }],
    ['BadDigest', 400, {}, { code: 'TARGET_PROTOCOL', retryable: true }],
    ['XAmzContentSHA256Mismatch', 400, {}, { code: 'TARGET_PROTOCOL', retryable: true }],
    ['NotImplemented', 501, {}, { code: 'UNSUPPORTED', retryable: false }],
    ['Unknown', 507, {}, { code: 'TARGET_FULL', retryable: false }],
    ['ExpiredToken', 400, {}, { code: 'TARGET_AUTH', retryable: false }],
    ['PermanentRedirect', 301, { 'x-amz-bucket-region': 'eu-west-1' }, { code: 'TARGET_NOT_FOUND', retryable: false }],
    ['InvalidObjectState', 403, {}, { code: 'TARGET_DENIED', retryable: false }],
    ['EntityTooLarge', 400, {}, { code: 'TARGET_PROTOCOL', retryable: false }],
  ] as const)('%s with status %s', async (name, status, headers, expected) => {
    const { ms, ...shape } = { ms: undefined, ...expected }
    const { target } = withAnswers([failure(name, status, headers)])
    const error = await target.put('a', body('x')).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ origin: 'target', ...shape })
    expect((error as { details: Record<string, unknown> }).details.retryAfterMs).toBe(ms)
  })

  it('are named for each key of a delete of many, the worst first', async () => {
    const Errors = [
      { Key: 'a', Code: 'NoSuchKey' },
      { Key: 'b', Code: 'SlowDown' },
      { Key: 'c', Code: 'AccessDenied', Message: 'Access Denied because object protected by object lock.' },
    ]
    const { target } = withAnswers([() => ({ Errors })])
    await expect(target.delete(['a', 'b', 'c'])).rejects.toMatchObject({
      code: 'TARGET_DENIED',
      message: expect.stringContaining('locked by a retention rule'),
      details: { failed: 2, keys: ['b', 'c'] },
    })
  })

  it('of a mistake in the code are not taken for the store', async () => {
    const broken = (): never => {
      throw new TypeError('broken')
    }
    const { target } = withAnswers([broken])
    await expect(target.get('a')).rejects.toMatchObject({ code: 'INTERNAL', retryable: false })
  })
})

describe('put', () => {
  it('resolves false only where the condition failed at the first attempt', async () => {
    const { target } = withAnswers([failure('PreconditionFailed', 412)])
    expect(await target.put('a', body('x'), { ifAbsent: true })).toBe(false)
    await expect(target.put('a', body('x'))).rejects.toMatchObject({ code: 'TARGET_PROTOCOL' })
    const again = withAnswers([failure('PreconditionFailed', 412, {}, 2)])
    const unknown = { code: 'TARGET_UNREACHABLE', retryable: true, hint: expect.stringContaining('maxAttempts') }
    await expect(again.target.put('a', body('x'), { ifAbsent: true })).rejects.toMatchObject(unknown)
  })

  it('carries what the options say, for packs alone where they say so', async () => {
    const { target, sent } = withAnswers([() => ({})], {
      prefix: 'prod',
      storageClass: 'STANDARD_IA',
      serverSideEncryption: { kmsKeyId: 'key' },
      objectLockDays: 7,
      objectLockMode: 'compliance',
      tags: { app: 'a & b+c' },
    })
    await target.put('packs/aa/x', body('pack'), { ifAbsent: true })
    await target.put('index/x', body('index'))
    const all = {
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'key',
      Tagging: 'app=a%20%26%20b%2Bc',
      ContentLength: 4,
    }
    const sums = {
      ChecksumSHA256: expect.stringMatching(/=$/),
      Metadata: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    }
    const pack = { Key: 'prod/packs/aa/x', IfNoneMatch: '*', StorageClass: 'STANDARD_IA', ObjectLockMode: 'COMPLIANCE' }
    expect(sent[0]).toMatchObject({ name: 'PutObject', input: { ...all, ...sums, ...pack } })
    expect(sent[1]?.input).toMatchObject({ ...all, ContentLength: 5, Key: 'prod/index/x' })
    for (const only of ['StorageClass', 'ObjectLockMode', 'IfNoneMatch'])
      expect(sent[1]?.input).not.toHaveProperty(only)
  })

  it('looks first where conditions are not kept, and sends none where they are refused', async () => {
    const there = withAnswers([() => ({ ContentLength: 1 })], { provider: 'b2', endpoint: 'https://b2.example' })
    expect(there.target.traits.createOnly).toBe(false)
    expect(await there.target.put('a', body('x'), { ifAbsent: true })).toBe(false)
    expect(there.sent.map(({ name }) => name)).toEqual(['HeadObject'])
    const missing = withAnswers([failure('NotFound', 404), failure('NoSuchKey', 404), () => ({})], { provider: 'gcs' })
    expect(await missing.target.put('a', body('x'), { ifAbsent: true })).toBe(true)
    expect(missing.sent.map(({ name }) => name)).toEqual(['HeadObject', 'GetObject', 'PutObject'])
    expect(missing.sent[2]?.input).not.toHaveProperty('IfNoneMatch')
  })
})

describe('a store of which nobody has said whether it keeps conditions', () => {
  const generic = { provider: 'generic', endpoint: 'https://store.example' } as const
  const absent = [failure('NotFound', 404), failure('NoSuchKey', 404)]
  const names = (sent: readonly Sent[]) => sent.map(({ name }) => name)

  it('is asked by the first record, once; then it is believed', async () => {
    const taken = failure('PreconditionFailed', 412)
    const { target, sent } = withAnswers([...absent, () => ({}), taken], generic)
    expect(target.traits.createOnly).toBe(false)
    expect(await target.put('config/00000001', body('x'), { ifAbsent: true })).toBe(true)
    expect(sent.slice(2).map(({ input }) => input.IfNoneMatch)).toEqual(['*', '*'])
    expect(target.traits.createOnly).toBe(true)
    expect(await target.put('snapshots/x', body('x'), { ifAbsent: true })).toBe(false)
    expect(names(sent).slice(2)).toEqual(['PutObject', 'PutObject', 'PutObject'])
  })

  it('is not believed if it ignores them, and never asked with a commit', async () => {
    const { target, sent } = withAnswers([...absent, () => ({}), ...absent, () => ({ VersionId: 'v1' })], generic)
    expect(await target.put('snapshots/x', body('x'), { ifAbsent: true })).toBe(true)
    expect(names(sent)).toEqual(['HeadObject', 'GetObject', 'PutObject'])
    expect(await target.put('runs/x', body('x'), { ifAbsent: true })).toBe(true)
    expect(target.traits.createOnly).toBe(false)
    expect(await target.put('runs/y', body('x'), { ifAbsent: true })).toBe(false)
    expect(names(sent).slice(3)).toEqual(
      ['HeadObject', 'PutObject', 'PutObject', 'HeadObject'].toSpliced(1, 0, 'GetObject'),
    )
  })
})

describe('get', () => {
  const range = { start: 2, end: 5 }
  it.each([
    ['another range', sending('234', { ContentRange: 'bytes 1-3/10' }), true],
    ['all of it', sending('0123456789'), true],
    ['fewer bytes than it said', sending('23', { ContentLength: 3, ContentRange: 'bytes 2-4/10' }), true],
    ['more bytes than it said', sending('2345', { ContentLength: 3, ContentRange: 'bytes 2-4/10' }), true],
    ['a shorter object', sending('23', { ContentRange: 'bytes 2-3/4' }), false],
  ])('of a range refuses %s', async (_, answer, retryable) => {
    const { target } = withAnswers([answer])
    await expect(target.get('a', { range })).rejects.toMatchObject({ code: 'TARGET_PROTOCOL', retryable })
  })

  it('gives pieces of a range as they come, each in a buffer of its own, and leaves out what is between them', async () => {
    const given: [number, string, number][] = []
    const parts = ['23', '456', '7', '89'].map((text) => Buffer.from(text))
    const answer: Answer = () => ({ Body: Readable.from(parts), ContentLength: 8, ContentRange: 'bytes 2-9/10' })
    const { target } = withAnswers([answer])
    const places = [
      { start: 0, end: 1 },
      { start: 1, end: 4 },
      { start: 6, end: 8 },
    ]
    const take = (piece: number, bytes: Uint8Array): void => {
      given.push([piece, Buffer.from(bytes).toString(), bytes.buffer.byteLength])
    }
    const rest = await target.get('a', { range: { start: 2, end: 10 }, pieces: { places, take } })
    expect(rest).toHaveLength(0)
    expect(given).toEqual([
      [0, '2', 1],
      [1, '345', 3],
      [2, '89', 2],
    ])
    // The client was given, and may keep what it hands out.
    expect(parts.map(String)).toEqual(['23', '456', '7', '89'])
  })

  it('asks for a range in bytes, for an empty one only for the size, and checks the digest of a whole', async () => {
    const { target, sent } = withAnswers([
      sending('234', { ContentRange: 'bytes 2-4/10' }),
      () => ({ ContentLength: 10, ETag: '"e"' }),
    ])
    expect(Buffer.from(await target.get('a', { range })).toString()).toBe('234')
    expect(await target.get('a', { range: { start: 4, end: 4 } })).toHaveLength(0)
    expect(sent.map(({ input }) => input.Range)).toEqual(['bytes=2-4', undefined])
    const bent = withAnswers([sending('abc', { Metadata: { sha256: '0'.repeat(64) } })])
    await expect(bent.target.get('a')).rejects.toMatchObject({ code: 'TARGET_PROTOCOL', retryable: true })
  })
})

describe('list', () => {
  it('drops rows that come again, and what consoles leave', async () => {
    const { target, sent } = withAnswers([page(['a', 'b', 'b', 'folder/'], '1'), page(['b', 'c'])])
    expect(await listed(target)).toEqual(['a', 'b', 'c'])
    expect(sent.map(({ input }) => input.ContinuationToken)).toEqual([undefined, '1'])
  })

  it('gives up a store that goes round in circles, has no way on, or lists what was not asked for', async () => {
    for (const { target } of [
      withAnswers([page(['a'], '1'), page(['b'], '2'), page(['c'], '1')]),
      withAnswers([page(['a'], '')]),
      withAnswers([page(['x'])], { prefix: 'prod' }),
    ]) {
      await expect(listed(target)).rejects.toMatchObject({ code: 'TARGET_PROTOCOL' })
    }
  })
})

describe('delete', () => {
  it('asks for at most 1000 at once, each key once', async () => {
    const { target, sent } = withAnswers([() => ({})])
    await target.delete([...Array.from({ length: 2001 }, (_, i) => `k${i}`), 'k0'])
    const sizes = sent.map(({ name, input }) => [name, (input.Delete as { Objects: [] } | undefined)?.Objects.length])
    expect(sizes).toEqual([
      ['DeleteObjects', 1000],
      ['DeleteObjects', 1000],
      ['DeleteObject', undefined],
    ])
  })

  it('goes one by one where a store cannot do many', async () => {
    const { target, sent } = withAnswers([failure('MissingContentMD5', 400), () => ({})])
    await target.delete(['a', 'b'])
    await target.delete(['c', 'd'])
    expect(sent.map(({ name }) => name)).toEqual(['DeleteObjects', ...Array(4).fill('DeleteObject')])
  })
})

describe('options', () => {
  const bucket = 'bucket'
  it.each<[string, object]>([
    ['bucket', {}],
    ['bucket', { bucket: '' }],
    ['unknown', { bucket, unknown: 1 }],
    ['region', { bucket, region: undefined }],
    ['endpoint', { bucket, provider: 'r2' }],
    ['endpoint', { bucket, endpoint: 'ftp://host' }],
    ['storageClass', { bucket, storageClass: 'DEEP_ARCHIVE' }],
    ['objectLockMode', { bucket, objectLockMode: 'compliance' }],
    ['provider', { bucket, provider: 'azure' }],
    ['prefix', { bucket, prefix: '/absolute' }],
    ['tags', { bucket, tags: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`t${i}`, ''])) }],
    ['credentials', { bucket, credentials: { accessKeyId: 'a' } }],
  ])('are refused by name: %s', (name, options) => {
    expect(() => s3Target(options as S3Options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => s3Target(options as S3Options)).toThrow(name)
  })

  it('of a provider are traits, unless probe knows better', () => {
    const traits = (over: Partial<S3Options>) => s3Target({ bucket, ...over }).traits
    expect(traits({})).toMatchObject({ createOnly: true, maxConcurrency: 16, checksums: 'sha256', remote: true })
    const endpoint = 'https://s3.example.com'
    expect(traits({ endpoint })).toMatchObject({ createOnly: false, maxConcurrency: 8 })
    expect(traits({ endpoint, createOnce: true, maxConcurrency: 3 })).toMatchObject({
      createOnly: true,
      maxConcurrency: 3,
    })
  })
})
