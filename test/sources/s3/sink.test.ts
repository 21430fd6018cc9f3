/** Restores into buckets, by an engine and a real gateway. */
import { setTimeout as sleep } from 'node:timers/promises'
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { BackupEngine, Sink, Source } from '../../../src/index.ts'
import { type S3SinkOptions, s3Sink, s3Source } from '../../../src/s3.ts'
import { memorySource, testEngine } from '../../../src/testing/index.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'
import { counting, keysOf, objectAt, openUploads, put } from './support.ts'

let server: TestS3
let bucket: TestBucket
let other: TestBucket
let engine: BackupEngine

beforeAll(async () => {
  server = await startS3()
}, 200_000)
afterAll(async () => {
  await server?.stop()
})
beforeEach(async () => {
  bucket = await testBucket(server)
  other = await testBucket(server)
})
afterEach(async () => {
  await engine?.close()
  await bucket?.drop()
  await other?.drop()
})

const ODD = ['a', 'a/b', 'a//c', '/lead', 'dir/', '.', 'x/../y', 'a b+c%d', 'é/😀', '#', '!', 'tab\t']
const HEADERS = {
  ContentType: 'image/x',
  CacheControl: 'max-age=5',
  ContentDisposition: 'attachment; filename="x"',
  ContentEncoding: 'gzip',
  ContentLanguage: 'de',
  Expires: new Date('2031-02-03T04:05:06Z'),
  Metadata: { one: '1', two: 'zwei' },
  Tagging: 'project=x%20y&u=2',
}

async function fill(): Promise<void> {
  for (const key of ODD) await put(bucket, key, `content of ${key}`, HEADERS)
  await put(bucket, 'empty', '')
  await put(bucket, 'large', Buffer.alloc(11_000_001, 'large '), HEADERS)
}

async function backedUp(source: Source = s3Source({ ...bucket.place, name: 'up' })): Promise<void> {
  engine = await testEngine({ sources: [source] })
  await engine.backup()
}

const plan = (sink: Sink) => engine.planRestore({ snapshot: 'latest', to: { sinks: { up: sink } } })
const into = ({ place }: TestBucket, more: Partial<S3SinkOptions> = {}): Sink => s3Sink({ ...place, ...more })

async function restore(sink: Sink): Promise<void> {
  const made = await plan(sink)
  await engine.restore(made, made.destructive ? { confirm: made.digest } : {})
}

describe('a restore into another bucket', () => {
  it('is exact: keys of all kinds, bytes, headers, metadata and tags', async () => {
    await fill()
    await backedUp()
    const made = await plan(into(other))
    expect([made.destructive, made.totals.create.count]).toEqual([false, ODD.length + 2])
    await restore(into(other, { partBytes: 5 * 1024 * 1024 }))
    expect(await keysOf(other)).toEqual(await keysOf(bucket))
    for (const key of await keysOf(bucket)) {
      const [before, after] = [await objectAt(bucket, key), await objectAt(other, key)]
      expect(after, key).toEqual(before)
    }
    expect(await openUploads(other)).toBe(0)
  }, 30_000)

  it('below a prefix leaves the rest alone, and made again does nothing', async () => {
    await put(bucket, 'a', 'one')
    await put(other, 'a', 'mine')
    await put(other, 'p/z', 'mine')
    await backedUp()
    await restore(into(other, { prefix: 'p' }))
    expect(await keysOf(other)).toEqual(['a', 'p/a', 'p/z'])
    const client = counting(other.client)
    const again = s3Sink({ bucket: other.name, provider: 'ceph', client, prefix: 'p' })
    expect((await plan(again)).totals.create.count).toBe(0)
    await restore(again)
    expect(client.sent.filter((name) => !/^(HeadObject|GetBucketVersioning)$/.test(name))).toEqual([])
  })

  it('keeps text that is no ASCII in metadata as text', async () => {
    await put(bucket, 'a', 'x', { Metadata: { name: '=?UTF-8?B?Z3LDvG4=?=' } })
    await backedUp()
    await restore(into(other))
    expect((await objectAt(other, 'a')).metadata).toEqual({ name: '=?UTF-8?B?Z3LDvG4=?=' })
  })
})

describe('what is there already', () => {
  beforeEach(async () => {
    for (const key of ['changed', 'gone', 'same']) await put(bucket, key, `old ${key}`, { Metadata: { v: '1' } })
    await put(bucket, 'meta', 'equal bytes', { Metadata: { v: '1' } })
    await backedUp()
    await put(bucket, 'changed', 'new')
    await put(bucket, 'meta', 'equal bytes', { Metadata: { v: '2' } })
    await put(bucket, 'new', 'not in the snapshot')
    const { DeleteObjectCommand } = await import('@aws-sdk/client-s3')
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: 'gone' }))
  })

  it('is not overwritten unless that is asked for', async () => {
    const made = await plan(into(bucket))
    expect(made.changes.map(({ path, type }) => [path, type])).toEqual([
      ['up/changed', 'blocked'],
      ['up/gone', 'create'],
      ['up/meta', 'blocked'],
    ])
    await expect(engine.restore(made)).rejects.toMatchObject({ code: 'RESTORE_BLOCKED' })
  })

  it('is overwritten in place, after confirmation; what the snapshot does not have stays', async () => {
    const sink = s3Source({ ...bucket.place, name: 'up' }).sink!()
    const made = await plan(sink)
    expect([made.destructive, made.totals['update-content'].count, made.totals.create.count]).toEqual([true, 2, 1])
    expect(made.warnings).toMatchObject([{ code: 'S3_NOT_VERSIONED', details: { replaced: 2 } }])
    await expect(engine.restore(made)).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' })
    await engine.restore(made, { confirm: made.digest })
    expect(await keysOf(bucket)).toEqual(['changed', 'gone', 'meta', 'new', 'same'])
    expect(Buffer.from(String((await objectAt(bucket, 'changed')).bytes), 'base64').toString()).toBe('old changed')
    expect((await objectAt(bucket, 'meta')).metadata).toEqual({ v: '1' })
    expect(await openUploads(bucket)).toBe(0)
  })

  it('is as it was after a drill, which nobody saw', async () => {
    const before = await Promise.all((await keysOf(bucket)).map((key) => objectAt(bucket, key)))
    const client = counting(bucket.client)
    const sink = s3Sink({ bucket: bucket.name, provider: 'ceph', client, existing: 'replace' })
    const context = { runId: 'r', signal: new AbortController().signal, facts: {}, drill: true, warn: () => {} }
    await using session = await sink.open(context)
    const entry = { path: 'gone', type: 'file', size: 3, facts: {} }
    await session.write(entry, once('new'))
    await session.write({ ...entry, path: 'changed' }, once('old'))
    await session.prepare()
    expect(await keysOf(bucket)).not.toContain('gone')
    await session.rollback(new Error('the drill is over'))
    expect(await Promise.all((await keysOf(bucket)).map((key) => objectAt(bucket, key)))).toEqual(before)
    expect(await openUploads(bucket)).toBe(0)
  })
})

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text)
}

