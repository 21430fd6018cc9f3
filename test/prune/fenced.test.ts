/** A run that stood still for so long that a prune gave it up, and deleted what it had stored. */
import { expect, it } from 'vitest'
import { memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { runRecord } from '../../src/model/run.ts'
import { tidyRuns } from '../../src/repository/prune/tidy.ts'
import { fakeClock, memorySource, testEngine } from '../../src/testing/index.ts'
import { codeOf, keysBelow } from '../faults/support.ts'
import { freshRepository, NOW } from '../repository/fixtures.ts'
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

it('what a dead run left goes after a week, also with a prune that frees nothing', async () => {
  const { records, target } = await freshRepository()
  const clock = fakeClock(NOW)
  const run = { id: 'dead', verb: 'backup', startedAt: NOW, host: 'h', pid: 1, beat: 3 }
  await records.put('control', 'runs/dead', runRecord.encode(run))
  const keys = async () => [
    (await target.stat('runs/dead')) !== undefined,
    (await target.stat('snapshots/dead')) !== undefined,
  ]
  await clock.advance(6 * DAY_MS)
  await tidyRuns({ records, clock, self: 'p' }, true)
  expect(await keys()).toEqual([true, false])
  await clock.advance(2 * DAY_MS)
  await tidyRuns({ records, clock, self: 'p' }, true)
  expect(await keys()).toEqual([false, true])
})

const DAY_MS = 24 * 60 * 60 * 1000
