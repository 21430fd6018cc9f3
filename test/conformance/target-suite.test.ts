/** The suite itself: a target that breaks one promise must fail the test of that promise, for that reason. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/targets/memory.ts'
import { wrapTarget } from '../../src/targets/target.ts'
import { targetConformance } from '../../src/testing/target-conformance.ts'
import { looksFirst } from './broken/looks-first.ts'
import { BROKEN } from './broken-targets.ts'
import { failingTests, failuresOf } from './failing-tests.ts'

const BETWEEN = 'lets exactly one of 4 processes create'

describe('targetConformance', () => {
  it.for(Object.entries(BROKEN))('notices a target that %s', async ([, broken]) => {
    const { fails, because, wrap, profile = 'quick', callMs = 20_000 } = broken
    const create = () => wrap(memoryTarget())
    const failures = await failuresOf((runner) => targetConformance(runner, { create, profile, callMs }))
    expect(failures.map(({ test }) => test).sort()).toEqual([...fails].sort())
    expect(failures.find(({ test }) => test === fails[0])?.message).toMatch(because)
  })

  it('notices a target that looks first, between processes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-race-'))
    const module = new URL('broken/looks-first.ts', import.meta.url)
    const processes = () => ({ module, export: 'looksFirst', options: folder })
    const create = () => looksFirst(folder)
    const failures = await failuresOf((runner) => targetConformance(runner, { create, processes, profile: 'quick' }))
    await rm(folder, { recursive: true })
    expect(failures).toEqual([
      { test: BETWEEN, message: expect.stringMatching(/\d of 4 processes were told that they/) },
    ])
  }, 30_000)

  it('says what went wrong in another process', async () => {
    const processes = () => ({
      module: 'data:text/javascript,export const a = () => { throw new Error("no!") }',
      export: 'a',
    })
    const failures = await failuresOf((runner) =>
      targetConformance(runner, { create: () => memoryTarget(), processes, profile: 'quick' }),
    )
    expect(failures).toEqual([{ test: BETWEEN, message: expect.stringMatching(/^in another process: Error: no!/) }])
  })

  it('passes a sound target', async () => {
    const create = () => memoryTarget()
    expect(await failuresOf((runner) => targetConformance(runner, { create }))).toEqual([])
  })

  it('does not mind listings in any order', async () => {
    const create = () => {
      const inner = memoryTarget()
      return wrapTarget(inner, {
        async *list(prefix, call) {
          const all = []
          for await (const info of inner.list(prefix, call)) all.unshift(info)
          yield* all
        },
      })
    }
    expect(await failingTests((runner) => targetConformance(runner, { create }))).toEqual([])
  })
})
