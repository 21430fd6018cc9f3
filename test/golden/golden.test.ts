/**
 * What releases have written stays readable: each golden repository is opened, listed and read as it lies there. These
 * files are never made anew; a change of stored bytes adds a repository beside them.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BackupEngine } from '../../src/engine/engine.ts'
import type { Entry } from '../../src/engine/types/index.ts'
import { runRecord } from '../../src/model/run.ts'
import { snapshotRecord } from '../../src/model/snapshot.ts'
import { tombstoneRecord } from '../../src/model/tombstone.ts'
import { openRepository } from '../../src/repository/open.ts'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { readOnly } from '../../src/targets/wrappers/read-only.ts'
import { TransformRegistry } from '../../src/transforms/registry.ts'
import { EXPECTED_FILE, GOLDEN, type Golden, REPOSITORIES_FOLDER, SCENES_FILE, VECTORS_FILE } from './repositories.ts'
import { expectedTree, SCENE_SOURCE, type SceneEntry } from './scene-tree.ts'
import { SCENES } from './scenes.ts'
import { type Expected, expectedOf, recordsSource, STATES } from './tree.ts'
import { makeVectors } from './vectors.ts'

const GOLDEN_FOLDER = join(REPOSITORIES_FOLDER, '..')
const NAMES = ['first', 'second']
const expected = JSON.parse(readFileSync(EXPECTED_FILE, 'utf8')) as Expected[][]

const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1)

function folderOf({ name }: { name: string }): string {
  return join(REPOSITORIES_FOLDER, name)
}

/** Every file and folder with size, time of change and bytes. */
function everything(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stat = statSync(join(folder, name))
      const content = stat.isFile() ? sha256(readFileSync(join(folder, name))) : ''
      return `${name} ${stat.size} ${stat.mtimeMs} ${content}`
    })
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

function openGolden(golden: Pick<Golden, 'name' | 'key'>): Promise<BackupEngine> {
  const target = readOnly(localTarget(folderOf(golden)))
  // Transforms are for new data: what is stored says itself how it is read.
  return BackupEngine.open({ target, key: golden.key, transforms: [], workers: 'inline', create: 'never' })
}

async function found(engine: BackupEngine, snapshot: string, entry: Entry, wanted: Expected): Promise<Expected> {
  const { path, type, size, linkTarget, mode, modifiedAt } = entry
  const content = wanted.sha256 && Buffer.concat(await (await engine.read({ snapshot, path })).toArray())
  return {
    path,
    type,
    size,
    ...(content !== undefined && { sha256: sha256(content as Buffer) }),
    ...(linkTarget !== undefined && { linkTarget }),
    ...(type !== 'symlink' && mode !== undefined && { mode }),
    ...(modifiedAt && { modifiedAt: modifiedAt.toISOString() }),
  }
}

describe.each(GOLDEN)('the golden repository $name', (golden) => {
  it('is listed and read as it was written, and nothing is written to it', { timeout: 120_000 }, async () => {
    const before = everything(folderOf(golden))
    await using engine = await openGolden(golden)
    const snapshots = await engine.snapshots().toArray()
    expect(snapshots.map(({ name }) => name)).toEqual([...NAMES].reverse())
    for (const [number, name] of NAMES.entries()) {
      const { id } = snapshots.find((each) => each.name === name)!
      const entries = (await engine.entries({ snapshot: id, recursive: true }).toArray()).filter(({ path }) =>
        path.includes('/'),
      )
      const wanted = new Map(expected[number]!.map((each) => [each.path, each]))
      expect(entries.map(({ path }) => path).sort()).toEqual([...wanted.keys()].sort())
      const read: Expected[] = []
      for (const entry of entries) read.push(await found(engine, id, entry, wanted.get(entry.path)!))
      expect(read.sort(byPath)).toEqual([...wanted.values()].sort(byPath))
    }
    const history = await engine.history.list({ verbs: ['backup'] }).toArray()
    expect(history.map(({ verb, status }) => ({ verb, status }))).toEqual(
      NAMES.map(() => ({ verb: 'backup', status: 'ok' })),
    )
    expect(everything(folderOf(golden))).toEqual(before)
  })

  it('takes a backup on top, and is proved sound byte by byte', { timeout: 120_000 }, async () => {
    const target = memoryTarget()
    const from = localTarget(folderOf(golden))
    for await (const { key } of from.list('')) await target.put(key, await from.get(key))
    const { key, transforms } = golden
    await using engine = await BackupEngine.open({ target, key, transforms, workers: 'inline', create: 'never' })
    await engine.backup({ sources: [recordsSource()] })
    expect(await engine.verify({ level: 'data' })).toMatchObject({ sound: true, findings: [], coverage: 1 })
  })
})

