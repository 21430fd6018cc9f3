import { afterEach, describe, expect, it } from 'vitest'
import { BackupEngine, type BackupError, type EngineOptions, type Progress, type Target } from '../../../src/index.ts'
import { systemError } from '../../../src/targets/local/errno.ts'
import { type GetOptions, type PutOptions, wrapTarget } from '../../../src/targets/target.ts'
import { readOnly } from '../../../src/targets/wrappers/read-only.ts'
import { countingTarget, faultyTarget } from '../../../src/testing/index.ts'
import { FILE_BYTES, flipBit, isPack, KEY, makePlace, type Place, packBytes } from './fixture.ts'

const opened: BackupEngine[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()))
})

async function place(backups: number, over: Partial<EngineOptions> = {}): Promise<Place> {
  const made = await makePlace(backups, over)
  opened.push(made.engine)
  return made
}

async function another({ target }: Place, over: Partial<EngineOptions> = {}): Promise<BackupEngine> {
  const engine = await BackupEngine.open({ target, key: KEY, workers: 'inline', cache: 'none', ...over })
  opened.push(engine)
  return engine
}

/** The same place without checksums, where nothing that failed is repeated. */
function simple(target: Target): Target {
  return wrapTarget(target, { traits: { ...target.traits, checksums: 'none' as const, remote: false } })
}

/** Does something first whenever that object is read. */
function onGet({ target }: Place, object: string, act: () => void): Target {
  return wrapTarget(target, {
    get: async (key: string, options: GetOptions = {}) => {
      if (key === object) act()
      return target.get(key, options)
    },
  })
}

