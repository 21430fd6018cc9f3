/** Targets in a bucket for suites that make memory targets: each below a prefix of its own. */
import { afterAll, beforeAll } from 'vitest'
import { s3Target } from '../../../src/targets/s3/index.ts'
import { type Target, wrapTarget } from '../../../src/targets/target.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'

let bucket: TestBucket
let targets = 0

/** To be called once in a file, outside of every `describe`. */
export function useBucket(): void {
  let server: TestS3
  beforeAll(async () => {
    server = await startS3()
    bucket = await testBucket(server)
  }, 200_000)
  afterAll(async () => {
    await bucket?.drop()
    await server?.stop()
  }, 60_000)
}

/** `objects` has what the bucket said that it took, so that suites can look at its keys. */
export function bucketTarget(): Target & { objects: Map<string, Uint8Array> } {
  const target = s3Target({ ...bucket.place, prefix: `repository-${targets++}` })
  const objects = new Map<string, Uint8Array>()
  return wrapTarget(target, {
    objects,
    async put(key, body, options) {
      const put = await target.put(key, body, options)
      if (put) objects.set(key, body)
      return put
    },
    async delete(keys, options) {
      await target.delete(keys, options)
      for (const key of keys) objects.delete(key)
    },
  })
}
