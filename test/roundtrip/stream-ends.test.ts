/** Streams that fail, hang, go on for ever or are left early: nothing is committed, and nothing stays open. */
import { describe, expect, it } from 'vitest'
import { memoryTarget, type SourceEntry } from '../../src/index.ts'
import { openEngine } from '../engine/browse/browse-fixture.ts'
import { codeOf, keysBelow } from '../faults/support.ts'
import { patience } from '../patience.ts'
import { contents, cutStream, entry, modes, pause, rows, source } from './stream-support.ts'

describe.each(modes)('streams that go wrong, $name', ({ over }) => {
  it.each(['an error', 'no JSON', 'too much', 'text', 'nothing to read'] as const)(
    'that end with %s commit nothing',
    async (what) => {
      let began = 0
      let returned = 0
      const endless = entry('b', {
        async *open() {
          began++
          try {
            for (;;) {
              yield new Uint8Array(300_000)
              await pause(1)
            }
          } finally {
            returned++
          }
        },
      })
      const bad = entry('a', {
        open() {
          if (what === 'nothing to read') return undefined as never
          return once(what === 'text' ? 'text' : Buffer.from('abc'))
        },
        finish: async () => {
          if (what === 'an error') throw new Error('the counts differ')
          return what === 'no JSON' ? { big: 1n as never } : { much: 'x'.repeat(1 << 20) }
        },
      })
      const target = memoryTarget()
      const engine = await openEngine([source([[bad, endless]], 2)], { target, ...over })
      await expect(engine.backup()).rejects.toMatchObject({
        origin: 'source',
        code:
          { 'an error': 'SOURCE_UNREACHABLE', 'nothing to read': 'SOURCE_UNREACHABLE', 'too much': 'LIMIT_EXCEEDED' }[
            what as string
          ] ?? 'SOURCE_INCOMPLETE',
        message: expect.stringMatching(what === 'an error' ? /app.*the counts differ/ : /./),
      })
      expect(returned).toBe(began)
      if (what !== 'nothing to read' && what !== 'text') expect(began).toBe(1)
      expect(keysBelow(target, 'snapshots/')).toEqual([])
      expect(keysBelow(target, 'runs/')).toEqual([])
      await engine.close()
    },
  )

  it.each(['listen', 'do not listen'] as const)('that %s are all left within a second of an abort', async (how) => {
    let [opened, returned, abortedAt] = [0, 0, 0]
    const controller = new AbortController()
    const abort = (): void => {
      abortedAt = performance.now()
      controller.abort()
    }
    const stream = (path: string): SourceEntry =>
      entry(path, {
        open({ signal }) {
          // When all that are read at once are open, and a little later: they are waiting by then.
          if (++opened === 3) setTimeout(abort, 100)
          const wait = (): Promise<never> =>
            new Promise((_, reject) => {
              if (how === 'listen') signal.addEventListener('abort', () => reject(signal.reason))
            })
          let given = 0
          return {
            [Symbol.asyncIterator]: () => ({
              next: () => (given++ < 3 ? Promise.resolve({ done: false, value: new Uint8Array(400_000) }) : wait()),
              return: () => {
                returned++
                return how === 'listen' ? Promise.resolve({ done: true, value: undefined }) : wait()
              },
            }),
          }
        },
      })
    const target = memoryTarget()
    const paths = ['a', 'b', 'c', 'd', 'e']
    const engine = await openEngine([source([paths.map(stream)], 3)], { target, ...over })
    expect(await codeOf(engine.backup({ signal: controller.signal }))).toBe('ABORTED')
    expect(performance.now() - abortedAt).toBeLessThan(patience(1000))
    expect(opened).toBe(3)
    // One whose next call failed has ended by itself.
    expect(returned).toBeGreaterThanOrEqual(how === 'listen' ? 0 : 3)
    expect(keysBelow(target, 'snapshots/')).toEqual([])
    expect(keysBelow(target, 'runs/')).toEqual([])
    await engine.close()
  })

  it('do not commit while one of them has not ended', async () => {
    const end = Promise.withResolvers<void>()
    const slow = entry('a', {
      async *open() {
        yield new Uint8Array(10)
        await end.promise
      },
    })
    const quick = ['b', 'c', 'd'].map((path) => entry(path, { open: () => cutStream(rows(5, 10)) }))
    const target = memoryTarget()
    const engine = await openEngine([source([[slow], quick], 2)], { target, ...over })
    const run = engine.backup()
    await pause(200)
    expect(keysBelow(target, 'snapshots/')).toEqual([])
    end.resolve()
    expect((await run).counts.entries).toBe(4)
    expect([...(await contents(engine)).keys()]).toEqual(['a', 'b', 'c', 'd'])
    await engine.close()
  })

  it('count towards maxSourceBytes as they are read', async () => {
    let given = 0
    const endless = entry('a', {
      async *open() {
        for (;;) {
          given += 100_000
          yield new Uint8Array(100_000)
        }
      },
    })
    const engine = await openEngine([source([[endless]])], over)
    expect(await codeOf(engine.backup({ maxSourceBytes: 5_000_000 }))).toBe('LIMIT_EXCEEDED')
    expect(given).toBeLessThan(8_000_000)
    await engine.close()
  })
})

async function* once(piece: Buffer | string): AsyncGenerator<Uint8Array> {
  yield piece as Uint8Array
}