const scenes = JSON.parse(readFileSync(SCENES_FILE, 'utf8')) as Record<string, Record<string, SceneEntry[]>>
const OPENINGS = SCENES.flatMap((scene) => scene.keys.map((key, i) => ({ ...scene, key, opening: `${scene.name}, key ${i}` })))

describe.each(OPENINGS)('the golden repository $opening', (scene) => {
  it('is listed and read as it was written, and nothing is written to it', { timeout: 60_000 }, async () => {
    const before = everything(folderOf(scene))
    await using engine = await openGolden(scene)
    const wanted = scenes[scene.name]!
    const snapshots = await engine.snapshots({ order: 'oldest' }).toArray()
    expect(snapshots.map(({ name }) => name)).toEqual(Object.keys(wanted))
    for (const { id, name } of snapshots) {
      const entries = await engine.entries({ snapshot: id, path: SCENE_SOURCE, recursive: true }).toArray()
      expect(entries.map(({ path }) => path).sort()).toEqual(wanted[name!]!.map(({ path }) => path).sort())
      const byPath = new Map(entries.map((each) => [each.path, each]))
      for (const each of wanted[name!]!) await compare(engine, id, byPath.get(each.path)!, each)
    }
    expect(everything(folderOf(scene))).toEqual(before)
  })
})

async function compare(engine: BackupEngine, snapshot: string, entry: Entry, wanted: SceneEntry): Promise<void> {
  const { path, type, size, mode, linkTarget, xattrs, device, rdev, sha256: hash, mtime } = wanted
  expect(entry).toMatchObject({ type, size, mode, ...(linkTarget !== undefined && { linkTarget }) })
  expect(entry.modifiedAt!.getTime(), path).toBe(Math.floor(Number(mtime.slice(0, -3)) / 1000))
  const facts = { 'holdfast.xattrs': xattrs, 'holdfast.device': device, 'holdfast.rdev': rdev }
  expect(entry.facts, path).toEqual(JSON.parse(JSON.stringify(facts)))
  if (hash === undefined) return
  const content = Buffer.concat(await (await engine.read({ snapshot, path })).toArray())
  expect(sha256(content), path).toBe(hash)
}

describe('the golden repository undone', () => {
  it('says which snapshot it was before it was forgotten, and which ones those name that were killed', async () => {
    const { key } = SCENES.find(({ name }) => name === 'undone')!
    const target = readOnly(localTarget(folderOf({ name: 'undone' })))
    const options = { target, key, create: 'never', transforms: [], registry: new TransformRegistry() } as const
    const { records } = await openRepository({ ...options, now: new Date() })
    const all = async (area: 'snapshots' | 'runs'): Promise<Uint8Array[]> => {
      const keys: string[] = []
      for await (const { key: found } of target.list(`${area}/`)) keys.push(found)
      return await Promise.all(keys.sort().map((each) => records.get(area === 'runs' ? 'control' : area, each)))
    }
    const [first, second, ...stored] = await all('snapshots')
    expect([first, second].map((bytes) => tombstoneRecord.decode(bytes!).reason)).toEqual(['forgotten', 'forgotten'])
    const [three, one] = stored.map((bytes) => snapshotRecord.decode(bytes))
    expect(one!.undoneFrom).toBe(tombstoneRecord.decode(first!).id)
    const runs = (await all('runs')).map((bytes) => runRecord.decode(bytes))
    expect(runs.map(({ verb, forgets }) => ({ verb, forgets }))).toEqual([
      { verb: 'forget', forgets: [three!.id, one!.id] },
      { verb: 'prune', forgets: [one!.id] },
    ])
  })
})

describe('golden files', () => {
  it('hold what the tree of this folder says', () => {
    expect(expected).toEqual(JSON.parse(JSON.stringify(STATES.map(expectedOf))))
    for (const { name, snapshots } of SCENES) {
      const said = Object.entries(snapshots).map(([snapshot, nodes]) => [snapshot, expectedTree(nodes)])
      expect(scenes[name], name).toEqual(JSON.parse(JSON.stringify(Object.fromEntries(said))))
    }
  })

  it('are small', () => {
    const files = readdirSync(GOLDEN_FOLDER, { recursive: true, encoding: 'utf8' }).map((name) => statSync(join(GOLDEN_FOLDER, name)))
    const bytes = files.filter((stat) => stat.isFile()).reduce((sum, { size }) => sum + size, 0)
    expect(bytes).toBeLessThan(1_000_000)
  })

  it('keep their bytes: a change of stored bytes touches docs/format.md and a new golden file', async () => {
    const stored = JSON.parse(readFileSync(VECTORS_FILE, 'utf8')) as unknown
    const made = JSON.parse(JSON.stringify(await makeVectors())) as unknown
    expect(made, 'a change of stored bytes touches docs/format.md and a new golden file').toEqual(stored)
  })
})
