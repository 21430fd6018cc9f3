/** What a source says of itself: totals before it is read, progress of its streams, facts of any size. */
import { describe, expect, it } from 'vitest'
import { defineSource, memoryTarget, type SourceEntry } from '../../src/index.ts'
import { openEngine } from '../engine/browse/browse-fixture.ts'
import { expectSound } from '../faults/support.ts'
import { entry, modes, pause } from './stream-support.ts'

describe('progress of streams', () => {
  it('knows totals before it reads, and where it is', async () => {
    const size = 2_000_000
    const stream = (path: string): SourceEntry =>
      entry(path, {
        async *open() {
          for (let i = 0; i < 8; i++) {
            yield new Uint8Array(size / 8)
            await pause(30)
          }
        },
      })
    const paths = ['t/a', 't/b']
    const announced = defineSource({
      name: 'app',
      kind: 'raw',
      open: async () => ({
        describe: async () => ({}),
        totals: async () => ({ items: 2, bytes: 2 * size }),
        async *entries() {
          yield paths.map(stream)
        },
        async [Symbol.asyncDispose]() {},
      }),
    })
    const seen: {
      done: number
      total: number | null
      percent: number | null
      path?: string | undefined
    }[] = []
    const engine = await openEngine([announced])
    await engine.backup({
      onProgress: ({ phase, bytes, percent, currentPath }) => {
        if (phase === 'read') seen.push({ ...bytes, percent, path: currentPath })
      },
    })
    const middle = seen.filter(({ done }) => done > 0 && done < 2 * size)
    expect(middle.length).toBeGreaterThan(2)
    expect(middle.every(({ total }) => total === 2 * size)).toBe(true)
    expect(middle.some(({ percent }) => percent! > 0 && percent! < 100)).toBe(true)
    expect(new Set(middle.map(({ path }) => path))).toEqual(new Set(['app/t/a', 'app/t/b']))
    expect(seen.every(({ done }) => done <= 2 * size)).toBe(true)
    await engine.close()
  })
})

describe('facts of a source that are too large for the snapshot', () => {
  const facts = {
    list: Array.from({ length: 900 }, (_, i) => ({ name: `table_${i}`, rows: i * 3 })),
    text: 'ä'.repeat(3000),
  }
  it.each(modes)('are read back wherever facts are given, $name', async ({ over }) => {
    const parents: unknown[] = []
    const described = defineSource({
      name: 'app',
      kind: 'raw',
      open: async ({ parent }) => {
        parents.push(parent?.facts)
        return {
          describe: async () => facts,
          async *entries() {
            yield [{ path: 'a', type: 'file', content: { from: 'bytes' as const, bytes: Buffer.from('a') } }]
          },
          async [Symbol.asyncDispose]() {},
        }
      },
    })
    const target = memoryTarget()
    const engine = await openEngine([described], { target, ...over })
    await engine.backup()
    // Another engine has the index to load first.
    const other = await openEngine([described], { target, ...over })
    await other.backup()
    expect(parents).toEqual([undefined, facts])
    expect((await other.snapshot('latest')).sources[0]!.facts).toEqual(facts)
    const listed = await other.entries({ snapshot: 'latest' }).page({ limit: 10 })
    expect(listed.items.map((each) => each.facts)).toEqual([facts])
    await other.diff({ base: 'latest', head: 'live' })
    expect(parents[2]).toEqual(facts)
    await expectSound(other)
    await Promise.all([engine.close(), other.close()])
  })
})
