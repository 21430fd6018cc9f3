/** Streams of sources of the caller's own making: several at once, proved, cut as tables. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { defineSource, type SourceEntry, type StreamProof } from '../../src/index.ts'
import { listSource, openEngine } from '../engine/browse/browse-fixture.ts'
import { expectSound } from '../faults/support.ts'
import { contents, cut, cutStream, entry, factsOf, modes, pause, rows, source } from './stream-support.ts'

describe.each(modes)('streams, $name', ({ over }) => {
  it('are read as many at once as allowed, in path order, across batches, and come back exact', async () => {
    const all = new Map(
      Array.from({ length: 13 }, (_, i) => [`t/${String(i).padStart(2, '0')}`, rows(i + 1, 3000 * i)]),
    )
    const opened: string[] = []
    let open = 0
    let most = 0
    const four = Promise.withResolvers<void>()
    const stream = ([path, bytes]: [string, Buffer]): SourceEntry =>
      entry(path, {
        chunks: 'table',
        async *open() {
          opened.push(path)
          most = Math.max(most, ++open)
          if (open === 4) four.resolve()
          try {
            await four.promise
            for (const piece of cut(bytes, [1, 70_000, 300_000, 17])) {
              yield piece
              if (piece.length > 1000) await pause(1)
            }
          } finally {
            open--
          }
        },
      })
    const entries = [...all].map(stream)
    const engine = await openEngine([source([entries.slice(0, 2), entries.slice(2, 3), entries.slice(3)], 4)], over)
    const { counts } = await engine.backup({ verify: 'data' })
    expect(opened).toEqual([...all.keys()])
    expect(most).toBe(4)
    expect(open).toBe(0)
    const bytes = [...all.values()].reduce((sum, each) => sum + each.length, 0)
    expect(counts).toMatchObject({ entries: 13, added: 13, sourceBytes: bytes, readBytes: bytes })
    const back = await contents(engine)
    for (const [path, wanted] of all) expect(back.get(path)?.equals(wanted), path).toBe(true)
    await expectSound(engine)
    await engine.close()
  })

  it('are one at a time by default: the next entries are asked for when the stream has ended', async () => {
    const log: string[] = []
    const stream = (path: string): SourceEntry =>
      entry(path, {
        async *open() {
          log.push(`open ${path}`)
          await pause(5)
          yield new Uint8Array(600_000)
          log.push(`end ${path}`)
        },
        finish: () => {
          log.push(`finish ${path}`)
          return {}
        },
      })
    const sequential = defineSource({
      name: 'app',
      kind: 'raw',
      open: async () => ({
        describe: async () => ({}),
        async *entries() {
          for (const path of ['a', 'b']) {
            log.push(`entries ${path}`)
            yield [stream(path)]
          }
        },
        async [Symbol.asyncDispose]() {},
      }),
    })
    const engine = await openEngine([sequential], over)
    await engine.backup()
    expect(log).toEqual(
      ['a', 'b'].flatMap((path) => ['entries', 'open', 'end', 'finish'].map((step) => `${step} ${path}`)),
    )
    await engine.close()
  })

  it('are proved by what the worker counted, and keep the facts that follow', async () => {
    const proofs = new Map<string, StreamProof>()
    const all = {
      empty: Buffer.alloc(0),
      short: rows(1, 40),
      long: rows(2, 90_000),
      feeds: Buffer.alloc(1_000_003, 10),
    }
    const entries = Object.entries(all).map(([path, bytes]) =>
      entry(
        path,
        {
          open: async () =>
            (async function* () {
              yield* cut(bytes, [40_001, 700_000, 3])
            })(),
          finish: async (proof) => {
            proofs.set(path, proof)
            return { rows: proof.lineFeeds, sha256: proof.sha256, 'holdfast.type': 'never this' }
          },
        },
        { facts: { early: path, rows: -1 } },
      ),
    )
    const list = listSource('app', entries)
    const engine = await openEngine([list], over)
    await engine.backup()
    for (const [path, bytes] of Object.entries(all)) {
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const lineFeeds = bytes.filter((byte) => byte === 10).length
      expect(proofs.get(path)).toEqual({ bytes: bytes.length, sha256, lineFeeds })
      expect(await factsOf(engine, `app/${path}`)).toEqual({ early: path, rows: lineFeeds, sha256 })
    }
    const [first] = await engine
      .entries({ snapshot: 'latest', path: 'app', recursive: true })
      .page({ limit: 1 })
      .then((page) => page.items)
    expect(first?.type).toBe('rows')
    await expectSound(engine)
    await engine.close()
  })

  it('whose fingerprint is the old one are not opened, and keep their record with its facts', async () => {
    let opened: string[] = []
    const stream = (path: string, version: number, early: number): SourceEntry =>
      entry(
        path,
        {
          async *open() {
            opened.push(path)
            yield new TextEncoder().encode(`${path} ${version}\n`)
          },
          finish: ({ lineFeeds }) => ({ rows: lineFeeds, version }),
        },
        { fingerprint: `v${version}`, facts: { early } },
      )
    const list = listSource('app', [stream('a', 1, 1), stream('b', 1, 1), stream('c', 1, 1)])
    const engine = await openEngine([list], over)
    await engine.backup()
    opened = []
    list.list = [stream('a', 1, 2), stream('b', 2, 2), stream('c', 1, 1)]
    const { counts } = await engine.backup()
    expect(opened).toEqual(['b'])
    expect(counts).toMatchObject({ added: 0, modified: 1, unchanged: 2 })
    expect(await factsOf(engine, 'app/a')).toEqual({ early: 1, rows: 1, version: 1 })
    expect(await factsOf(engine, 'app/b')).toEqual({ early: 2, rows: 1, version: 2 })
    const { totals } = await engine.diff({ base: 'latest', head: 'live' })
    expect(totals.modified.count + totals.metadata.count).toBe(0)
    const checked = await engine.diff({ base: 'latest', head: 'live', checksum: true })
    expect(checked.totals.modified.count + checked.totals.metadata.count).toBe(0)
    await engine.close()
  })

  it('read again and found the same count as unchanged', async () => {
    const stream = entry('a', {
      open: () => cutStream(Buffer.from('x\n')),
      finish: ({ lineFeeds }) => ({ lineFeeds }),
    })
    const engine = await openEngine([source([[stream]])], over)
    await engine.backup()
    expect((await engine.backup()).counts).toMatchObject({ modified: 0, unchanged: 1 })
    await engine.close()
  })

  it('cut as tables store little of a few changed rows', async () => {
    const before = rows(7, 60_000)
    const after = Buffer.from(before)
    for (const at of [10_000, 700_000]) after.write('changed!', at)
    const stream = (chunks: 'files' | 'table', bytes: Buffer): SourceEntry =>
      entry('t', { chunks, open: () => cutStream(bytes) })
    const stored: number[] = []
    for (const chunks of ['files', 'table'] as const) {
      const list = listSource('app', [stream(chunks, before)])
      const engine = await openEngine([list], over)
      await engine.backup()
      list.list = [stream(chunks, after)]
      stored.push((await engine.backup()).counts.newBytes)
      expect((await contents(engine)).get('t')!.equals(after)).toBe(true)
      await engine.close()
    }
    expect(stored[1]!).toBeLessThan(2 * 64 * 1024 + 20_000)
    expect(stored[1]! * 4).toBeLessThan(stored[0]!)
  })
})
