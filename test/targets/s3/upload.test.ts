/** Bytes on their way to a real gateway: progress, aborts, time-outs, credentials that end. */
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256Hex } from '../../../src/crypto/hash.ts'
import { retrying } from '../../../src/index.ts'
import { type S3UploadProgress, s3Target } from '../../../src/targets/s3/index.ts'
import { noise } from '../../engine/browse/browse-fixture.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'

let server: TestS3
let bucket: TestBucket

beforeAll(async () => {
  server = await startS3()
  bucket = await testBucket(server)
}, 200_000)
afterAll(async () => {
  await bucket?.drop()
  await server?.stop()
})

const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)

describe('an upload', () => {
  it('tells each byte as it goes, and arrives whole', async () => {
    const seen: S3UploadProgress[] = []
    const target = s3Target({ ...bucket.place, onUploadProgress: (progress) => seen.push(progress) })
    const body = owned(noise(3_000_001, 1))
    expect(await target.put('packs/aa/x', body, { ifAbsent: true })).toBe(true)
    expect(Buffer.compare(await target.get('packs/aa/x'), body)).toBe(0)
    const sent = seen.map(({ sentBytes }) => sentBytes)
    expect(sent).toEqual(sent.toSorted((a, b) => a - b))
    expect(sent).toHaveLength(Math.ceil(body.byteLength / 65_536))
    expect(seen.at(-1)).toEqual({ key: 'packs/aa/x', sentBytes: body.byteLength, totalBytes: body.byteLength })
    await target.put('empty', new Uint8Array(0))
    expect((await target.stat('empty'))?.size).toBe(0)
    await target.close()
  })

  it('is refused by the store where the bytes are not those of the digest', async () => {
    const body = owned(noise(100_000, 2))
    // After the digest is made, as the body goes.
    const onUploadProgress = (): void => void body.fill(0)
    const target = s3Target({ ...bucket.place, onUploadProgress })
    const damaged = { code: 'TARGET_PROTOCOL', retryable: true, details: { s3Code: 'XAmzContentSHA256Mismatch' } }
    await expect(target.put('bent', body)).rejects.toMatchObject(damaged)
    expect(await target.stat('bent')).toBeUndefined()
  })

  it('with a digest that is known already is kept only where the bytes have it', async () => {
    const body = owned(noise(100_000, 8))
    const target = s3Target(bucket.place)
    const damaged = { code: 'TARGET_PROTOCOL', retryable: true, details: { s3Code: 'XAmzContentSHA256Mismatch' } }
    const wrong = sha256Hex(body.subarray(1))
    await expect(target.put('known', body, { sha256: wrong })).rejects.toMatchObject(damaged)
    expect(await target.stat('known')).toBeUndefined()
    const sha256 = sha256Hex(body)
    // As the engine does: through a wrapper.
    expect(await retrying(target).put('known', body, { sha256 })).toBe(true)
    expect(await target.stat('known')).toMatchObject({ size: body.byteLength, checksum: sha256 })
    await target.close()
  })

  it('ends at once on abort, also while it waits for its turn', async () => {
    const controller = new AbortController()
    const target = s3Target({ ...bucket.place, maxConcurrency: 1, onUploadProgress: () => controller.abort('enough') })
    const puts = ['one', 'two'].map((key) => target.put(key, owned(noise(2_000_000, 3)), controller))
    for (const { reason } of (await Promise.allSettled(puts)) as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: 'ABORTED' })
    }
    expect(await target.stat('two')).toBeUndefined()
  })

  it('to a store that says nothing is given up after requestTimeoutMs', async () => {
    const mute = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await new Promise((resolve) => mute.once('listening', resolve))
    const { port } = mute.address() as { port: number }
    const target = s3Target({ ...bucket.place, endpoint: `http://127.0.0.1:${port}`, requestTimeoutMs: 300 })
    const began = performance.now()
    await expect(target.put('a', owned(noise(10, 4)))).rejects.toMatchObject({
      code: 'TARGET_UNREACHABLE',
      retryable: true,
    })
    expect(performance.now() - began).toBeLessThan(10_000)
    await target.close()
    mute.close()
  })
})

describe('credentials from a function', () => {
  it('are asked for once, and its failure is one that may pass', async () => {
    let calls = 0
    const credentials = async () => {
      calls++
      if (calls === 1) throw new Error('the vault sleeps')
      return bucket.place.credentials
    }
    const target = s3Target({ ...bucket.place, credentials })
    const asleep = {
      code: 'TARGET_AUTH',
      retryable: true,
      cause: { message: expect.stringContaining('the vault sleeps') },
    }
    await expect(target.put('c', owned(noise(10, 5)))).rejects.toMatchObject(asleep)
    const patient = retrying(target, { clock: { monotonicMs: () => 0, sleep: async () => {} } })
    await patient.put('c', owned(noise(10, 5)))
    await patient.put('d', owned(noise(10, 6)))
    expect(calls).toBe(2)
  })
})
