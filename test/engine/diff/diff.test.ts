import { afterEach, describe, expect, it, vi } from 'vitest'
import type { BackupEngine } from '../../../src/engine/engine.ts'
import type { Change, Diff, DiffOptions } from '../../../src/engine/types/index.ts'
import type { SourceEntry } from '../../../src/sources/source.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../../src/targets/target.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { workerPool } from '../../../src/workers/threads/pool.ts'
import { file, folder, listSource, MTIME, noise, openEngine, symlink, watchReadings } from '../browse/browse-fixture.ts'

afterEach(() => void vi.restoreAllMocks())

const NONE = { count: 0, bytes: 0 }
const NOTHING = { added: NONE, modified: NONE, deleted: NONE, metadata: NONE, 'type-changed': NONE }

/** One snapshot for each state of the source `s`, and what is different between the first and the last. */
async function snapshots(
  ...states: readonly (readonly SourceEntry[])[]
): Promise<{ engine: BackupEngine; ids: string[] }> {
  const source = listSource('s')
  const engine = await openEngine([source])
  const ids: string[] = []
  for (const state of states) {
    source.list = state
    ids.push((await engine.backup()).snapshot.id)
  }
  return { engine, ids }
}

async function between(before: readonly SourceEntry[], after: readonly SourceEntry[], over: Partial<DiffOptions> = {}) {
  const { engine, ids } = await snapshots(before, after)
  const found = await engine.diff({ base: ids[0]!, head: ids[1]!, ...over })
  return { found, short: await short(found), ids, engine }
}

async function short({ changes }: Diff): Promise<string[]> {
  return (await changes.toArray()).map(({ path, type }) => `${type} ${path}`)
}

const later = new Date(MTIME + 60_000)

describe('diff of two snapshots', () => {
  it('tells the kinds of change apart, in path order, with totals', async () => {
    const { found, short, ids } = await between(
      [
        file('chmod', 'a'),
        folder('d'),
        file('d/gone', 'four'),
        file('kind'),
        symlink('link', 'a'),
        file('same'),
        file('text', '1'),
        file('touch'),
      ],
      [
        file('chmod', 'a', { mode: 0o600 }),
        folder('d'),
        file('d/new', 'three'),
        symlink('kind', 'x'),
        symlink('link', 'b'),
        file('same'),
        file('text', '22'),
        file('touch', 'touch', { modifiedAt: later }),
      ],
    )
    expect(short).toEqual([
      'metadata s/chmod',
      'deleted s/d/gone',
      'added s/d/new',
      'type-changed s/kind',
      'modified s/link',
      'modified s/text',
      'metadata s/touch',
    ])
    expect(found).toMatchObject({ base: ids[0], head: ids[1] })
    expect(found.totals).toEqual({
      added: { count: 1, bytes: 5 },
      deleted: { count: 1, bytes: 4 },
      modified: { count: 2, bytes: 2 },
      metadata: { count: 2, bytes: 6 },
      'type-changed': { count: 1, bytes: 0 },
    })
  })

  it('gives both sides of a change as entries() gives them', async () => {
    const { found, engine, ids } = await between([file('f', '1')], [file('f', '22', { mode: 0o600 })])
    const [change] = await found.changes.toArray()
    const of = async (snapshot: string) => (await engine.entries({ snapshot, path: 's/f' }).toArray())[0]
    expect(change).toEqual({ path: 's/f', type: 'modified', before: await of(ids[0]!), after: await of(ids[1]!) })
  })

  it('finds nothing between equal ones, in either direction, nor within one', async () => {
    const { engine, ids } = await snapshots([file('a')], [file('a'), file('b')], [file('a')])
    for (const [base, head] of [
      [0, 2],
      [2, 0],
      [1, 1],
    ] as const) {
      const found = await engine.diff({ base: ids[base]!, head: ids[head]! })
      expect(found.totals).toEqual(NOTHING)
      expect(await found.changes.page()).toEqual({ items: [], total: 0 })
    }
  })

  it("takes 'empty' as a base, and sources that only one side has", async () => {
    const [a, b] = [listSource('a', [file('x', 'xx')]), listSource('b', [folder('d'), file('d/y', 'yyy')])]
    const engine = await openEngine([a, b])
    const first = await engine.backup({ sources: ['a'] })
    const second = await engine.backup({ sources: ['b'] })
    const whole = await engine.diff({ base: 'empty', head: second.snapshot.id })
    expect(await short(whole)).toEqual(['added b/d', 'added b/d/y'])
    expect(whole.base).toBe('empty')
    const across = await engine.diff({ base: first.snapshot.id, head: second.snapshot.id })
    expect(await short(across)).toEqual(['deleted a/x', 'added b/d', 'added b/d/y'])
  })

  it('selects by source, pattern and time', async () => {
    const before = [folder('d'), file('d/a.txt', '1'), file('e.txt', '1')]
    const after = [
      folder('d', { mode: 0o700 }),
      file('d/a.txt', '22', { modifiedAt: later }),
      file('d/b.png'),
      file('e.txt', '22'),
    ]
    const { engine, ids } = await snapshots(before, after)
    const selected = async (select: DiffOptions['select'] & object): Promise<string[]> =>
      short(await engine.diff({ base: ids[0]!, head: ids[1]!, select }))
    expect(await selected({ include: ['s/d'] })).toEqual(['metadata s/d', 'modified s/d/a.txt', 'added s/d/b.png'])
    expect(await selected({ include: ['s/*'], exclude: ['**/*.png'] })).toEqual([
      'metadata s/d',
      'modified s/d/a.txt',
      'modified s/e.txt',
    ])
    expect(await selected({ exclude: ['s/d/'] })).toEqual(['modified s/e.txt'])
    expect(await selected({ changedAfter: later })).toEqual(['modified s/d/a.txt'])
    expect(await selected({ sources: ['s'], include: ['**/e.*'] })).toEqual(['modified s/e.txt'])
    await expect(selected({ sources: ['t'] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      details: expect.objectContaining({ option: 'select.sources' }),
    })
  })

  it('applies a pattern to a folder that did not change itself, however many entries lie between', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => file(`top/${String(i).padStart(5, '0')}`))
    const before = [folder('top'), ...many]
    const after = [...before, file('top/99999')]
    const { short } = await between(before, after, { select: { include: ['s/t*'], exclude: ['s/top/0*'] } })
    expect(short).toEqual(['added s/top/99999'])
  })

  it('does not call a link group of another name a change, but linking itself', async () => {
    const linked = (group?: string): SourceEntry => file('f', 'f', group === undefined ? {} : { linkGroup: group })
    expect((await between([linked('1:2')], [linked('1:3')])).short).toEqual([])
    expect((await between([linked()], [linked('1:3')])).short).toEqual(['metadata s/f'])
  })

  it('is a run: listed, with progress to 100 percent, and refused for unknown snapshots', async () => {
    const { engine, ids } = await snapshots([file('a')], [file('b')])
    const percents: (number | null)[] = []
    const running = engine.diff({
      base: ids[0]!,
      head: ids[1]!,
      runId: 'mine',
      onProgress: ({ percent }) => percents.push(percent),
    })
    expect(engine.runs().map(({ runId, verb }) => [runId, verb])).toEqual([['mine', 'diff']])
    await running
    expect(percents.at(-1)).toBe(100)
    await expect(engine.diff({ base: 'zzzzzz', head: ids[0]! })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  })

  it('stops on abort and leaves nothing', async () => {
    const inner = memoryTarget()
    const source = listSource('s', [file('a')])
    const first = await openEngine([source], { target: inner })
    const ids = [(await first.backup()).snapshot.id]
    source.list = [file('b')]
    ids.push((await first.backup()).snapshot.id)
    await first.close()
    const abort = new AbortController()
    const get: Target['get'] = (key, call) => {
      if (key.startsWith('packs/')) abort.abort()
      return inner.get(key, call)
    }
    const engine = await openEngine([], { target: wrapTarget(inner, { get }) })
    const readings = watchReadings()
    const running = engine.diff({ base: ids[0]!, head: ids[1]!, signal: abort.signal })
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
    expect(abort.signal.aborted).toBe(true)
    expect(readings.left).toBe(0)
  })

  it('works with real threads', async () => {
    await using pool = workerPool({ threads: 2 })
    const source = listSource('s', [file('a', '1')])
    await using engine = await openEngine([source], { workers: pool })
    const first = await engine.backup()
    source.list = [file('a', '2')]
    const second = await engine.backup()
    expect(await short(await engine.diff({ base: first.snapshot.id, head: second.snapshot.id }))).toEqual([
      'modified s/a',
    ])
  })
})

