/** Sinks of the caller's own making. */
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { defineSink, folder as folderSink } from '../../src/index.ts'
import { file, listSource, noise, openEngine } from '../engine/browse/browse-fixture.ts'
import { scratch } from '../faults/support.ts'
import { keeping, restoreInto } from './keeping-sink.ts'

const space = scratch()

describe('a custom sink', () => {
  it.each(['b', 'prepare', 'commit'])('that fails at %s is rolled back, and its error is told', async (where) => {
    const engine = await openEngine([listSource('app', [file('a'), file('b'), file('c')])])
    await engine.backup()
    const sink = keeping(where)
    await expect(restoreInto(engine, sink)).rejects.toMatchObject({ message: expect.stringMatching(/no /) })
    expect(sink.phases).toContain('rollback')
    expect(sink.phases.at(-1)).toBe('dispose')
    if (where === 'b') expect(sink.phases).not.toContain('commit')
    await engine.close()
  })

  it('that fails takes what a folder got in the same restore back as well', async () => {
    const engine = await openEngine([
      listSource('one', [file('deep/a', noise(3_000_000))]),
      listSource('two', [file('b')]),
    ])
    await engine.backup()
    const plan = await engine.planRestore({
      snapshot: 'latest',
      to: { sinks: { one: folderSink({ path: space.at('to', 'one') }), two: keeping('commit') } },
    })
    await expect(engine.restore(plan)).rejects.toThrow()
    expect(existsSync(space.at('to'))).toBe(false)
    await engine.close()
  })

  it('need not read the content, nor all of it', async () => {
    const engine = await openEngine([
      listSource('app', [file('a', noise(4_000_000)), file('b', noise(4_000_000, 2)), file('c')]),
    ])
    await engine.backup()
    const seen: string[] = []
    const sink = defineSink({
      name: 'lazy',
      open: async () => ({
        async write(entry, content) {
          if (entry.path === 'a') return
          for await (const piece of content) {
            seen.push(`${entry.path} ${Buffer.from(piece.subarray(0, 1)).toString()}`)
            break
          }
        },
        prepare: async () => {},
        commit: async () => {},
        rollback: async () => {},
        async [Symbol.asyncDispose]() {},
      }),
    })
    await restoreInto(engine, sink)
    expect(seen).toHaveLength(2)
    expect(seen[1]).toBe('c c')
    await engine.close()
  })
})
