/** A run that stood still for so long that a prune gave it up, and deleted what it had stored. */
import { expect, it } from 'vitest'
import { memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { fakeClock, memorySource, testEngine } from '../../src/testing/index.ts'
import { codeOf, keysBelow } from '../faults/support.ts'
import { keysOfPacks } from './support.ts'

it('says so, and not that the target loses things; the next one succeeds', async () => {
  const target = memoryTarget()
  const clock = fakeClock()
  const pruner = await testEngine({ target, clock })
  let prune: (() => Promise<unknown>) | undefined = async () => {
    const plan = await pruner.planPrune()
    const pruning = pruner.prune(plan, { confirm: plan.digest })
    await clock.advance(20 * 60_000)
    return await pruning
  }
  const put: Target['put'] = async (key, body, options) => {
    const now = key.startsWith('index/') ? prune : undefined
    prune = now ? undefined : prune
    await now?.()
    return target.put(key, body, options)
  }
  // Its own clock stands still, and so does its heart.
  const engine = await testEngine({
    target: wrapTarget(target, { put } satisfies Partial<Target>),
    clock: fakeClock(),
    sources: [memorySource({ name: 'uploads', files: { a: 'content' } })],
  })
  expect(await codeOf(engine.backup())).toBe('RUN_FENCED')
  expect(keysBelow(target, 'gc/')).toEqual(['gc/00000001.done'])
  expect(keysOfPacks(target)).toEqual([])
  expect(await codeOf(engine.backup())).toBe('resolved')
  expect((await pruner.verify({ level: 'data' })).sound).toBe(true)
  await Promise.all([engine.close(), pruner.close()])
})
