/** Two who forget at the same time, each for the sake of what the other one forgets. */
import { beforeEach, expect, it } from 'vitest'
import { type BackupEngine, type ForgetPlan, memoryTarget, type Target, wrapTarget } from '../../../src/index.ts'
import { type FakeClock, fakeClock, memorySource, testEngine } from '../../../src/testing/index.ts'
import { codeOf, keysBelow } from '../../faults/support.ts'

const DAY = 24 * 60 * 60 * 1000
const target = { memory: memoryTarget() }
let clock: FakeClock

beforeEach(() => {
  target.memory = memoryTarget()
  clock = fakeClock()
})

const engineOn = (on: Target): Promise<BackupEngine> =>
  testEngine({ target: on, clock, sources: [memorySource({ name: 'uploads', files: { a: 'content' } })] })

/** A plan that keeps one of two snapshots, and one that keeps the other: made when only the notes differed. */
async function opposite(one: BackupEngine, other: BackupEngine): Promise<[ForgetPlan, ForgetPlan]> {
  const first = (await one.backup({ tags: ['first'] })).snapshot.id
  await clock.advance(2 * DAY)
  const second = (await one.backup()).snapshot.id
  await clock.advance(2 * DAY)
  const plans = [await one.planForget({ retention: { keepLast: 1 } }), await other.planForget({ snapshots: [second] })]
  expect(plans.map(({ decisions }) => decisions.filter(({ keep }) => keep).map(({ snapshot }) => snapshot))).toEqual([
    [second],
    [first],
  ])
  return plans as [ForgetPlan, ForgetPlan]
}

const carryOut = (engine: BackupEngine, plan: ForgetPlan) => codeOf(engine.forget(plan, { confirm: plan.digest }))

it('the one that comes while the other is at it stops', async () => {
  const other = await engineOn(target.memory)
  let meanwhile: (() => Promise<unknown>) | undefined
  const remove: Target['delete'] = async (keys, options) => {
    const now = keys.some((key) => key.startsWith('snapshots/')) ? meanwhile : undefined
    meanwhile = now ? undefined : meanwhile
    await now?.()
    return target.memory.delete(keys, options)
  }
  const one = await engineOn(wrapTarget(target.memory, { delete: remove } satisfies Partial<Target>))
  const [plan, counterplan] = await opposite(one, other)
  const codes: string[] = []
  meanwhile = async () => codes.push(await carryOut(other, counterplan))
  codes.push(await carryOut(one, plan))
  expect(codes).toEqual(['PLAN_STALE', 'resolved'])
  expect(keysBelow(target.memory, 'snapshots/')).toHaveLength(1)
  expect(keysBelow(target.memory, 'trash/')).toHaveLength(1)
  await Promise.all([one.close(), other.close()])
})

it('of two that begin together none ends what the other keeps, and nothing is left behind', async () => {
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const engines = await Promise.all(
    begun.map(({ resolve }) => {
      const put: Target['put'] = async (key, body, options) => {
        const done = await target.memory.put(key, body, options)
        if (!key.startsWith('trash/')) return done
        resolve()
        await Promise.all(begun.map(({ promise }) => promise))
        return done
      }
      return engineOn(wrapTarget(target.memory, { put } satisfies Partial<Target>))
    }),
  )
  const [one, other] = engines as [BackupEngine, BackupEngine]
  const [plan, counterplan] = await opposite(one, other)
  expect(await Promise.all([carryOut(one, plan), carryOut(other, counterplan)])).toEqual(['PLAN_STALE', 'PLAN_STALE'])
  expect(keysBelow(target.memory, 'snapshots/')).toHaveLength(2)
  expect(keysBelow(target.memory, 'trash/')).toEqual([])
  // Again, one after the other.
  expect(await carryOut(one, plan)).toBe('resolved')
  expect(await carryOut(other, counterplan)).toBe('PLAN_STALE')
  await Promise.all([one.close(), other.close()])
})

it('a copy that was left behind keeps nobody from forgetting for more than an hour', async () => {
  let cut = true
  const remove: Target['delete'] = async (keys, options) => {
    if (cut && keys.some((key) => /^(snapshots|trash)/.test(key))) throw new Error('killed')
    return target.memory.delete(keys, options)
  }
  const other = await engineOn(wrapTarget(target.memory, { delete: remove } satisfies Partial<Target>))
  const one = await engineOn(target.memory)
  const [plan, counterplan] = await opposite(one, other)
  expect(await carryOut(other, counterplan)).not.toBe('resolved')
  cut = false
  expect(keysBelow(target.memory, 'trash/')).toHaveLength(1)
  expect(await carryOut(one, plan)).toBe('PLAN_STALE')
  await clock.advance(61 * 60 * 1000)
  expect(await carryOut(one, plan)).toBe('resolved')
  await Promise.all([one.close(), other.close()])
})
