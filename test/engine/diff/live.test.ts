import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BackupEngine } from '../../../src/engine/engine.ts'
import type { DiffOptions } from '../../../src/engine/types/index.ts'
import { filesystem } from '../../../src/sources/filesystem/filesystem.ts'
import type { SourceEntry } from '../../../src/sources/source.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { workerPool } from '../../../src/workers/threads/pool.ts'
import { file, folder, listSource, MTIME, noise, openEngine, watchReadings } from '../browse/browse-fixture.ts'

afterEach(() => void vi.restoreAllMocks())

async function live(engine: BackupEngine, over: Partial<DiffOptions> = {}): Promise<string[]> {
  const { changes, head } = await engine.diff({ base: 'latest', head: 'live', ...over })
  expect(head).toBe('live')
  return (await changes.toArray()).map(({ path, type }) => `${type} ${path}`)
}

describe('diff of a file tree as it is now', () => {
  let root: string
  const at = (path: string): string => join(root, path)
  const old = new Date(MTIME)

  function write(path: string, content: string | Uint8Array): void {
    writeFileSync(at(path), content)
    utimesSync(at(path), old, old)
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'holdfast-live-'))
    for (const path of ['d', 'd/deep', 'gone']) mkdirSync(at(path))
    for (const path of ['a', 'd/b', 'd/deep/c', 'gone/x', 'kind', 'mode', 'touch']) write(path, path)
    write('empty', '')
    write('large', noise(3_000_000))
    symlinkSync('a', at('link'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  async function backedUp(over: Parameters<typeof openEngine>[1] = {}): Promise<BackupEngine> {
    const engine = await openEngine([filesystem({ name: 's', path: root, xattrs: false })], over)
    await engine.backup()
    return engine
  }

  it('finds nothing where nothing changed, by metadata and by content, and stores nothing', async () => {
    const target = countingTarget(memoryTarget())
    const engine = await backedUp({ target })
    target.reset()
    expect(await live(engine)).toEqual([])
    expect(await live(engine, { checksum: true })).toEqual([])
    expect(target.count('put')).toBe(0)
  })

  it('tells the kinds of change apart', async () => {
    const engine = await backedUp()
    write('a', 'longer')
    write('new', 'five5')
    rmSync(at('gone'), { recursive: true })
    unlinkSync(at('kind'))
    mkdirSync(at('kind'))
    chmodSync(at('mode'), 0o600)
    unlinkSync(at('link'))
    symlinkSync('b', at('link'))
    utimesSync(at('touch'), new Date(), new Date(MTIME + 1))
    utimesSync(at('empty'), new Date(), new Date(MTIME + 1))
    const expected = [
      'modified s/a',
      'metadata s/empty',
      'deleted s/gone',
      'deleted s/gone/x',
      'type-changed s/kind',
      'modified s/link',
      'metadata s/mode',
      'added s/new',
      'modified s/touch',
    ]
    expect(await live(engine)).toEqual(expected)
    const touched = expected.map((line) => (line === 'modified s/touch' ? 'metadata s/touch' : line))
    expect(await live(engine, { checksum: true })).toEqual(touched)
    const { totals, changes } = await engine.diff({ base: 'latest', head: 'live' })
    expect(totals.added).toEqual({ count: 1, bytes: 5 })
    expect(totals.deleted).toEqual({ count: 2, bytes: 6 })
    const [first] = await changes.toArray()
    expect(first).toMatchObject({ before: { path: 's/a', size: 1, modifiedAt: old }, after: { path: 's/a', size: 6 } })
  })

  it('does not report what only changes ctime or inode', async () => {
    const engine = await backedUp()
    chmodSync(at('a'), 0o600)
    chmodSync(at('a'), 0o644)
    write('other', 'd/b')
    rmSync(at('d/b'))
    linkSync(at('other'), at('d/b'))
    unlinkSync(at('other'))
    const d = new Date(MTIME)
    utimesSync(at('d'), d, d)
    expect((await live(engine)).filter((line) => line !== 'metadata s/d')).toEqual([])
  })

  it('finds content that changed behind equal metadata with checksum alone', async () => {
    const engine = await backedUp()
    write('a', 'A')
    const changed = noise(3_000_000)
    changed[2_900_000]! ^= 1
    write('large', changed)
    expect(await live(engine)).toEqual([])
    expect(await live(engine, { checksum: true })).toEqual(['modified s/a', 'modified s/large'])
    expect(await live(engine, { checksum: true, select: { exclude: ['s/large'] } })).toEqual(['modified s/a'])
  })

  it('works with real threads', async () => {
    await using pool = workerPool({ threads: 2 })
    for (let i = 0; i < 2000; i++) write(`d/deep/f${i}`, String(i % 10))
    const engine = await backedUp({ workers: pool })
    write('d/deep/f1234', '5')
    expect(await live(engine)).toEqual([])
    expect(await live(engine, { checksum: true })).toEqual(['modified s/d/deep/f1234'])
    await engine.close()
  })

  it("shows everything as added to 'empty', and selects", async () => {
    const engine = await openEngine([filesystem({ name: 's', path: root }), listSource('t', [file('x')])])
    expect(await live(engine, { base: 'empty', select: { include: ['s/d', 't'] } })).toEqual([
      'added s/d',
      'added s/d/b',
      'added s/d/deep',
      'added s/d/deep/c',
      'added t/x',
    ])
    expect(await live(engine, { base: 'empty', select: { sources: ['t'] } })).toEqual(['added t/x'])
  })

  it('does not call deleted what it may not look at', async () => {
    const target = memoryTarget()
    await (await backedUp({ target })).close()
    const source = filesystem({ name: 's', path: root, maxFileBytes: 1000, xattrs: false })
    const engine = await openEngine([source], { target })
    const run = engine.diff({ base: 'latest', head: 'live', runId: 'r' })
    const warned: unknown[] = []
    for await (const update of engine.follow('r')) if (update.type === 'warning') warned.push(update.warning)
    expect(await (await run).changes.toArray()).toEqual([])
    expect(warned).toEqual([expect.objectContaining({ code: 'ENTRY_SKIPPED', path: 's/large' })])
  })

  it('fails, and leaves nothing, where the tree is gone', async () => {
    const engine = await backedUp()
    const readings = watchReadings()
    rmSync(root, { recursive: true })
    await expect(live(engine)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND', origin: 'source' })
    expect(readings.left).toBe(0)
    mkdirSync(root)
  })
})

describe('diff of a custom source as it is now', () => {
  const streamed = (path: string, text: string, over: Partial<SourceEntry> = {}): SourceEntry => {
    const open = async function* () {
      for (const letter of text) yield new TextEncoder().encode(letter)
    }
    const { size: _, ...entry } = file(path, text, over)
    return { ...entry, content: { from: 'stream', open } }
  }

  it('goes by fingerprints, which stand for content', async () => {
    const source = listSource('s', [file('a', '1'), file('b', '1'), streamed('c', 'unsized')])
    const engine = await openEngine([source])
    await engine.backup()
    expect(await live(engine)).toEqual([])
    source.list = [
      file('a', '1', { fingerprint: 'other' }),
      file('b', '1', { modifiedAt: new Date(MTIME + 5) }),
      streamed('c', 'UNSIZED'),
    ]
    expect(await live(engine)).toEqual(['modified s/a', 'metadata s/b', 'modified s/c'])
    expect(await live(engine, { checksum: true })).toEqual(['metadata s/b', 'modified s/c'])
    const { changes } = await engine.diff({ base: 'latest', head: 'live', checksum: true })
    expect((await changes.toArray())[1]).toMatchObject({ before: { size: 7 }, after: { size: 7 } })
  })

  it('reads what has neither size nor fingerprint with checksum alone', async () => {
    const bare = (text: string): SourceEntry => {
      const { fingerprint: _, ...entry } = streamed('c', text)
      return entry
    }
    const source = listSource('s', [bare('one'), folder('d')])
    const engine = await openEngine([source])
    await engine.backup()
    source.list = [bare('two!'), folder('d')]
    expect(await live(engine)).toEqual([])
    const { changes, totals } = await engine.diff({ base: 'latest', head: 'live', checksum: true })
    expect(totals.modified).toEqual({ count: 1, bytes: 4 })
    expect(await changes.toArray()).toMatchObject([{ path: 's/c', before: { size: 3 }, after: { size: 4 } }])
  })

  it('compares many batches and many deletions in between', async () => {
    const name = (i: number): string => `f${String(i).padStart(6, '0')}`
    const all = Array.from({ length: 6000 }, (_, i) => file(name(i), 'x'))
    const source = listSource('s', all)
    const engine = await openEngine([source])
    await engine.backup()
    source.list = all.filter((_, i) => i < 100 || i > 4000).concat(file('z'))
    const found = await live(engine, { checksum: true })
    expect(found).toEqual([...Array.from({ length: 3901 }, (_, i) => `deleted s/${name(100 + i)}`), 'added s/z'])
    source.list = []
    expect(await live(engine)).toHaveLength(6000)
  })

  it('compares the sources of the base, or those selected; one it does not have is refused', async () => {
    const [a, b] = [listSource('a', [file('x')]), listSource('b', [file('y')])]
    const target = memoryTarget()
    const engine = await openEngine([a, b], { target })
    await engine.backup({ sources: ['a'] })
    expect(await live(engine)).toEqual([])
    expect(await live(engine, { select: { sources: ['b'] } })).toEqual(['added b/y'])
    const error = { code: 'INVALID_OPTIONS', message: expect.stringContaining('select.sources') }
    await expect(live(engine, { select: { sources: ['c'] } })).rejects.toMatchObject(error)
    await engine.close()
    const other = await openEngine([b], { target })
    await expect(live(other)).rejects.toMatchObject(error)
  })

  it('closes every source it opened, after success, failure and abort', async () => {
    const sources = [listSource('a', [file('x')]), listSource('b', [file('y')])]
    const engine = await openEngine(sources)
    await engine.backup()
    const readings = watchReadings()
    const events: string[] = []
    engine.on('source:open', ({ source }) => events.push(`open ${source}`))
    engine.on('source:release', ({ source }) => events.push(`release ${source}`))
    await live(engine)
    expect(events).toEqual(['open a', 'open b', 'release a', 'release b'])
    sources[1]!.list = [file('y', 'yy', { size: 1, fingerprint: 'f' })]
    await expect(live(engine, { checksum: true })).rejects.toMatchObject({ code: 'SOURCE_CHANGED' })
    const hanging: SourceEntry = {
      ...file('y', 'y', { fingerprint: 'g' }),
      content: {
        from: 'stream',
        open: async function* ({ signal }) {
          yield new Uint8Array(0)
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      },
    }
    sources[1]!.list = [hanging]
    const abort = new AbortController()
    const running = live(engine, { checksum: true, signal: abort.signal })
    running.catch(() => undefined)
    await vi.waitFor(() => expect(sources[1]!.sessions).toBe(1))
    abort.abort()
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
    expect([...sources.map(({ sessions }) => sessions), readings.left]).toEqual([0, 0, 0])
    expect(engine.runs()).toEqual([])
  })

  it('refuses entries out of order', async () => {
    const source = listSource('s', [file('a')])
    const engine = await openEngine([source])
    await engine.backup()
    const { open } = source
    source.open = async (context) => ({
      ...(await open(context)),
      async *entries() {
        yield [file('b'), file('a')]
      },
      async [Symbol.asyncDispose]() {},
    })
    await expect(live(engine)).rejects.toMatchObject({ code: 'SOURCE_INCOMPLETE' })
  })
})
