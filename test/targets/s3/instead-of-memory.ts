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

/**
 * `objects` has what the bucket said that it took, so that suites can look at its keys. What they change there, as they would
 * damage a memory target, is changed in the bucket before the next call reaches it.
 */
export function bucketTarget(): Target & { objects: Map<string, Uint8Array> } {
  const target = s3Target({ ...bucket.place, prefix: `repository-${targets++}` })
  const objects = new Map<string, Uint8Array>()
  const stored = new Map<string, Uint8Array<ArrayBuffer>>()
  const settle = inTurn(async () => {
    for (const key of stored.keys()) {
      if (objects.has(key)) continue
      await target.delete([key])
      stored.delete(key)
    }
    for (const [key, body] of objects) {
      if (stored.has(key) && Buffer.compare(stored.get(key)!, body) === 0) continue
      await target.put(key, new Uint8Array(body))
      stored.set(key, new Uint8Array(body))
    }
  })
  return wrapTarget(target, {
    objects,
    async put(key, body, options) {
      await settle()
      const put = await target.put(key, body, options)
      if (put) {
        objects.set(key, new Uint8Array(body))
        stored.set(key, new Uint8Array(body))
      }
      return put
    },
    async get(key, options) {
      await settle()
      return target.get(key, options)
    },
    async stat(key, options) {
      await settle()
      return target.stat(key, options)
    },
    async *list(prefix, options) {
      await settle()
      yield* target.list(prefix, options)
    },
    async delete(keys, options) {
      await settle()
      await target.delete(keys, options)
      for (const key of keys) {
        objects.delete(key)
        stored.delete(key)
      }
    },
  })
}

function inTurn(body: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve()
  return () => {
    last = last.then(body)
    return last
  }
}
