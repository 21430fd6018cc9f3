/** One backup after the other of a tree that changes: what is counted, what is stored, what comes back. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type BackupEngine, filesystem, localTarget, memoryTarget } from '../../src/index.ts'
import { countingTarget } from '../../src/testing/index.ts'
import {
  expectSound,
  file,
  KEY,
  keysBelow,
  look,
  makeTree,
  noise,
  openOn,
  restored,
  scratch,
} from '../faults/support.ts'
import { differences, requirePrograms } from './outside-proof.ts'

const space = scratch()
const source = (...names: string[]): string => space.at('source', ...names)
beforeAll(requirePrograms)

/** So that what was just written is not racily clean any more. */
const past = (ms = 2100): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function expectExact(engine: BackupEngine, snapshot: string): Promise<void> {
  const to = space.at(`exact-${snapshot}`)
  await engine.restore(await engine.planRestore({ snapshot, to: { folder: to } }))
  expect(differences(source(), join(to, 'data'))).toBe('')
}

describe('a changed tree', () => {
  it('is counted right, and each snapshot restores what was there', async () => {
    makeTree(source(), 3_000_000)
    const engine = await openOn(memoryTarget(), source())
    const first = await engine.backup()
    const before = look(source())
    const { entries } = first.counts
    expect(first.counts).toMatchObject({ added: entries, modified: 0, unchanged: 0, deleted: 0, skipped: 0 })
    expect(entries).toBe(Object.keys(before).length)
    await past()
    await engine.backup()

    file(source('added'), 'new')
    file(source('folder-0', 'deep-0', 'file-0'), 'other content')
    rmSync(source('folder-1', 'deep-1', 'file-7'))
    renameSync(source('big'), source('renamed'))
    rmSync(source('dangling'))
    file(source('dangling'), 'a file now')
    chmodSync(source('hollow'), 0o755)
    const second = await engine.backup()
    // Modified: the file, the link that became a file, the folder, and the folder that a file went from.
    expect(second.counts).toMatchObject({ added: 2, deleted: 2, modified: 4, skipped: 0 })
    expect(second.counts.unchanged).toBe(entries - 6)
    expect(second.counts.newBytes).toBeLessThan(60_000)
    await expectExact(engine, second.snapshot.id)
    expect(await restored(engine, first.snapshot.id, space.path)).toEqual(before)

    rmSync(source(), { recursive: true })
    mkdirSync(source())
    const third = await engine.backup()
    expect(third.counts).toMatchObject({ entries: 0, deleted: entries, added: 0 })
    await expectExact(engine, third.snapshot.id)
    await expectSound(engine)
    await engine.close()
  })

  it('that did not change reads and stores nothing', async () => {
    makeTree(source(), 6_000_000)
    await past()
    const target = memoryTarget()
    const engine = await openOn(target, source())
    await engine.backup()
    const packs = keysBelow(target, 'packs/')
    for (const fresh of [false, true]) {
      const used = fresh ? await openOn(target, source()) : engine
      const { counts, snapshot } = await used.backup()
      expect(counts).toMatchObject({ added: 0, modified: 0, deleted: 0, readBytes: 0, newBytes: 0, storedBytes: 0 })
      expect(counts.unchanged).toBe(counts.entries)
      expect(keysBelow(target, 'packs/')).toEqual(packs)
      await expectExact(engine, snapshot.id)
      if (fresh) await used.close()
    }
    await engine.close()
  })

  it('a file written again within the same moment, with the same size and time, is not missed', async () => {
    mkdirSync(source())
    const engine = await openOn(memoryTarget(), source())
    for (let i = 0; i < 8; i++) {
      writeFileSync(source('file'), `content ${i}`)
      utimesSync(source('file'), 1_600_000_000, 1_600_000_000)
      const { snapshot } = await engine.backup()
      expect(await restored(engine, snapshot.id, space.path)).toEqual(look(source()))
    }
    await engine.close()
  })

  it('grows over a dozen snapshots, with many fragments of the index, and all of them restore', async () => {
    makeTree(source(), 300_000)
    const target = memoryTarget()
    const engine = await openOn(target, source())
    const looks = new Map<string, unknown>()
    for (let i = 0; i < 15; i++) {
      file(source(`gen-${i % 4}`, `${i}`), noise(20_000 + i, 100 + i))
      if (i % 3 === 2) rmSync(source(`gen-${(i - 1) % 4}`, `${i - 1}`))
      const { snapshot } = await engine.backup()
      looks.set(snapshot.id, look(source()))
    }
    const fresh = await openOn(target, source())
    for (const [id, expected] of looks) {
      for (const each of [engine, fresh]) expect(await restored(each, id, space.path)).toEqual(expected)
    }
    await expectSound(fresh)
    await fresh.close()
    await engine.close()
  })

  it('links that gain and lose names come back as they were', async () => {
    makeTree(source(), 200_000)
    const engine = await openOn(memoryTarget(), source())
    await engine.backup()
    linkSync(source('big'), source('another-name'))
    rmSync(source('second-name'))
    symlinkSync('big', source('soft'))
    const { snapshot } = await engine.backup()
    await expectExact(engine, snapshot.id)
    expect(statSync(space.at(`exact-${snapshot.id}`, 'data', 'big')).nlink).toBe(2)
    await engine.close()
  })
})

describe('a repository inside its own source', () => {
  it('is left out', async () => {
    makeTree(source(), 100_000)
    const engine = await openOn(localTarget(source('folder-1', 'repository')), source(), {
      sources: [filesystem({ name: 'data', path: source() })],
    })
    await engine.backup()
    const { snapshot } = await engine.backup()
    const paths: string[] = []
    for await (const { path } of engine.entries({ snapshot: snapshot.id, recursive: true })) paths.push(path)
    expect(paths.filter((path) => path.includes('repository'))).toEqual([])
    expect(paths).toContain('data/folder-1/deep-1/file-1')
    await engine.close()
  })
})

describe('a process that is opened on what another wrote', () => {
  it('asks for little when nothing has changed', async () => {
    makeTree(source(), 2_000_000)
    await past()
    const inner = memoryTarget()
    const first = await openOn(inner, source())
    await first.backup()
    await first.close()
    const target = countingTarget(inner)
    const second = await openOn(target, source(), { key: KEY })
    await second.backup()
    expect(target.count('put', 'packs/')).toBe(0)
    expect(target.count('put', 'index/')).toBe(0)
    expect(target.operations.length).toBeLessThan(30)
    await second.close()
    expect(readFileSync(source('big')).length).toBe(2_000_000)
  })
})
