/** The suites of the kit, on a real gateway. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { s3Sink, s3Source } from '../../../src/s3.ts'
import { type SinkSample, sinkConformance, sourceConformance } from '../../../src/testing/index.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'
import { keysOf, objectAt, openUploads, put } from './support.ts'

let server: TestS3
let bucket: TestBucket
let sinkBucket: TestBucket
let prefixes = 0

beforeAll(async () => {
  server = await startS3()
  bucket = await testBucket(server)
  sinkBucket = await testBucket(server)
  for (const key of ['a', 'a-b', 'a.b', 'a/b', 'a//c', 'é/ü', ' x', '..', 'dir/']) {
    await put(bucket, key, `content of ${key}`, { Metadata: { key: 'value' }, Tagging: 'tag=1' })
  }
  await put(bucket, 'empty', '')
  await put(bucket, 'large', new Uint8Array(3_000_000).fill(7))
}, 200_000)
afterAll(async () => {
  await bucket?.drop()
  await sinkBucket?.drop()
  await server?.stop()
})

describe('a bucket', () => {
  sourceConformance(
    { describe, it },
    {
      create: () => s3Source({ ...bucket.place, name: 'uploads', listPageSize: 3 }),
      async mutate() {
        await put(bucket, 'a-b', 'changed')
        await put(bucket, 'new', 'new')
      },
    },
  )
})

/** Nothing is listed that others have put beside it. */
const newSink = () => s3Sink({ ...sinkBucket.place, prefix: `run-${++prefixes}` })

describe('a bucket as a sink of trees', () => {
  sinkConformance({ describe, it }, { create: newSink })
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const facts = { s3: { etag: '"none"', contentType: 'text/x-test', metadata: { a: 'b' }, tags: { t: '1' } } }
const here = async (): Promise<string[]> => {
  const prefix = `run-${prefixes}/`
  return (await keysOf(sinkBucket)).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
}

describe('a bucket as a sink that pulls', () => {
  const contents = { 'a/!': 'itself', 'a/b': 'below', c: '', d: 'text' }
  const sample = (): SinkSample => ({
    facts: {},
    entries: Object.entries(contents).map(([path, content]) => ({
      entry: { path, type: 'file', size: content.length, facts },
      content: bytes(content),
    })),
    async isRestored() {
      expect(await here()).toEqual(['a', 'a/b', 'c', 'd'])
      const { ContentType, metadata, tags } = await objectAt(sinkBucket, `run-${prefixes}/d`)
      expect({ ContentType, metadata, tags }).toEqual({
        ContentType: 'text/x-test',
        metadata: { a: 'b' },
        tags: { t: '1' },
      })
    },
    async isEmpty() {
      expect(await here()).toEqual([])
      expect(await openUploads(sinkBucket)).toBe(0)
    },
  })
  sinkConformance({ describe, it }, { create: newSink, sample })
})
