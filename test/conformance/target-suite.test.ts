/** The suite itself: a target that breaks one promise must fail the test of that promise, for that reason. */
import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/targets/memory.ts'
import { wrapTarget } from '../../src/targets/target.ts'
import { targetConformance } from '../../src/testing/target-conformance.ts'
import { BROKEN } from './broken-targets.ts'
import { failingTests, failuresOf } from './failing-tests.ts'

describe('targetConformance', () => {
  it.for(Object.entries(BROKEN))('notices a target that %s', async ([, broken]) => {
    const { fails, because, wrap, profile = 'quick' } = broken
    const create = () => wrap(memoryTarget())
    const failures = await failuresOf((runner) => targetConformance(runner, { create, profile }))
    expect(failures.map(({ test }) => test).sort()).toEqual([...fails].sort())
    expect(failures.find(({ test }) => test === fails[0])?.message).toMatch(because)
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
