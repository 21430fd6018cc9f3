/** Buckets backed up and restored by an engine, on a real gateway. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BackupEngine, type EntryPath, filesystem } from '../../../src/index.ts'
import { s3Source } from '../../../src/s3.ts'
import { testEngine } from '../../../src/testing/index.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'
import { type CountingClient, counting, inPathOrder, objectAt, put, putMany, SETTLE_MS } from './support.ts'

let server: TestS3
let bucket: TestBucket
let client: CountingClient
let folder: string
const engines: BackupEngine[] = []

beforeAll(async () => {
  server = await startS3()
}, 200_000)
afterAll(async () => {
  await server?.stop()
})
beforeEach(async () => {
  bucket = await testBucket(server)
  client = counting(bucket.client)
  folder = mkdtempSync(join(tmpdir(), 'holdfast-s3-source-'))
})
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
  await bucket?.drop()
  rmSync(folder, { recursive: true, force: true })
})

const source = (more: object = {}) => s3Source({ name: 'up', bucket: bucket.name, provider: 'ceph', client, ...more })

async function engineOf(...sources: Parameters<typeof testEngine>[0][]): Promise<BackupEngine> {
  const engine = await testEngine(Object.assign({}, ...sources))
  engines.push(engine)
  return engine
}

async function paths(engine: BackupEngine): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of engine.entries({ snapshot: 'latest', recursive: true } as never)) found.push(path)
  return found
}

async function text(engine: BackupEngine, path: string): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of await engine.read({ snapshot: 'latest', path: path as EntryPath } as never))
    pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

const gets = (): number => client.sent.filter((name) => name === 'GetObject').length

describe('many objects', () => {
  it('of several pages are kept in order, and are not read again while they do not change', async () => {
    const keys = Array.from({ length: 650 }, (_, i) => `${i % 13}${i % 3 ? '/' : '-'}photo${i}.jpg`)
    await putMany(bucket, keys)
    await sleep(SETTLE_MS)
    const engine = await engineOf({ sources: [source({ listPageSize: 250 })] })
    const first = await engine.backup()
    expect([first.counts.entries, gets()]).toEqual([650, 650])
    expect(client.sent.filter((name) => name === 'ListObjectsV2')).toHaveLength(4)
    client.sent.length = 0
    const second = await engine.backup()
    expect(second.counts).toMatchObject({ unchanged: 650, added: 0, modified: 0, readBytes: 0 })
    expect(gets()).toBe(0)
    await put(bucket, keys[5]!, 'changed')
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: keys[6]! }))
    const third = await engine.backup()
    expect(third.counts).toMatchObject({ unchanged: 648, modified: 1, deleted: 1 })
    expect(gets()).toBe(1)
  }, 120_000)
})

describe('a bucket that changes while it is read', () => {
  it('gives what is there then: another version as such, none of what is gone', async () => {
    await putMany(bucket, ['a', 'b', 'c'])
    await sleep(SETTLE_MS)
    const once = new Set(['a', 'b'])
    client.before = async (name, { Key }) => {
      if (name !== 'GetObject' || !once.delete(String(Key))) return
      if (Key === 'a') await put(bucket, 'a', 'another one, longer than before', { ContentType: 'text/new' })
      else await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: 'b' }))
    }
    const engine = await engineOf({ sources: [source()] })
    const result = await engine.backup()
    expect(result.counts.entries).toBe(2)
    expect(result.warnings).toMatchObject([{ code: 'ENTRY_CHANGED_WHILE_READ', path: 'up/b' }])
    expect(await text(engine, 'up/a')).toBe('another one, longer than before')
    expect(await text(engine, 'up/c')).toBe('content of c')
    client.sent.length = 0
    await engine.backup()
    // Its fingerprint was that of the version before.
    expect(gets()).toBe(1)
  }, 30_000)
})

describe('objects that may not be read', () => {
  it('end the run, or are left out where that is asked for', async () => {
    await putMany(bucket, ['a', 'b'])
    client.before = async (name, { Key }) => {
      if (name !== 'GetObject' || Key !== 'a') return
      const archived = { name: 'InvalidObjectState', $metadata: { httpStatusCode: 403 } }
      throw Object.assign(new Error('archived'), archived)
    }
    const engine = await engineOf({ sources: [source()] })
    const denied = { code: 'SOURCE_DENIED', origin: 'source', hint: expect.stringContaining('archive') }
    await expect(engine.backup()).rejects.toMatchObject(denied)
    const result = await engine.backup({ onEntryError: 'skip' })
    expect(result.warnings).toMatchObject([{ code: 'ENTRY_SKIPPED', path: 'up/a', details: { code: 'SOURCE_DENIED' } }])
    expect(await paths(engine)).toContain('up/b')
    expect(await paths(engine)).not.toContain('up/a')
  })

  it('say which bucket is missing', async () => {
    const engine = await engineOf({ sources: [source({ bucket: 'no-such-bucket-here' })] })
    await expect(engine.backup()).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND', origin: 'source' })
  })
})

describe('a read that breaks off', () => {
  it('goes on where it was, and is whole', async () => {
    const body = Buffer.alloc(2_500_000, 'some text of the object. ')
    await put(bucket, 'big', body)
    const broken = brokenOnce(client)
    const engine = await engineOf({
      sources: [s3Source({ name: 'up', bucket: bucket.name, provider: 'ceph', client: broken })],
    })
    await engine.backup()
    expect(await text(engine, 'up/big')).toBe(body.toString())
    expect(gets()).toBe(2)
  })

  it('is an error where the bytes are not those of the ETag', async () => {
    await put(bucket, 'small', 'these bytes')
    const bent = bentBody(client)
    const engine = await engineOf({
      sources: [s3Source({ name: 'up', bucket: bucket.name, provider: 'ceph', client: bent })],
    })
    await expect(engine.backup()).rejects.toMatchObject({
      code: 'SOURCE_INCOMPLETE',
      message: expect.stringContaining('MD5'),
    })
  })
})

interface Body extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): void
}

/** The first body ends with a reset after some bytes. */
function brokenOnce(inner: CountingClient): CountingClient {
  let isFirst = true
  return changed(inner, async function* (body) {
    let bytes = 0
    for await (const piece of body) {
      bytes += piece.byteLength
      yield piece
      if (!isFirst || bytes < 500_000) continue
      isFirst = false
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    }
  })
}

