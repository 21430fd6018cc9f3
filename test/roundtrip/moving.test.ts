/** Trees that move under the backup: files that grow, vanish, or cannot be read; roots that go away. */
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type BackupEngine, filesystem, memoryTarget, type Source, wrapTarget } from '../../src/index.ts'
import {
  codeOf,
  expectSound,
  file,
  keysBelow,
  look,
  makeTree,
  noise,
  openOn,
  restored,
  scratch,
} from '../faults/support.ts'
import { unprivileged } from '../sources/filesystem/temporary.ts'

const space = scratch()
const source = (...names: string[]): string => space.at('source', ...names)

/** Calls `act` at the n-th pack that is stored: in the middle of a run. */
function atPack(n: number, act: () => void): ReturnType<typeof memoryTarget> {
  let packs = 0
  const inner = memoryTarget()
  return wrapTarget(inner, {
    objects: inner.objects,
    put: (key: string, body: Uint8Array<ArrayBuffer>, call?: object) => {
      if (key.startsWith('packs/') && ++packs === n) act()
      return inner.put(key, body, call)
    },
  })
}

/** The same source, but `act` runs after its session was opened: between the plan and the scan. */
function meanwhile(inner: Source, act: () => void): Source {
  return {
    ...inner,
    async open(context) {
      const session = await inner.open(context)
      act()
      return session
    },
  }
}

async function entriesOf(engine: BackupEngine, snapshot: string): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of engine.entries({ snapshot, recursive: true })) paths.push(path)
  return paths
}