describe('verify', () => {
  it('finds a new and an empty repository sound', async () => {
    const { engine } = await place(0)
    const empty = { sound: true, findings: [], snapshots: [], packsRead: 0, bytesRead: 0, coverage: 1, warnings: [] }
    expect(await engine.verify({ level: 'data' })).toMatchObject({ ...empty, level: 'data' })
  })

  it('proves structure without reading content, and data by reading every pack once', async () => {
    const made = await place(2)
    const target = countingTarget(made.target)
    const engine = await another(made, { target })
    const packs = [...made.objects.keys()].filter(isPack)
    const ids = [...made.ids].reverse().map((id) => ({ id, sound: true }))
    const structure = await engine.verify()
    expect(structure).toMatchObject({ sound: true, level: 'structure', findings: [], snapshots: ids, packsRead: 0 })
    expect(target.operations.filter(({ operation, key }) => operation === 'get' && made.packs.includes(key))).toEqual(
      [],
    )
    target.reset()
    const data = await engine.verify({ level: 'data' })
    expect(data).toMatchObject({ sound: true, level: 'data', findings: [], snapshots: ids, coverage: 1 })
    expect([data.packsRead, data.bytesRead]).toEqual([packs.length, packBytes(made)])
    for (const key of made.packs) expect(target.count('get', key)).toBe(1)
  })

  it('makes one finding of a lost pack, and says all that it costs', async () => {
    const { engine, objects, packs, ids } = await place(3)
    objects.delete(packs[1]!)
    for (const level of ['structure', 'data'] as const) {
      const { sound, findings, snapshots } = await engine.verify({ level })
      const affects = { snapshots: ids.slice(1), entries: 6, bytes: 2 * (2 * FILE_BYTES + 6) }
      expect([sound, findings.length]).toEqual([false, 1])
      expect(findings[0]).toMatchObject({ code: 'OBJECT_MISSING', severity: 'error', object: packs[1], affects })
      expect(findings[0]!.details!.paths).toEqual(
        expect.arrayContaining(['files/copy-1', 'files/file-1', 'files/name-1']),
      )
      expect(snapshots.map((each) => each.sound)).toEqual([false, false, true])
    }
  })

  it('notices a cut pack by its size, and by reading it what is left of it', async () => {
    const { engine, objects, packs } = await place(1)
    objects.set(packs[0]!, objects.get(packs[0]!)!.slice(0, -1))
    const cut = (await engine.verify()).findings
    expect(cut).toMatchObject([{ code: 'OBJECT_CORRUPT', object: packs[0], affects: { entries: 3 } }])
    const read = await engine.verify({ level: 'data' })
    // Only the footer is gone: every chunk is there.
    expect(read.findings).toMatchObject([{ code: 'OBJECT_CORRUPT', object: packs[0], affects: { entries: 0 } }])
    expect([read.sound, read.snapshots[0]!.sound]).toEqual([false, true])
  })

  it('notices a flipped bit by reading only, unless the target keeps checksums', async () => {
    const made = await place(1)
    const key = made.packs[0]!
    flipBit(made, key)
    expect((await (await another(made, { target: simple(made.target) })).verify()).sound).toBe(true)
    const found = { code: 'OBJECT_CORRUPT', object: key }
    // Reading shows that what lies in another segment of the pack is whole.
    const exactly = { ...found, affects: { snapshots: made.ids, entries: 2 }, details: { chunks: 2, damagedChunks: 1 } }
    expect((await made.engine.verify({ level: 'data' })).findings).toMatchObject([exactly])
    const sums = wrapTarget(made.target, {
      traits: { ...made.target.traits, checksums: 'sha256' as const },
      async *list(prefix: string) {
        for await (const info of made.target.list(prefix)) {
          const name = info.key.split('/').at(-1)!
          yield { ...info, checksum: info.key === key ? 'f'.repeat(64) : name }
        }
      },
    })
    expect((await (await another(made, { target: sums })).verify()).findings).toMatchObject([
      { ...found, affects: { entries: 3 } },
    ])
  })

  it('proves chosen snapshots by what they need alone', async () => {
    const { engine, objects, packs, ids } = await place(3)
    objects.delete(packs[2]!)
    const older = await engine.verify({ level: 'data', snapshots: ids[1]! })
    expect(older).toMatchObject({ sound: true, findings: [], snapshots: [{ id: ids[1], sound: true }], coverage: 1 })
    const newest = await engine.verify({ snapshots: ['latest', ids[0]!] })
    expect(newest.snapshots).toEqual([
      { id: ids[2], sound: false },
      { id: ids[0], sound: true },
    ])
    expect(newest.findings).toMatchObject([{ object: packs[2], affects: { snapshots: [ids[2]], entries: 3 } }])
    await expect(engine.verify({ snapshots: '2000' })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  })

  it('counts a snapshot that cannot be read as unsound, also in an engine that has read it before', async () => {
    const made = await place(2)
    const { engine, ids } = made
    flipBit(made, `snapshots/${ids[0]}`)
    const all = await engine.verify()
    expect(all.findings).toMatchObject([{ code: 'OBJECT_CORRUPT', severity: 'error', object: `snapshots/${ids[0]}` }])
    expect(all.snapshots).toEqual([
      { id: ids[1], sound: true },
      { id: ids[0], sound: false },
    ])
    expect(await engine.verify({ snapshots: ids[0]! })).toMatchObject({ sound: false, snapshots: [{ sound: false }] })
    const other = await engine.verify({ snapshots: 'latest' })
    expect(other).toMatchObject({ sound: true, findings: [{ severity: 'warning' }], snapshots: [{ sound: true }] })
  })

  it('tells of packs that no fragment names, which harm nobody', async () => {
    const { engine, objects, packs } = await place(1)
    const name = 'ab'.repeat(32)
    objects.set(`packs/ab/${name}`, objects.get(packs[0]!)!)
    const { sound, findings } = await engine.verify()
    expect(sound).toBe(true)
    expect(findings).toMatchObject([{ code: 'PACKS_UNUSED', severity: 'info', details: { count: 1, packs: [name] } }])
  })

  it('rejects where the check cannot be done, whichever call fails, and never calls that damage', async () => {
    const made = await place(1)
    const codes: string[] = []
    for (let nth = 1; ; nth++) {
      const target = faultyTarget(readOnly(simple(made.target)), [{ operation: 'get', nth, fault: 'error' }])
      try {
        await (await another(made, { target })).verify({ level: 'data' })
        break
      } catch (error) {
        codes.push((error as BackupError).code)
        target.assertAllHit()
      }
    }
    expect(new Set(codes)).toEqual(new Set(['TARGET_UNREACHABLE']))
    expect(codes.length).toBeGreaterThan(6)
  })

  it('takes a sector that the disk has lost for damage', async () => {
    const made = await place(1)
    const target = onGet(made, made.packs[0]!, () => {
      throw systemError(Object.assign(new Error('i/o error'), { code: 'EIO' }), 'read', 'somewhere')
    })
    const { findings } = await (await another(made, { target })).verify({ level: 'data' })
    expect(findings).toMatchObject([{ code: 'OBJECT_CORRUPT', object: made.packs[0], affects: { entries: 3 } }])
  })

  it('stops when it is aborted, and leaves nothing running', async () => {
    const made = await place(2)
    const controller = new AbortController()
    const target = onGet(made, made.packs[0]!, () => controller.abort())
    const engine = await another(made, { target })
    const aborted = engine.verify({ level: 'data', signal: controller.signal })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    expect(engine.runs()).toEqual([])
    expect((await made.engine.verify({ level: 'data' })).sound).toBe(true)
  })

  it('says how far it is, to all of the bytes', async () => {
    const made = await place(2)
    const seen: Progress[] = []
    await made.engine.verify({ level: 'data', onProgress: (progress) => seen.push(progress) })
    const bytes = packBytes(made)
    expect(seen.at(-1)).toMatchObject({ percent: 100, bytes: { done: bytes, total: bytes }, items: { done: 9 } })
    const structure: Progress[] = []
    await made.engine.verify({ onProgress: (progress) => structure.push(progress) })
    expect(structure.at(-1)).toMatchObject({ percent: 100, items: { done: 9, total: 9 }, bytes: { done: 0 } })
  })

  it('leaves a report that says what was looked at', async () => {
    const { engine, ids } = await place(1)
    const { runId } = await engine.verify({ snapshots: 'latest' })
    const counts = { snapshots: 1, findings: 0, packsRead: 0, bytesRead: 0 }
    expect(await engine.history.get(runId)).toMatchObject({ verb: 'verify', status: 'ok', snapshot: ids[0], counts })
  })

  it('works on a target that may only be read, with a warning', async () => {
    const made = await place(1)
    const engine = await another(made, { target: readOnly(made.target) })
    const { sound, warnings } = await engine.verify({ level: 'data' })
    expect(sound).toBe(true)
    expect(warnings.map(({ code }) => code)).toEqual(['VERIFY_NOT_RECORDED', 'REPORT_NOT_SAVED'])
  })
})

describe('a backup that verifies data', () => {
  it('rejects with the snapshot it has committed when what was stored is wrong', async () => {
    const made = await place(1)
    const target = wrapTarget(made.target, {
      put: async (key: string, body: Uint8Array<ArrayBuffer>, options: PutOptions = {}) => {
        if (!isPack(key)) return made.target.put(key, body, options)
        body[body.length >> 1]! ^= 1
        // A store that is told the checksum would refuse it.
        return made.target.put(key, body, { ...options, sha256: undefined })
      },
    })
    made.source.set('more', 'x'.repeat(1000))
    const engine = await another(made, { target, sources: [made.source] })
    const error: BackupError = await engine.backup({ verify: 'data' }).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'OBJECT_CORRUPT', origin: 'repository' })
    const snapshots = await made.engine.snapshots().toArray()
    expect(error.details.snapshot).toBe(snapshots[0]!.id)
    expect(snapshots[0]!.lastVerified).toMatchObject({ level: 'data', sound: false })
  })

  it('resolves when every byte is right, and notes it', async () => {
    const { engine, source } = await place(1)
    source.set('more', 'x')
    const { snapshot, verified } = await engine.backup({ verify: 'data' })
    expect(verified).toBe('data')
    expect((await engine.snapshot(snapshot.id)).lastVerified).toMatchObject({ level: 'data', sound: true })
  })
})
