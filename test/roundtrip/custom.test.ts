/** Sources of the caller's own making. */
import { describe, expect, it } from 'vitest'
import { defineSource, memoryTarget, type Source, type SourceEntry } from '../../src/index.ts'
import { file, folder, listSource, noise, openEngine, symlink } from '../engine/browse/browse-fixture.ts'
import { codeOf, expectSound, keysBelow } from '../faults/support.ts'
import { patience } from '../patience.ts'
import { type Kept, keeping, restoreInto } from './keeping-sink.ts'

function stream(path: string, pieces: readonly Uint8Array[], size?: number): SourceEntry {
  const open = async function* (): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield new Uint8Array(piece)
  }
  return { path, type: 'file', ...(size !== undefined && { size }), content: { from: 'stream', open } }
}

describe('a custom source', () => {
  it('with streams, text, files and links comes back through a custom sink', async () => {
    const big = noise(7_000_000, 3)
    const source = listSource('app', [
      folder('dir', { mode: 0o700 }),
      file('dir/bytes', 'some bytes', { facts: { kind: 'text', list: [1, 2, { three: null }] } }),
      stream('dir/stream', [big.subarray(0, 5), big.subarray(5, 3_000_001), big.subarray(3_000_001)]),
      stream('dir/empty-stream', []),
      stream('dir/zeros', [new Uint8Array(5_000_000)], 5_000_000),
      symlink('link', 'dir/bytes'),
      {
        path: 'things/orders',
        type: 'table',
        facts: { rows: 3 },
        content: { from: 'bytes', bytes: new Uint8Array([1]) },
      },
      { path: 'things/strange', type: 'a type of my own' },
    ])
    const engine = await openEngine([source])
    const { counts } = await engine.backup()
    expect(counts).toMatchObject({ entries: 8, added: 8 })
    expect(source.sessions).toBe(0)
    const sink = keeping()
    await restoreInto(engine, sink)
    expect([...sink.kept.keys()]).toEqual([
      'dir',
      'dir/bytes',
      'dir/empty-stream',
      'dir/stream',
      'dir/zeros',
      'link',
      'things/orders',
      'things/strange',
    ])
    const of = (path: string): Kept => sink.kept.get(path)!
    expect(of('dir/stream').bytes.equals(big)).toBe(true)
    expect(of('dir/stream').entry.size).toBe(7_000_000)
    expect(of('dir/empty-stream').bytes).toHaveLength(0)
    expect(of('dir/zeros').bytes.equals(Buffer.alloc(5_000_000))).toBe(true)
    expect(of('dir/bytes').entry.facts).toEqual({ kind: 'text', list: [1, 2, { three: null }] })
    expect(of('dir').entry).toMatchObject({ type: 'directory', mode: 0o700 })
    expect(of('link').entry).toMatchObject({ type: 'symlink', linkTarget: 'dir/bytes' })
    expect(of('things/orders').entry).toMatchObject({ type: 'table', facts: { rows: 3 } })
    expect(of('things/strange').entry.type).toBe('a type of my own')
    expect(sink.phases).toEqual(['prepare', 'commit', 'dispose'])
    await expectSound(engine)
    await engine.close()
  })

  it('is asked for content only where the fingerprint changed', async () => {
    let opened: string[] = []
    const entry = (path: string, fingerprint: string | undefined): SourceEntry => ({
      path,
      type: 'file',
      ...(fingerprint !== undefined && { fingerprint }),
      content: {
        from: 'stream',
        async *open() {
          opened.push(path)
          yield new TextEncoder().encode(`${path} ${fingerprint}`)
        },
      },
    })
    const source = listSource('app', [entry('a', '1'), entry('b', '1'), entry('c', undefined)])
    const engine = await openEngine([source])
    await engine.backup()
    opened = []
    source.list = [entry('a', '1'), entry('b', '2'), entry('c', undefined)]
    await engine.backup()
    expect(opened).toEqual(['b', 'c'])
    const sink = keeping()
    await restoreInto(engine, sink)
    expect(sink.kept.get('b')!.bytes.toString()).toBe('b 2')
    await engine.close()
  })

  const raw = (batches: readonly (readonly SourceEntry[])[]): Source =>
    defineSource({
      name: 'app',
      kind: 'raw',
      open: async () => ({
        describe: async () => ({}),
        async *entries() {
          yield* batches
        },
        async [Symbol.asyncDispose]() {},
      }),
    })

  it.each<[string, readonly (readonly SourceEntry[])[], string]>([
    ['out of order', [[file('b'), file('a')]], 'SOURCE_INCOMPLETE'],
    ['out of order from batch to batch', [[file('b')], [file('a')]], 'SOURCE_INCOMPLETE'],
    ['the same twice', [[file('a'), file('a')]], 'SOURCE_INCOMPLETE'],
    ['what is in a folder after its neighbour', [[file('a'), file('a.b'), file('a/b')]], 'SOURCE_INCOMPLETE'],
    ['..', [[file('../a')]], 'SOURCE_INCOMPLETE'],
    ['.. in the middle', [[file('a/../b')]], 'SOURCE_INCOMPLETE'],
    ['an absolute path', [[file('/etc/passwd')]], 'SOURCE_INCOMPLETE'],
    ['no path', [[file('')]], 'SOURCE_INCOMPLETE'],
    ['an empty segment', [[file('a//b')]], 'SOURCE_INCOMPLETE'],
    ['NUL', [[file('a\0b')]], 'SOURCE_INCOMPLETE'],
    ['another size than it said', [[stream('a', [new Uint8Array(3)], 4)]], 'SOURCE_CHANGED'],
  ])('that gives %s is refused, and nothing is committed', async (_, batches, code) => {
    const target = memoryTarget()
    const engine = await openEngine([raw(batches)], { target })
    await expect(engine.backup()).rejects.toMatchObject({
      code,
      origin: 'source',
      message: expect.stringContaining('app'),
    })
    expect(keysBelow(target, 'snapshots/')).toEqual([])
    expect(keysBelow(target, 'runs/')).toEqual([])
    await engine.close()
  })

  it.each(['open', 'entries', 'content', 'describe'] as const)(
    'whose %s throws is SOURCE_UNREACHABLE',
    async (where) => {
      const fail = (here: string): void => {
        if (here === where) throw new TypeError('the cable is out')
      }
      let disposed = 0
      const source = defineSource({
        name: 'app',
        kind: 'raw',
        open: async () => {
          fail('open')
          return {
            describe: async () => {
              fail('describe')
              return {}
            },
            async *entries() {
              fail('entries')
              yield [
                {
                  path: 'a',
                  type: 'file',
                  content: {
                    from: 'stream' as const,
                    async *open() {
                      yield new Uint8Array(10)
                      fail('content')
                    },
                  },
                },
              ]
            },
            async [Symbol.asyncDispose]() {
              disposed++
            },
          }
        },
      })
      const engine = await openEngine([listSource('first', [file('x')]), source])
      await expect(engine.backup()).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        origin: 'source',
        message: expect.stringMatching(/app.*the cable is out/),
      })
      expect(disposed).toBe(where === 'open' ? 0 : 1)
      await engine.close()
    },
  )

  it.each(['entries', 'content'] as const)('whose %s hang and hear no abort is left within a second', async (where) => {
    const never = new Promise<never>(() => {})
    const source = defineSource({
      name: 'app',
      kind: 'raw',
      open: async () => ({
        describe: async () => ({}),
        async *entries() {
          if (where === 'entries') await never
          const hangs = async function* (): AsyncGenerator<Uint8Array> {
            yield await never
          }
          yield [{ path: 'a', type: 'file', content: { from: 'stream' as const, open: hangs } }]
        },
        async [Symbol.asyncDispose]() {},
      }),
    })
    const target = memoryTarget()
    const engine = await openEngine([source], { target })
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 30)
    const began = performance.now()
    expect(await codeOf(engine.backup({ signal: controller.signal }))).toBe('ABORTED')
    expect(performance.now() - began).toBeLessThan(patience(1000))
    expect(keysBelow(target, 'runs/')).toEqual([])
    await engine.close()
  })
})