describe('a file that changes while it is read', () => {
  it('is consistent, or said to be not', async () => {
    mkdirSync(source(), { recursive: true })
    file(source('before'), 'b')
    writeFileSync(source('log'), noise(20_000_000, 3))
    let running = true
    const writer = (async () => {
      while (running) {
        appendFileSync(source('log'), noise(1000, 77))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const engine = await openOn(memoryTarget(), source())
    const { snapshot, warnings } = await engine.backup()
    running = false
    await writer
    expect(warnings).toMatchObject([{ code: 'ENTRY_CHANGED_WHILE_READ', path: 'data/log' }])
    const to = space.at('to')
    await engine.restore(await engine.planRestore({ snapshot: snapshot.id, to: { folder: to } }))
    // An appended file is a prefix of what it is later.
    const found = readFileSync(join(to, 'data', 'log'))
    expect(found.length).toBeGreaterThanOrEqual(20_000_000)
    expect(found.equals(readFileSync(source('log')).subarray(0, found.length))).toBe(true)
    // The next backup must read it again whatever its times say.
    const next = await engine.backup()
    expect(next.warnings).toEqual([])
    expect(await restored(engine, next.snapshot.id, space.path)).toEqual(look(source()))
    await engine.close()
  })

  it('is read again, and is fine when it holds still then', async () => {
    mkdirSync(source(), { recursive: true })
    const content = noise(30_000_000, 4)
    writeFileSync(source('big'), content)
    const target = atPack(1, () => appendFileSync(source('big'), 'the end'))
    const engine = await openOn(target, source())
    const { snapshot, warnings, counts } = await engine.backup()
    expect(warnings).toEqual([])
    expect(counts.readBytes).toBeGreaterThan(content.length * 2)
    expect(await restored(engine, snapshot.id, space.path)).toEqual(look(source()))
    await engine.close()
  })
})

describe('a file that cannot be read', () => {
  async function withUnreadable(body: (engine: BackupEngine) => Promise<void>): Promise<void> {
    makeTree(source(), 100_000)
    chmodSync(space.path, 0o755)
    file(source('secret'), 'secret', 0o600)
    mkdirSync(source('closed'))
    file(source('closed', 'inside'), 'inside')
    chmodSync(source('closed'), 0o700)
    chmodSync(source('hollow'), 0o755)
    await unprivileged(async () => {
      const engine = await openOn(memoryTarget(), source())
      await body(engine)
      await engine.close()
    })
  }

  it('fails the run by default, which names it and says what to do', async () => {
    await withUnreadable(async (engine) => {
      await expect(engine.backup()).rejects.toMatchObject({
        code: 'SOURCE_DENIED',
        origin: 'source',
        details: { path: expect.stringMatching(/secret|closed/) },
        hint: expect.stringMatching(/right to read/),
      })
      expect(await engine.snapshots().page()).toMatchObject({ items: [] })
    })
  })

  it('is left out with a warning where that is wanted, and the snapshot is not complete', async () => {
    await withUnreadable(async (engine) => {
      const { snapshot, warnings, counts } = await engine.backup({ onEntryError: 'skip' })
      const skipped = warnings.map(({ code, path }) => [code, path]).sort()
      expect(skipped).toEqual([
        ['ENTRY_SKIPPED', 'data/closed'],
        ['ENTRY_SKIPPED', 'data/secret'],
      ])
      expect(snapshot.complete).toBe(false)
      expect(counts.skipped).toBe(2)
      const paths = await entriesOf(engine, snapshot.id)
      expect(counts.entries).toBe(paths.length)
      expect(counts.added).toBe(counts.entries)
      expect(paths).not.toContain('data/secret')
      expect(paths).not.toContain('data/closed/inside')
      const again = await engine.backup({ onEntryError: 'skip' })
      expect(again.counts).toMatchObject({ added: 0, deleted: 0, skipped: 2 })
      expect(again.counts.entries).toBe(again.counts.added + again.counts.modified + again.counts.unchanged)
    })
  })
})

describe('entries that go away', () => {
  it('between the scan and the reading are left out with a warning', async () => {
    mkdirSync(source(), { recursive: true })
    writeFileSync(source('a-big'), noise(40_000_000, 5))
    file(source('b-goes'), 'gone soon')
    file(source('c-stays'), 'stays')
    file(source('d-turns'), 'turns into a folder')
    file(source('e-links'), 'turns into a link')
    const target = atPack(1, () => {
      for (const name of ['b-goes', 'd-turns', 'e-links']) unlinkSync(source(name))
      mkdirSync(source('d-turns'))
      symlinkSync('c-stays', source('e-links'))
    })
    const engine = await openOn(target, source())
    const { snapshot, warnings, counts } = await engine.backup()
    expect(warnings.map(({ code, path }) => [code, path])).toEqual([
      ['ENTRY_CHANGED_WHILE_READ', 'data/b-goes'],
      ['ENTRY_CHANGED_WHILE_READ', 'data/d-turns'],
      ['ENTRY_CHANGED_WHILE_READ', 'data/e-links'],
    ])
    expect(await entriesOf(engine, snapshot.id)).toEqual(['data/a-big', 'data/c-stays'])
    expect(counts).toMatchObject({ entries: 2, added: 2, modified: 0, deleted: 0 })
    const next = await engine.backup()
    expect(next.counts).toMatchObject({ entries: 4, added: 2, deleted: 0 })
    expect(await restored(engine, next.snapshot.id, space.path)).toEqual(look(source()))
    await engine.close()
  })

  it('that the parent had count as deleted', async () => {
    mkdirSync(source(), { recursive: true })
    file(source('z'), 'first')
    const target = atPack(3, () => unlinkSync(source('z')))
    const engine = await openOn(target, source())
    await engine.backup()
    writeFileSync(source('a-big'), noise(40_000_000, 6))
    file(source('z'), 'second')
    const { counts } = await engine.backup()
    expect(counts).toMatchObject({ entries: 1, added: 1, modified: 0, deleted: 1 })
    await engine.close()
  })

  it('the whole source, before the scan, fail the run and commit nothing', async () => {
    makeTree(source(), 100_000)
    const target = memoryTarget()
    const inner = filesystem({ name: 'data', path: source(), xattrs: false })
    const engine = await openOn(target, source(), {
      sources: [meanwhile(inner, () => rmSync(source(), { recursive: true }))],
    })
    expect(await codeOf(engine.backup())).toBe('SOURCE_NOT_FOUND')
    expect(keysBelow(target, 'snapshots/')).toEqual([])
    expect(keysBelow(target, 'runs/')).toEqual([])
    await engine.close()
  })

  it('the whole source, moved away and another in its place, never pass for a folder that was emptied', async () => {
    for (let i = 0; i < 2000; i++) file(source(`f${i % 40}`, `${i}`), `${i}`)
    file(source('a'), noise(30_000_000, 7))
    const target = atPack(1, () => {
      renameSync(source(), space.at('elsewhere'))
      mkdirSync(source())
    })
    const engine = await openOn(target, source())
    const outcome = await codeOf(engine.backup())
    expect(outcome).toBe('SOURCE_INCOMPLETE')
    expect(keysBelow(target, 'snapshots/')).toEqual([])
    await engine.close()
  })
})

describe('a whole tree in motion', () => {
  it('never breaks a backup, nor what is in the repository', async () => {
    for (let i = 0; i < 300; i++) file(source(`d${i % 20}`, `${i}`), noise(3000, i + 1))
    const engine = await openOn(memoryTarget(), source(), { workers: undefined as never })
    let running = true
    const motion = (async () => {
      for (let i = 0; running; i++) {
        const dir = source(`d${i % 20}`)
        rmSync(join(dir, `${i % 300}`), { force: true, recursive: true })
        if (i % 3 === 0) writeFileSync(join(dir, `n${i % 50}`), `${i}`)
        if (i % 17 === 0) renameSync(dir, source('aside'))
        if (i % 17 === 0) renameSync(source('aside'), dir)
        await new Promise((resolve) => setTimeout(resolve, i % 2))
      }
    })()
    const outcomes = new Set<string>()
    for (let i = 0; i < 6; i++) outcomes.add(await codeOf(engine.backup()))
    running = false
    await motion
    // A folder that is away for a moment may be missed; nothing else may happen.
    expect([...outcomes]).toEqual(['resolved'])
    await expectSound(engine)
    const { snapshot } = await engine.backup()
    expect(await restored(engine, snapshot.id, space.path)).toEqual(look(source()))
    await engine.close()
  })
})