function bentBody(inner: CountingClient): CountingClient {
  return changed(inner, async function* (body) {
    for await (const piece of body) yield new Uint8Array(piece).fill(1)
  })
}

function changed(inner: CountingClient, change: (body: Body) => AsyncGenerator<Uint8Array>): CountingClient {
  return {
    ...inner,
    async send(command: { constructor: { name: string } }, options?: object) {
      const output = await inner.send(command, options)
      if (command.constructor.name !== 'GetObjectCommand') return output
      const body = output.Body as Body
      const pieces = change(body)
      return { ...output, Body: Object.assign(pieces, { destroy: () => body.destroy() }) }
    },
  }
}

describe('an abort', () => {
  it('ends streams, listings and connections', async () => {
    await put(bucket, 'big', new Uint8Array(20_000_000))
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    bucket.client.destroy()
    await sleep(100)
    const before = sockets()
    const abort = new AbortController()
    const session = await s3Source({ ...bucket.place, name: 'up' }).open({ signal: abort.signal, warn: () => {} })
    const { value: batch } = await session.entries()[Symbol.asyncIterator]().next()
    const [{ content }] = batch as [{ content: { open(options: object): AsyncGenerator<Uint8Array> } }]
    const pieces = content.open({ signal: abort.signal })
    await pieces.next()
    expect(sockets()).toBeGreaterThan(before)
    abort.abort(new Error('enough'))
    const rest = async (): Promise<void> => {
      for await (const _ of pieces);
    }
    await expect(rest()).rejects.toMatchObject({ code: 'ABORTED' })
    await session[Symbol.asyncDispose]()
    await sleep(50)
    expect(sockets()).toBeLessThanOrEqual(before)
  })
})

