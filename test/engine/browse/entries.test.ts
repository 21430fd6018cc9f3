import { afterEach, describe, expect, it, vi } from 'vitest'
import type { BackupEngine } from '../../../src/engine/engine.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { file, folder, listSource, MTIME, openEngine, symlink, watchReadings } from './browse-fixture.ts'

afterEach(() => void vi.restoreAllMocks())

async function backedUp(): Promise<BackupEngine> {
  const uploads = listSource('uploads', [
    file('a.txt', 'one'),
    folder('b'),
    file('b/Cat.PNG'),
    folder('b/deep'),
    file('b/deep/x'),
    file('b-side'),
    symlink('link', 'b/Cat.PNG'),
  ])
  const engine = await openEngine([uploads, listSource('empty'), listSource('main', [file('public/orders/1')])])
  await engine.backup()
  return engine
}

async function paths(engine: BackupEngine, options: object = {}): Promise<string[]> {
  return (await engine.entries({ snapshot: 'latest', ...options }).toArray()).map(({ path }) => path)
}

describe('entries', () => {
  it('gives the sources as directories, with their facts', async () => {
    const engine = await backedUp()
    const { items, total } = await engine.entries({ snapshot: 'latest' }).page()
    expect(items).toEqual([
      { path: 'empty', type: 'directory', size: 0, facts: { kind: 'a list' } },
      { path: 'main', type: 'directory', size: 0, facts: { kind: 'a list' } },
      { path: 'uploads', type: 'directory', size: 0, facts: { kind: 'a list' } },
    ])
    expect(total).toBe(3)
  })

  it('pages the sources too', async () => {
    const engine = await backedUp()
    const first = await engine.entries({ snapshot: 'latest' }).page({ limit: 2 })
    const second = await engine.entries({ snapshot: 'latest' }).page({ limit: 2, cursor: first.next! })
    expect(second.items.map(({ path }) => path)).toEqual(['uploads'])
    expect(second.next).toBeUndefined()
  })

  it('lists one folder, its own entries only, in path order', async () => {
    const engine = await backedUp()
    const top = ['uploads/a.txt', 'uploads/b', 'uploads/b-side', 'uploads/link']
    expect(await paths(engine, { path: 'uploads' })).toEqual(top)
    expect(await paths(engine, { path: 'uploads/' })).toEqual(top)
    expect(await paths(engine, { path: 'uploads/b' })).toEqual(['uploads/b/Cat.PNG', 'uploads/b/deep'])
  })

  it('lists everything below a folder, a source, or the snapshot', async () => {
    const engine = await backedUp()
    const below = ['uploads/b/Cat.PNG', 'uploads/b/deep', 'uploads/b/deep/x']
    expect(await paths(engine, { path: 'uploads/b', recursive: true })).toEqual(below)
    expect(await paths(engine, { path: 'uploads', recursive: true })).toHaveLength(7)
    const all = await engine.entries({ snapshot: 'latest', recursive: true }).page()
    expect(all.items.map(({ path }) => path)).toEqual([
      'main/public/orders/1',
      ...(await paths(engine, { path: 'uploads', recursive: true })),
    ])
    expect(all.total).toBe(8)
  })

  it('gives a single entry for a path that is no folder', async () => {
    const engine = await backedUp()
    expect(await paths(engine, { path: 'uploads/b/Cat.PNG' })).toEqual(['uploads/b/Cat.PNG'])
    expect(await paths(engine, { path: 'uploads/link', recursive: true })).toEqual(['uploads/link'])
  })

  it('shows folders that have no entry of their own', async () => {
    const engine = await backedUp()
    const made = { path: 'main/public', type: 'directory', size: 0, facts: {} }
    expect(await engine.entries({ snapshot: 'latest', path: 'main' }).toArray()).toEqual([made])
    expect(await paths(engine, { path: 'main/public' })).toEqual(['main/public/orders'])
    const page = await engine.entries({ snapshot: 'latest', path: 'main' }).page({ limit: 1 })
    expect(page.next).toBeUndefined()
  })

  it('has ENTRY_NOT_FOUND for what is not there, with the path', async () => {
    const engine = await backedUp()
    for (const path of [
      'nowhere',
      'nowhere/a',
      'uploads/nothing',
      'uploads/b/Cat',
      'uploads/a.txt/below',
      '/',
      'empty/x',
    ]) {
      const error = { code: 'ENTRY_NOT_FOUND', details: expect.objectContaining({ path: expect.anything() }) }
      await expect(paths(engine, { path }), path).rejects.toMatchObject(error)
    }
    expect(await paths(engine, { path: 'empty' })).toEqual([])
  })

  it('searches the whole path, below folders too, in any case', async () => {
    const engine = await backedUp()
    expect(await paths(engine, { search: 'CAT.png' })).toEqual(['uploads/b/Cat.PNG'])
    expect(await paths(engine, { search: 'uploads/b/d' })).toEqual(['uploads/b/deep', 'uploads/b/deep/x'])
    expect(await paths(engine, { search: 'x', path: 'uploads/b' })).toEqual(['uploads/b/deep/x'])
    expect(await paths(engine, { search: 'nothing has this' })).toEqual([])
  })

  it('shows what an entry is', async () => {
    const source = listSource('s', [
      file('f', 'abc', { mode: 0o4711, mtimeNs: -1n, facts: { rows: 3 } }),
      symlink('l', 'somewhere/ä'),
      { path: 't', type: 'table', fingerprint: '1', content: { from: 'bytes', bytes: new Uint8Array(5) } },
      { path: 'v', type: 'view', modifiedAt: new Date(MTIME) },
    ])
    const engine = await openEngine([source])
    await engine.backup()
    expect(await engine.entries({ snapshot: 'latest', path: 's' }).toArray()).toEqual([
      { path: 's/f', type: 'file', size: 3, mode: 0o4711, modifiedAt: new Date(-1), facts: { rows: 3 } },
      { path: 's/l', type: 'symlink', size: 0, linkTarget: 'somewhere/ä', facts: {} },
      { path: 's/t', type: 'table', size: 5, facts: {} },
      { path: 's/v', type: 'view', size: 0, modifiedAt: new Date(MTIME), facts: {} },
    ])
  })

  it('keeps names that are not UTF-8 apart, in cursors and as paths', async () => {
    const names = ['bad\uDCFF', 'bad\uDCFE', 'bäd', 'bad']
    const engine = await openEngine([
      listSource(
        's',
        names.map((name) => file(name)),
      ),
    ])
    await engine.backup()
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await engine.entries({ snapshot: 'latest', path: 's' }).page({ limit: 1, ...(cursor && { cursor }) })
      seen.push(...page.items.map(({ path }) => path))
      cursor = page.next
      if (!cursor) break
    }
    expect(seen).toEqual(['s/bad', 's/bad\uDCFE', 's/bad\uDCFF', 's/bäd'])
    expect(await paths(engine, { path: 's/bad\uDCFE' })).toEqual(['s/bad\uDCFE'])
  })

  it('refuses a cursor that is not one of its own, and unknown snapshots', async () => {
    const engine = await backedUp()
    const cursor = Buffer.from('[1,{"no":"path"}]').toString('base64url')
    await expect(engine.entries({ snapshot: 'latest' }).page({ cursor })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    })
    await expect(paths(engine, { snapshot: 'zzzzzz' })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  })

  it('stops on abort and leaves nothing, neither then nor when the reader stops early', async () => {
    const engine = await backedUp()
    const readings = watchReadings()
    await expect(paths(engine, { path: 'uploads', signal: AbortSignal.abort('enough') })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    for await (const entry of engine.entries({ snapshot: 'latest', recursive: true })) {
      expect(entry.path).toBe('main/public/orders/1')
      expect(readings.left).toBe(1)
      break
    }
    await expect(paths(engine, { path: 'uploads/none' })).rejects.toMatchObject({ code: 'ENTRY_NOT_FOUND' })
    expect(readings.left).toBe(0)
    await engine.close()
    await expect(paths(engine)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})

describe('entries of large snapshots', () => {
  it('reads about one page for a page, wherever it lies, and seeks over subtrees', async () => {
    const target = countingTarget(memoryTarget())
    const name = (i: number): string => `${String(i).padStart(6, '0')}-${(i * 7919) % 100_003}`
    const list = [folder('big'), folder('tree'), file('zlast')]
    const facts = { note: 'x'.repeat(200) }
    for (let i = 0; i < 20_000; i++) {
      list.push({ path: `big/${name(i)}`, type: 'fifo', facts }, { path: `tree/${name(i)}`, type: 'fifo', facts })
    }
    const engine = await openEngine([listSource('s', list)], { target })
    await engine.backup()
    const gets = async (act: () => Promise<unknown>): Promise<number> => {
      target.reset()
      await act()
      return target.count('get', 'packs/')
    }
    const all = await gets(() => engine.entries({ snapshot: 'latest', recursive: true }).toArray())
    expect(all).toBeGreaterThan(6)
    const cursor = Buffer.from(JSON.stringify([1, `s/big/${name(15_000)}`])).toString('base64url')
    const page = engine.entries({ snapshot: 'latest', path: 's/big' })
    expect(
      await gets(async () => {
        const { items } = await page.page({ limit: 50, cursor })
        expect(items.map(({ path }) => path)).toEqual(Array.from({ length: 50 }, (_, i) => `s/big/${name(15_001 + i)}`))
      }),
    ).toBeLessThan(5)
    expect(
      await gets(async () => {
        expect(await paths(engine, { path: 's' })).toEqual(['s/big', 's/tree', 's/zlast'])
      }),
    ).toBeLessThan(6)
  })
})
