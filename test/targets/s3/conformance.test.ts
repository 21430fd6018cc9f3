import { afterAll, beforeAll, describe, it } from 'vitest'
import { s3Target } from '../../../src/targets/s3/index.ts'
import { targetConformance } from '../../../src/testing/index.ts'
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

describe('a bucket of Ceph', () => {
  targetConformance({ describe, it }, { create: () => s3Target({ ...bucket.place }) })
})

describe('a prefix, of a store that is not known', () => {
  targetConformance(
    { describe, it },
    {
      create: () => s3Target({ ...bucket.place, prefix: 'some/where', provider: 'generic', createOnce: true }),
      profile: 'quick',
    },
  )
})
