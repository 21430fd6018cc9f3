/** What is particular to a repository in a bucket. */
import { CopyObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupEngine, type EngineEvents, type Target } from '../../../src/index.ts'
import { s3Target } from '../../../src/targets/s3/index.ts'
import { countingTarget, faultyTarget, memorySource, type PlannedFault } from '../../../src/testing/index.ts'
import { noise } from '../../engine/browse/browse-fixture.ts'
import { KEY } from '../../engine/verify/fixture.ts'
import { startS3, type TestS3 } from '../../servers/s3.ts'
import { type TestBucket, testBucket } from '../../servers/s3-bucket.ts'

let server: TestS3
let bucket: TestBucket
let prefixes = 0

beforeAll(async () => {
  server = await startS3()
  bucket = await testBucket(server)
}, 200_000)
afterAll(async () => {
  await bucket?.drop()
  await server?.stop()
})

const newPrefix = (): string => `repository-${prefixes++}/`
const at = (prefix: string): Target => s3Target({ ...bucket.place, prefix })
const open = (target: Target, name = 'files') => {
  const source = memorySource({ name, files: { a: noise(300_000, 1), b: 'text' } })
  return BackupEngine.open({ target, key: KEY, workers: 'inline', cache: 'none', sources: [source], host: name })
}

describe('a repository in a bucket', () => {
  it('takes the backups of two engines at once, and both prove sound', async () => {
    const prefix = newPrefix()
    const engines = await Promise.all([open(at(prefix), 'one'), open(at(prefix), 'two')])
    expect(engines[0]!.repositoryId).toBe(engines[1]!.repositoryId)
    await Promise.all(engines.map((engine) => engine.backup()))
    expect(await engines[0]!.snapshots().toArray()).toHaveLength(2)
    for (const level of ['structure', 'data', 'content'] as const) {
      expect(await engines[1]!.verify({ level })).toMatchObject({ sound: true, findings: [] })
    }
    for (const engine of engines) await engine.close()
  })

  it('finds out what became of a commit whose reply was lost, and of everything else', async () => {
    const plan: PlannedFault[] = [
      { operation: 'put', keys: /^snapshots\//, nth: 1, fault: 'lost-reply' },
      { operation: 'put', keys: /^packs\//, nth: 1, fault: 'lost-reply' },
      { operation: 'list', keys: /^config\//, nth: 1, fault: 'error' },
    ]
    const faulty = faultyTarget(at(newPrefix()), plan)
    const engine = await open(faulty)
    const retries: EngineEvents['target:retry'][] = []
    engine.on('target:retry', (event) => retries.push(event))
    const { snapshot, runId } = await engine.backup()
    faulty.assertAllHit()
    expect((await engine.snapshots().toArray()).map(({ id }) => id)).toEqual([snapshot.id])
    expect(retries.every((retry) => retry.runId === runId)).toBe(true)
    await engine.close()
  })

  it('is read again and verified through a line that fails now and then, and says for which run', async () => {
    const prefix = newPrefix()
    const writer = await open(at(prefix))
    const { snapshot } = await writer.backup()
    await writer.close()
    const plan: PlannedFault[] = (['get', 'list', 'stat'] as const).flatMap((operation) =>
      [1, 2].map((nth) => ({ operation, nth, fault: 'error' as const })),
    )
    const faulty = faultyTarget(at(prefix), plan)
    const engine = await open(faulty)
    const runs = new Set<string>()
    engine.on('target:retry', (event) => runs.add(event.runId))
    const { sound, runId } = await engine.verify({ snapshots: snapshot.id })
    expect(sound).toBe(true)
    faulty.assertAllHit()
    expect([...runs]).toEqual([runId])
    await engine.close()
  })

  it('shows a pack that was replaced without any download, at one request a pack', async () => {
    const prefix = newPrefix()
    const counting = countingTarget(at(prefix))
    const engine = await open(counting)
    await engine.backup()
    counting.reset()
    expect((await engine.verify()).sound).toBe(true)
    const keys: string[] = []
    for await (const { key } of counting.list('packs/')) keys.push(key)
    expect(counting.count('stat')).toBe(keys.length)
    const [key] = keys
    const { size } = (await counting.stat(key!))!
    const place = { Bucket: bucket.name, Key: prefix + key! }
    const Metadata = { sha256: 'f'.repeat(64) }
    await bucket.client.send(new PutObjectCommand({ ...place, Body: new Uint8Array(size), Metadata }))
    const { sound, findings } = await engine.verify()
    expect(sound).toBe(false)
    expect(findings.map(({ code, object }) => ({ code, object }))).toContainEqual({
      code: 'OBJECT_CORRUPT',
      object: key,
    })
    await engine.close()
  })

  it('can be moved by a copy of its objects', async () => {
    const [from, to] = [newPrefix(), newPrefix()]
    const engine = await open(at(from))
    const { snapshot } = await engine.backup()
    for await (const { key } of at(from).list('')) {
      const CopySource = `${bucket.name}/${from}${key}`
      await bucket.client.send(new CopyObjectCommand({ Bucket: bucket.name, Key: to + key, CopySource }))
    }
    const moved = await open(at(to))
    expect((await moved.snapshot('latest')).id).toBe(snapshot.id)
    expect((await moved.verify({ level: 'data' })).sound).toBe(true)
    await engine.close()
    await moved.close()
  })
})
