/** Requests that arrive long after their sender gave up, listings that are wrong, conditions that nobody keeps. */
import { DeleteObjectCommand, HeadObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { probe, type Target } from '../../src/index.ts'
import { type FaultProxy, faultProxy, type ProxyPlan } from '../servers/fault-proxy.ts'
import { startS3, type TestS3 } from '../servers/s3.ts'
import { testBucket } from '../servers/s3-bucket.ts'
import { type Kept, kept, openOn } from './s3-support.ts'
import { ids } from './support.ts'

let server: TestS3
const ends: (() => Promise<void>)[] = []

beforeAll(async () => {
  server = await startS3()
}, 200_000)
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})
afterAll(() => server?.stop())

/** A repository with a backup in it, and a line to it that has no faults before `plan` says so. */
async function behindProxy(): Promise<Kept & { proxy: FaultProxy; bad(): Target }> {
  const proxy = await faultProxy(server)
  const state = await kept(server)
  ends.push(proxy.close, state.drop)
  return { ...state, proxy, bad: () => state.at({ endpoint: proxy.endpoint, requestTimeoutMs: 2000 }) }
}

describe('a request that arrives long after', () => {
  it('a commit was said to have failed commits nothing', async () => {
    const { proxy, open, bad, first, expectGoesOn } = await behindProxy()
    const engine = await open(bad())
    proxy.plan([{ fault: 'late', methods: /^PUT$/, keys: /^snapshots\//, nth: 1 }])
    await expect(engine.backup()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    expect(await proxy.applyLate()).toEqual([412])
    proxy.assertAllHit()
    expect(await ids(engine)).toEqual([first])
    await engine.close()
    await expectGoesOn(bad())
  })

  it('puts packs, fragments and the sign of a run again, and does no harm', async () => {
    const { proxy, open, bad, expectGoesOn } = await behindProxy()
    const engine = await open(bad())
    const plans = ['packs', 'index', 'runs'].map((keys): ProxyPlan => {
      return { fault: 'late', methods: /^PUT$/, keys: new RegExp(`^${keys}/`), nth: 1 }
    })
    proxy.plan(plans)
    const { snapshot } = await engine.backup()
    expect(await proxy.applyLate()).toHaveLength(3)
    proxy.assertAllHit()
    expect(await ids(engine)).toContain(snapshot.id)
    expect(await engine.verify({ level: 'data' })).toMatchObject({ sound: true })
    await engine.close()
    await expectGoesOn(bad())
  })
})

describe('listings', () => {
  it('with each row twice, or as they were before, lose nothing', async () => {
    const { proxy, open, bad, expectGoesOn } = await behindProxy()
    for (const fault of ['duplicated', 'stale'] as const) {
      const engine = await open(bad())
      await engine.verify()
      proxy.plan([{ fault, rate: 1 }])
      const { snapshot } = await engine.backup({ verify: 'none' }).catch((error: { code: string }) => {
        // What was stored is not in a listing of the time before: it is not taken for stored.
        expect([fault, error.code]).toEqual(['stale', 'TARGET_PROTOCOL'])
        return { snapshot: undefined }
      })
      proxy.assertAllHit()
      proxy.plan([])
      if (snapshot !== undefined) expect(await ids(engine)).toContain(snapshot.id)
      await engine.close()
      await expectGoesOn(bad())
    }
  })
})

describe('a store that ignores conditions and is said to keep them', () => {
  const plan: readonly ProxyPlan[] = [{ fault: 'unconditional', rate: 1 }]

  it('is found out by the probe, not by the engine', async () => {
    const { proxy, bad } = await behindProxy()
    expect((await probe(bad())).traits.createOnly).toBe(true)
    proxy.plan(plan)
    const target = bad()
    const report = await probe(target)
    expect(report).toMatchObject({ ok: false, traits: { createOnly: false } })
    expect(report.toText()).toContain('creates once: no (the target says yes)')
    proxy.assertAllHit()
  })

  it('warns where it is said to keep none', async () => {
    const { proxy, open, at, expectGoesOn } = await behindProxy()
    proxy.plan(plan)
    const honest = at({ endpoint: proxy.endpoint, createOnce: false })
    const engine = await open(honest)
    const { warnings } = await engine.backup()
    expect(warnings.map(({ code }) => code)).toEqual(['NO_CREATE_ONCE'])
    await engine.close()
    await expectGoesOn(honest)
  })

  it('keeps the backups of two writers all the same: no two runs create the same object', async () => {
    const { proxy, open, bad, source } = await behindProxy()
    proxy.plan(plan)
    const engines = await Promise.all([open(bad()), open(bad()), openOn(bad(), source, { host: 'other' })])
    await Promise.all(engines.map((engine) => engine.backup()))
    proxy.assertAllHit()
    expect(await ids(engines[0]!)).toHaveLength(4)
    expect(await engines[1]!.verify({ level: 'data' })).toMatchObject({ sound: true })
    for (const engine of engines) await engine.close()
  })
})

describe('a deletion in a bucket with Object Lock', () => {
  it('is refused for good, and what is only hidden comes back whole', async () => {
    const state = await kept(server, { objectLock: true }, { objectLockDays: 2 })
    ends.push(state.drop)
    const { bucket } = state
    const Bucket = bucket.name
    const versions = async () => await bucket.client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'packs/' }))
    const { Versions = [] } = await versions()
    expect(Versions.length).toBeGreaterThan(0)
    for (const { Key, VersionId } of Versions) {
      const gone = bucket.client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }))
      await expect(gone).rejects.toMatchObject({ name: 'AccessDenied' })
    }
    await state.at().delete(Versions.map(({ Key = '' }) => Key))
    const engine = await state.open()
    expect((await engine.verify()).findings.map(({ code }) => code)).toContain('OBJECT_MISSING')
    await engine.close()
    const { DeleteMarkers = [] } = await versions()
    for (const { Key, VersionId } of DeleteMarkers) {
      await bucket.client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }))
    }
    await state.expectGoesOn()
  })
})

describe('the proxy', () => {
  it('passes what it does not spoil as it is, and says which planned fault struck nothing', async () => {
    const bucket = await testBucket(server)
    const proxy = await faultProxy(server, [{ fault: 'bent', keys: /^never$/, rate: 1 }])
    ends.push(proxy.close, bucket.drop)
    const { s3Target } = await import('../../src/targets/s3/index.ts')
    const target = s3Target({ ...bucket.place, endpoint: proxy.endpoint })
    const body = new Uint8Array(Buffer.from('through the proxy'))
    await target.put('a_b/u-._', body)
    expect(await target.get('a_b/u-._')).toEqual(body)
    expect(await target.get('a_b/u-._', { range: { start: 3, end: 7 } })).toEqual(body.slice(3, 7))
    const at = { Bucket: bucket.name, Key: 'plain' }
    await bucket.client.send(new PutObjectCommand({ ...at, Body: body }))
    expect((await target.stat('plain'))?.size).toBe(body.length)
    expect((await bucket.client.send(new HeadObjectCommand(at))).ContentLength).toBe(body.length)
    expect(() => proxy.assertAllHit()).toThrow('bent')
    await target.close()
  })
})