const context = { runId: 'r', signal: new AbortController().signal, facts: {}, warn: () => {} }
const fileOf = (path: string, text: string) => ({ path, type: 'file', size: text.length, facts: {} })

describe('a rollback after the commit', () => {
  it('brings back what was replaced where the bucket keeps versions', async () => {
    await bucket.client.send(
      new PutBucketVersioningCommand({ Bucket: bucket.name, VersioningConfiguration: { Status: 'Enabled' } }),
    )
    await put(bucket, 'a', 'before')
    await using session = await into(bucket, { existing: 'replace' }).open(context)
    await session.write(fileOf('a', 'after'), once('after'))
    await session.write(fileOf('b', 'new'), once('new'))
    await session.prepare()
    await session.commit()
    await session.rollback(new Error('another sink failed'))
    expect(await keysOf(bucket)).toEqual(['a'])
    expect(Buffer.from(String((await objectAt(bucket, 'a')).bytes), 'base64').toString()).toBe('before')
  })

  it('says so where it cannot', async () => {
    await put(bucket, 'a', 'before')
    await using session = await into(bucket, { existing: 'replace' }).open(context)
    await session.write(fileOf('a', 'after'), once('after'))
    await session.prepare()
    await session.commit()
    await expect(session.rollback(new Error('no'))).rejects.toMatchObject({ code: 'RESTORE_DENIED', origin: 'sink' })
  })

  it('is not begun where somebody has written to what is to be replaced', async () => {
    await put(bucket, 'a', 'before')
    await using session = await into(bucket, { existing: 'replace' }).open(context)
    await session.write(fileOf('a', 'after'), once('after'))
    await put(bucket, 'a', 'somebody')
    await expect(session.prepare()).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' })
    await session.rollback(new Error('no'))
    expect(Buffer.from(String((await objectAt(bucket, 'a')).bytes), 'base64').toString()).toBe('somebody')
    expect(await openUploads(bucket)).toBe(0)
  })
})

describe('uploads that fail', () => {
  it('leave no parts, whoever is at fault', async () => {
    const sink = into(bucket, { partBytes: 5 * 1024 * 1024 })
    await using session = await sink.open(context)
    const size = 12_000_000
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(size - 1)
      throw new Error('the repository is gone')
    }
    const entry = { path: 'large', type: 'file', size, facts: {} }
    await expect(session.write(entry, cut())).rejects.toThrow('the repository is gone')
    expect([await keysOf(bucket), await openUploads(bucket)]).toEqual([[], 0])
  })

  it('whose answer was lost are found to be there, and are taken back as well', async () => {
    const client = counting(bucket.client)
    let lost = 0
    const send = client.send.bind(client)
    client.send = async (command: { constructor: { name: string } }, options?: object) => {
      const output = await send(command, options)
      if (command.constructor.name !== 'PutObjectCommand' || lost++ > 0) return output
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    }
    await using session = await s3Sink({ bucket: bucket.name, provider: 'ceph', client }).open(context)
    await session.write(fileOf('a', 'text'), once('text'))
    expect(client.sent.filter((name) => name === 'PutObject')).toHaveLength(2)
    await session.prepare()
    await session.rollback(new Error('no'))
    expect(await keysOf(bucket)).toEqual([])
  })

  it('end soon when the run is aborted, and leave nothing', async () => {
    const abort = new AbortController()
    await using session = await into(bucket).open({ ...context, signal: abort.signal })
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      abort.abort(new Error('enough'))
      await sleep(50)
      yield new Uint8Array(10)
    }
    await expect(session.write({ path: 'a', type: 'file', size: 20, facts: {} }, slow())).rejects.toMatchObject({
      code: 'ABORTED',
    })
    await session.rollback(abort.signal.reason)
    expect([await keysOf(bucket), await openUploads(bucket)]).toEqual([[], 0])
  })
})

describe('entries of another kind of source', () => {
  it('become objects of their paths', async () => {
    await backedUp(memorySource({ name: 'up', files: { 'a/b': 'text', '#x': 'y', '\udcff': 'z' } }))
    await restore(into(other))
    expect(await keysOf(other)).toEqual(['#x', '%FF', 'a/b'])
    expect((await objectAt(other, 'a/b')).ContentType).toBe('application/octet-stream')
  })
})
