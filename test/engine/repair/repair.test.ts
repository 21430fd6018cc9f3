import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { BackupEngine, type EngineOptions, filesystem, localTarget, rawKey } from '../../../src/index.ts'
import { noise } from '../browse/browse-fixture.ts'

const KEY = rawKey(new Uint8Array(32).fill(7))
const opened: BackupEngine[] = []
const folders: string[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

interface Place {
  engine: BackupEngine
  repository: string
  files: string
  open(over?: Partial<EngineOptions>): Promise<BackupEngine>
}

async function place(): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-repair-'))
  folders.push(root)
  const files = join(root, 'files')
  const repository = join(root, 'repository')
  mkdirSync(join(files, 'sub'), { recursive: true })
  writeFileSync(join(files, 'big'), noise(3_000_000, 1))
  writeFileSync(join(files, 'sub', 'kept'), noise(200_000, 2))
  for (let i = 0; i < 30; i++) writeFileSync(join(files, 'sub', `small-${i}`), `content of ${i}`)
  const open = async (over: Partial<EngineOptions> = {}): Promise<BackupEngine> => {
    const options = { target: localTarget(repository), key: KEY, workers: 'inline' as const, host: 'web' }
    const engine = await BackupEngine.open({
      ...options,
      sources: [filesystem({ name: 'files', path: files })],
      ...over,
    })
    opened.push(engine)
    return engine
  }
  return { engine: await open(), repository, files, open }
}

function objects(repository: string, prefix: string): string[] {
  const all = readdirSync(join(repository, prefix), { recursive: true, withFileTypes: true })
  return all
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
    .sort()
}

function flip(path: string, share: number): void {
  const bytes = readFileSync(path)
  bytes[Math.floor(bytes.length * share)]! ^= 8
  writeFileSync(path, bytes)
}

/** The pack with the content of `big`. */
function largest(repository: string): string {
  return objects(repository, 'packs').sort((a, b) => statSync(b).size - statSync(a).size)[0]!
}

async function restored({ engine, repository }: Place, snapshot: string, over: BackupEngine = engine): Promise<string> {
  const folder = mkdtempSync(join(repository, '..', 'restored-'))
  await over.restore(await over.planRestore({ snapshot, to: { folder } }))
  return join(folder, 'files')
}

function contents(folder: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const each of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(each.parentPath, each.name)
    if (each.isFile()) found.set(relative(folder, path), readFileSync(path).toString('latin1'))
  }
  return found
}

async function isSound(engine: BackupEngine): Promise<void> {
  const { sound, findings } = await engine.verify({ level: 'data' })
  expect([sound, findings.filter(({ severity }) => severity !== 'info')]).toEqual([true, []])
}

/** Nobody has the live files any more. */
async function repaired({ open }: Place, drop = false): Promise<string[]> {
  const engine = await open({ sources: [] })
  const plan = await engine.planRepair()
  const result = await engine.repair(plan, drop ? { drop, confirm: plan.digest } : {})
  expect(result).toMatchObject({ state: 'done', findings: [] })
  await isSound(await open())
  return plan.steps.map(({ action }) => action)
}