describe('what is taken in', () => {
  it('is chosen by prefix and globs, folders as a whole', async () => {
    await putMany(bucket, ['x/a/1.txt', 'x/a/2.log', 'x/b/3.txt', 'x/b/c/4.txt', 'x/d.txt', 'y/5.txt', 'x-y'])
    const engine = await engineOf({
      sources: [source({ prefix: 'x', include: ['b', '*/*.txt', 'd*'], exclude: ['b/c'] })],
    })
    await engine.backup()
    expect((await paths(engine)).filter((path) => /\.(txt|log)$/.test(path))).toEqual([
      'up/a/1.txt',
      'up/b/3.txt',
      'up/d.txt',
    ])
  })

  it('has headers, metadata and tags as facts, and those of then while it is unchanged', async () => {
    const Expires = new Date('2031-02-03T04:05:06Z')
    const headers = {
      ContentType: 'image/x',
      CacheControl: 'max-age=5',
      ContentEncoding: 'br',
      ContentLanguage: 'de',
      Expires,
    }
    await put(bucket, 'a', 'x', {
      ...headers,
      ContentDisposition: 'attachment',
      Metadata: { one: '1' },
      Tagging: 't=1&u=2',
    })
    await sleep(SETTLE_MS)
    const engine = await engineOf({ sources: [source()] })
    for (let round = 0; round < 2; round++) {
      await engine.backup()
      const facts = await factsOf(engine, 'up/a')
      expect(facts.s3).toMatchObject({
        contentType: 'image/x',
        cacheControl: 'max-age=5',
        contentEncoding: 'br',
        contentLanguage: 'de',
        contentDisposition: 'attachment',
        expires: 'Mon, 03 Feb 2031 04:05:06 GMT',
        metadata: { one: '1' },
        tags: { t: '1', u: '2' },
      })
    }
    expect(gets()).toBe(1)
  }, 30_000)
})

async function factsOf(engine: BackupEngine, wanted: string): Promise<Record<string, unknown>> {
  for await (const entry of engine.entries({ snapshot: 'latest', recursive: true } as never)) {
    if (entry.path === wanted) return { ...(entry as { facts?: object }).facts }
  }
  throw new Error(`no ${wanted}`)
}

describe('a bucket and a folder in one snapshot', () => {
  it('restore into a folder, odd keys under names that can be', async () => {
    await putMany(bucket, ['a', 'a/b', 'a//c', '/lead', 'dir/', '../up', 'plain.txt'])
    writeFileSync(join(folder, 'file'), 'of the disk')
    const files = filesystem({ name: 'disk', path: join(folder, 'file') })
    const engine = await engineOf({ sources: [source(), files] })
    await engine.backup()
    const to = join(folder, 'out')
    await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: to } }))
    const expected = {
      'a/!': 'a',
      'a/b': 'a/b',
      'a/#/c': 'a//c',
      '#/lead': '/lead',
      'dir/#': 'dir/',
      '..#/up': '../up',
    }
    for (const [path, key] of Object.entries(expected)) {
      expect(readFileSync(join(to, 'up', path), 'utf8')).toBe(`content of ${key}`)
    }
    expect(readFileSync(join(to, 'disk/file'), 'utf8')).toBe('of the disk')
    const { ContentType } = await objectAt(bucket, 'plain.txt')
    expect(ContentType).toBeDefined()
    expect(Math.abs(statSync(join(to, 'up/plain.txt')).mtimeMs - Date.now())).toBeLessThan(60_000)
    const found = (await paths(engine)).filter((path) => path.startsWith('up/'))
    expect(found).toEqual(inPathOrder(found))
  })
})
