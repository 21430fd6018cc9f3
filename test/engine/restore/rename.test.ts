/** Renaming, tables in folders, and tables as files. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../../src/testing/memory-source.ts'
import { scratch } from '../../faults/support.ts'
import { keeping } from '../../roundtrip/keeping-sink.ts'
import { pulling, table } from '../backup/pull-support.ts'
import { file, folder, listSource, openEngine } from '../browse/browse-fixture.ts'

const space = scratch()

async function backedUp() {
  const engine = await openEngine([
    listSource('db', [
      folder('a'),
      file('a/1'),
      folder('a/x'),
      file('a/x/2'),
      folder('b'),
      file('b/3'),
      file('f'),
      ...table('t', ['1\n22\n', '', '333\n']),
      { path: 's', type: 'script', content: { from: 'bytes', bytes: Buffer.from('select') } },
      { path: 'empty', type: 'rows', content: { from: 'bytes', bytes: Buffer.alloc(0) } },
    ]),
  ])
  await engine.backup()
  return engine
}

describe('rename', () => {
  it.each(['pulls', 'writes'])(
    'moves entries and folders, in the order of the new paths (a sink that %s)',
    async (how) => {
      const engine = await backedUp()
      const sink = how === 'pulls' ? pulling() : keeping()
      const rename = { 'db/a': 'db/z', 'db/a/x': 'db/0', 'db/b/3': 'db/b/2', 'db/t': 'db/t2' }
      await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { sinks: { db: sink } }, rename }))
      expect([...sink.kept.values()].map(({ entry: { path, from = '' } }) => `${path} ${from}`)).toEqual([
        '0 a/x',
        '0/2 a/x/2',
        'b ',
        'b/2 b/3',
        'empty ',
        'f ',
        's ',
        't2 t',
        't2/000001.copy t/000001.copy',
        't2/000002.copy t/000002.copy',
        't2/000003.copy t/000003.copy',
        'z a',
        'z/1 a/1',
      ])
      expect(sink.kept.get('0/2')!.bytes.toString()).toBe('a/x/2')
      expect(sink.kept.get('t2/000003.copy')!.bytes.toString()).toBe('333\n')
    },
  )

  it('swaps, and says in the plan where things go', async () => {
    const engine = await backedUp()
    const rename = { 'db/a/1': 'db/b/3', 'db/b/3': 'db/a/1' }
    const plan = await engine.planRestore({ snapshot: 'latest', to: { folder: space.at('swap') }, rename })
    expect(plan.changes.find(({ path }) => path === 'db/a/1')!.to).toBe(space.at('swap', 'db/b/3'))
    const { verified } = await engine.restore(plan, { verify: true })
    expect(verified).toBe(false)
    expect(readFileSync(space.at('swap', 'db/b/3'), 'utf8')).toBe('a/1')
    expect(readFileSync(space.at('swap', 'db/a/1'), 'utf8')).toBe('b/3')
    expect(readFileSync(space.at('swap', 'db/t/000001.copy'), 'utf8')).toBe('1\n22\n')
  })

  it.each([
    [{ 'db/f': 'db/b/3' }, 'INVALID_OPTIONS'],
    [{ 'db/a': 'db/b' }, 'INVALID_OPTIONS'],
    [{ 'db/a': 'db/f/below' }, 'INVALID_OPTIONS'],
    [{ 'db/a/1': 'db/q', 'db/b/3': 'db/q' }, 'INVALID_OPTIONS'],
    [{ 'db/a': 'other/a' }, 'INVALID_OPTIONS'],
    [{ 'db/a': 'db/../a' }, 'INVALID_OPTIONS'],
    [{ 'db/a': 'db' }, 'INVALID_OPTIONS'],
    [{}, 'INVALID_OPTIONS'],
    [{ 'db/none': 'db/some' }, 'ENTRY_NOT_FOUND'],
    [{ 'none/a': 'none/b' }, 'ENTRY_NOT_FOUND'],
  ])('refuses %j', async (rename, code) => {
    const engine = await backedUp()
    const options = { snapshot: 'latest', to: { sinks: { db: keeping() } }, rename: rename as Record<string, string> }
    await expect(engine.planRestore(options)).rejects.toMatchObject({ code })
  })
})

describe('a table', () => {
  it('is a folder of its rows in a folder', async () => {
    const engine = await backedUp()
    await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: space.at('to') } }))
    expect(readdirSync(space.at('to', 'db', 't'))).toEqual(['000001.copy', '000002.copy', '000003.copy'])
    expect(readFileSync(space.at('to', 'db', 't/000003.copy'), 'utf8')).toBe('333\n')
    expect(readFileSync(space.at('to', 'db', 't/000002.copy'), 'utf8')).toBe('')
    expect(readFileSync(space.at('to', 'db', 's'), 'utf8')).toBe('select')
    expect(readFileSync(space.at('to', 'db', 'empty'), 'utf8')).toBe('')
  })

  it('is read as its rows, one entry after the other', async () => {
    const engine = await backedUp()
    const text = async (range?: { start: number; end?: number }) =>
      Buffer.concat(await (await engine.read({ snapshot: 'latest', path: 'db/t', ...(range && { range }) })).toArray())
    const whole = '1\n22\n333\n'
    expect((await text()).toString()).toBe(whole)
    for (let start = 0; start <= 9; start++) {
      for (let end = start; end <= 10; end++) {
        expect((await text({ start, end })).toString(), `${start}-${end}`).toBe(whole.slice(start, end))
      }
    }
    await expect(text({ start: 10 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('is listed as a folder', async () => {
    const engine = await backedUp()
    const listed = await engine.entries({ snapshot: 'latest', path: 'db/t' }).toArray()
    expect(listed.map(({ path }) => path)).toEqual(['db/t/000001.copy', 'db/t/000002.copy', 'db/t/000003.copy'])
    const above = await engine.entries({ snapshot: 'latest', path: 'db' }).toArray()
    expect(above.map(({ path }) => path)).toEqual(['db/a', 'db/b', 'db/empty', 'db/f', 'db/s', 'db/t'])
  })

  it('of a stream whose length nobody announced goes into a folder as well', async () => {
    const engine = await openEngine([
      memorySource({
        name: 'm',
        files: {
          async *stream() {
            yield Buffer.from('abc')
          },
        } as never,
      }),
    ])
    await engine.backup()
    await engine.restore(await engine.planRestore({ snapshot: 'latest', to: { folder: space.at('m') } }))
    expect(readFileSync(space.at('m', 'm', 'stream'), 'utf8')).toBe('abc')
  })
})