describe('repair', () => {
  it('has nothing to do where nothing is wrong', async () => {
    const { engine } = await place()
    await engine.backup()
    const plan = await engine.planRepair()
    expect(plan).toMatchObject({ destructive: false, findings: [], steps: [], packs: [] })
    expect(await engine.repair(plan)).toMatchObject({ state: 'done', findings: [], retired: 0, dropped: [] })
  })

  it('makes the index again from the packs alone', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    rmSync(join(made.repository, 'index'), { recursive: true })
    const engine = await made.open({ sources: [] })
    const plan = await engine.planRepair({ level: 'structure' })
    expect(plan.steps.map(({ action }) => action)).toEqual(['restate-index'])
    expect(plan.losses).toEqual({ snapshots: [], entries: [], total: { entries: 0, bytes: 0 } })
    await engine.repair(plan)
    const other = await made.open()
    await isSound(other)
    expect(contents(await restored(made, snapshot.id, other))).toEqual(contents(made.files))
  })

  it('heals a lost pack from the live files', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    unlinkSync(largest(made.repository))
    const engine = await made.open()
    const plan = await engine.planRepair()
    expect(plan.steps.map(({ action }) => action)).toEqual(['heal-content', 'retire-packs'])
    expect([plan.destructive, plan.losses.entries]).toEqual([false, []])
    const result = await engine.repair(plan)
    expect(result).toMatchObject({ state: 'done', findings: [], retired: 1, rewritten: [] })
    const other = await made.open()
    await isSound(other)
    expect(contents(await restored(made, snapshot.id, other))).toEqual(contents(made.files))
  })

  it('drops what is gone for good only when told to, and says what', async () => {
    const made = await place()
    const first = (await made.engine.backup({ tags: ['nightly'] })).snapshot.id
    const before = contents(made.files)
    unlinkSync(largest(made.repository))
    rmSync(join(made.files, 'big'))
    const engine = await made.open()
    const plan = await engine.planRepair()
    const lost = plan.losses.entries.map(({ path }) => path)
    expect(lost).toContain('files/big')
    expect(plan.losses.snapshots).toMatchObject([{ snapshot: first, entries: lost.length }])
    expect(plan.destructive).toBe(true)
    const kept = await engine.repair(plan)
    expect([kept.rewritten, kept.dropped, kept.retired]).toEqual([[], [], 1])
    expect(kept.findings.length).toBeGreaterThan(0)
    const again = await engine.planRepair()
    await expect(engine.repair(again, { drop: true })).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' })
    const result = await engine.repair(again, { drop: true, confirm: again.digest })
    expect(result).toMatchObject({ state: 'done', findings: [], rewritten: [{ from: first }] })
    const other = await made.open()
    await isSound(other)
    const [snapshot, ...more] = await other.snapshots().toArray()
    expect(more).toEqual([])
    expect(snapshot).toMatchObject({ tags: ['nightly'], complete: false })
    const paths = lost.map((path) => path.slice('files/'.length))
    const left = new Map([...before].filter(([path]) => !paths.includes(path)))
    expect(left.size).toBeGreaterThan(0)
    expect(contents(await restored(made, snapshot!.id, other))).toEqual(left)
    const { warnings } = await other.restore(
      await other.planRestore({ snapshot: snapshot!.id, to: { folder: join(made.repository, '..', 'once more') } }),
    )
    expect(warnings).toMatchObject([{ code: 'ENTRIES_LOST', details: { from: first, entries: lost.length } }])
    await other.backup()
    const prune = await other.planPrune({ keepDeletedMs: 0 })
    await other.prune(prune, { confirm: prune.digest })
    await isSound(other)
  })

  it('saves what is sound of damaged packs, and loses only what the flipped bit hit', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    const before = contents(made.files)
    flip(largest(made.repository), 0.5)
    expect(await repaired(made, true)).toEqual(['replace-packs', 'retire-packs', 'rewrite-snapshot'])
    const other = await made.open()
    const [left] = await other.snapshots().toArray()
    expect(left!.rewrittenFrom).toMatchObject({ snapshot: snapshot.id, why: 'repair', entries: 1 })
    before.delete('big')
    expect(contents(await restored(made, left!.id, other))).toEqual(before)
  })

  it('mends a flipped bit in any object that is not needed as it was', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    await made.engine.verify({ level: 'data' })
    for (const area of ['index', 'reports', 'state']) flip(objects(made.repository, area)[0]!, 0.5)
    // Its end says where its directory is.
    flip(objects(made.repository, 'packs')[0]!, 0.9999999)
    const steps = await repaired(made)
    expect(steps).toEqual(['restate-index', 'remove-object', 'replace-packs', 'retire-packs'])
    expect(contents(await restored(made, snapshot.id, await made.open()))).toEqual(contents(made.files))
  })

  it('copies whole objects from a mirror, of every kind', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    const mirror = join(made.repository, '..', 'mirror')
    cpSync(made.repository, mirror, { recursive: true })
    const engine = await made.open({ sources: [] })
    for (const area of ['config', 'keys', 'snapshots', 'reports']) flip(objects(made.repository, area)[0]!, 0.6)
    const [gone, ...others] = objects(made.repository, 'packs')
    unlinkSync(gone!)
    for (const pack of others) truncateSync(pack, 5000)
    const mirrors = [localTarget(mirror)]
    const plan = await engine.planRepair({ mirrors })
    expect(plan.steps.map(({ action }) => action)).toEqual(['copy-object'])
    expect(await engine.repair(plan, { mirrors })).toMatchObject({ state: 'done', findings: [], retired: 0 })
    const other = await made.open()
    await isSound(other)
    expect(contents(await restored(made, snapshot.id, other))).toEqual(contents(made.files))
  })

  it('takes single chunks, pages too, from a copy that has them in packs of other names', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    const mirror = join(made.repository, '..', 'mirror')
    cpSync(made.repository, mirror, { recursive: true })
    for (const pack of objects(made.repository, 'packs')) unlinkSync(pack)
    const engine = await made.open({ sources: [] })
    // Nobody thought of the copy at first.
    expect(await engine.repair(await engine.planRepair())).toMatchObject({ state: 'done', retired: 2 })
    const mirrors = [localTarget(mirror)]
    const other = await made.open({ sources: [] })
    const result = await other.repair(await other.planRepair({ mirrors }), { mirrors })
    expect(result).toMatchObject({ state: 'done', findings: [] })
    await isSound(await made.open())
    expect(contents(await restored(made, snapshot.id, await made.open()))).toEqual(contents(made.files))
  })

  it('lets a snapshot go that nothing can be read of, and only when told to', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    flip(objects(made.repository, 'snapshots')[0]!, 0.5)
    const engine = await made.open()
    const plan = await engine.planRepair({ level: 'structure' })
    expect(plan.losses.snapshots).toMatchObject([{ snapshot: snapshot.id, unreadable: true }])
    expect(await engine.repair(plan)).toMatchObject({ dropped: [] })
    expect(await engine.repair(plan, { drop: true, confirm: plan.digest })).toMatchObject({ dropped: [snapshot.id] })
    await isSound(await made.open())
  })

  it('loses pages as little as it must, and backups go on, before and after', async () => {
    const made = await place()
    const { snapshot } = await made.engine.backup()
    // Pages are in the smaller one.
    const packs = objects(made.repository, 'packs').sort((a, b) => statSync(a).size - statSync(b).size)
    unlinkSync(packs[0]!)
    const engine = await made.open({ sources: [] })
    const plan = await engine.planRepair()
    expect(plan.losses.snapshots).toMatchObject([{ snapshot: snapshot.id, entries: 33 }])
    await engine.repair(plan)
    const live = await made.open()
    const next = await live.backup()
    expect(next.warnings).toMatchObject([{ code: 'PARENT_LOST', details: { source: 'files', pages: 1, entries: 33 } }])
    expect((await live.backup()).warnings).toEqual([])
    expect(contents(await restored(made, next.snapshot.id, live))).toEqual(contents(made.files))
    expect((await live.verify({ snapshots: next.snapshot.id })).sound).toBe(true)
    // The same pages have come out, so the old one is whole again.
    expect((await live.verify({ level: 'data' })).sound).toBe(true)
  })

  it('a backup after a check stores anew what the check has missed', async () => {
    const made = await place()
    await made.engine.backup()
    unlinkSync(largest(made.repository))
    expect((await made.engine.verify()).sound).toBe(false)
    const { snapshot } = await made.engine.backup()
    expect(contents(await restored(made, snapshot.id))).toEqual(contents(made.files))
  })
})
