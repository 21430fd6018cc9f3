import { afterEach, describe, expect, it, vi } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import { s3Target } from '../../../src/targets/s3/index.ts'

vi.mock('@aws-sdk/client-s3', () => {
  throw Object.assign(new Error("Cannot find package '@aws-sdk/client-s3'"), { code: 'ERR_MODULE_NOT_FOUND' })
})

afterEach(() => vi.restoreAllMocks())

describe('a target in a bucket, without the package of AWS', () => {
  const options = {
    bucket: 'b',
    endpoint: 'http://127.0.0.1:9',
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
  }

  it('is made, and says with the first call what is missing and how to get it', async () => {
    const target = s3Target(options)
    const calls = [
      () => target.get('config/1'),
      () => target.put('config/1', new Uint8Array(1)),
      () => target.stat('config/1'),
      () => target.delete(['config/1']),
      () => target.list('config/')[Symbol.asyncIterator]().next(),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(BackupError.is(error) && error.code).toBe('PEER_MISSING')
      expect(error).toMatchObject({
        origin: 'usage',
        retryable: false,
        hint: 'npm install @aws-sdk/client-s3',
        details: { package: '@aws-sdk/client-s3' },
      })
    }
    await target.close()
  })
})