describe('diff of large snapshots', () => {
  const note = (i: number): string => Buffer.from(noise(90, i + 1)).toString('hex')
  const entry = (i: number, mode = 0o644): SourceEntry => ({
    path: `d/${String(i).padStart(6, '0')}`,
    type: 'fifo',
    mode,
    facts: { note: note(i) },
  })

  it('opens only the pages that differ, and none where nothing does', async () => {
    const target = countingTarget(memoryTarget())
    const source = listSource('s', [folder('d'), ...Array.from({ length: 30_000 }, (_, i) => entry(i))])
    const engine = await openEngine([source], { target })
    const ids = [(await engine.backup()).snapshot.id, (await engine.backup()).snapshot.id]
    source.list = source.list.map((each, i) => (i === 20_000 ? { ...each, mode: 0o600 } : each)).concat(entry(500_000))
    ids.push((await engine.backup()).snapshot.id)
    const cost = async (base: string, head: string): Promise<[number, number]> => {
      target.reset()
      const { totals } = await engine.diff({ base, head })
      const bytes = target.operations.reduce(
        (sum, each) => sum + (each.key.startsWith('packs/') ? (each.bytes ?? 0) : 0),
        0,
      )
      return [Object.values(totals).reduce((sum, { count }) => sum + count, 0), bytes]
    }
    const [all, everything] = await cost('empty', ids[2]!)
    expect(all).toBe(30_002)
    expect(await cost(ids[0]!, ids[1]!)).toEqual([0, 0])
    const [changed, little] = await cost(ids[1]!, ids[2]!)
    expect(changed).toBe(2)
    expect(little).toBeLessThan(everything / 2)
  })

  it('lists more changes than it keeps by finding them again, from any page on', async () => {
    const source = listSource('s', [])
    const other = listSource('t', [file('only')])
    const engine = await openEngine([source, other])
    await engine.backup()
    source.list = Array.from({ length: 12_345 }, (_, i) => entry(i))
    other.list = []
    await engine.backup()
    const [head, base] = (await engine.snapshots().toArray()).map(({ id }) => id)
    const readings = watchReadings()
    const found = await engine.diff({ base: base!, head: head! })
    expect(found.totals.added.count).toBe(12_345)
    const all = await short(found)
    expect(all).toEqual([...Array.from({ length: 12_345 }, (_, i) => `added s/${entry(i).path}`), 'deleted t/only'])
    const paged: Change[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await found.changes.page({ limit: 5000, ...(cursor && { cursor }) })
      expect(page.total).toBe(12_346)
      paged.push(...page.items)
      cursor = page.next
      if (!cursor) break
    }
    expect(paged.map(({ path, type }) => `${type} ${path}`)).toEqual(all)
    expect(readings.left).toBe(0)
    await engine.close()
    await expect(found.changes.toArray()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
