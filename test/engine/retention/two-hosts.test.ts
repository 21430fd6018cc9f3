/** Two who forget at the same time, each for the sake of what the other one forgets. */
import { beforeEach, expect, it } from 'vitest'
import {
  type BackupEngine,
  BackupError,
  type ForgetPlan,
  memoryTarget,
  type Target,
  wrapTarget,
} from '../../../src/index.ts'
import { type FakeClock, fakeClock, memorySource, testEngine } from '../../../src/testing/index.ts'
import { codeOf, keysBelow } from '../../faults/support.ts'

const DAY = 24 * 60 * 60 * 1000
let memory: ReturnType<typeof memoryTarget>
let clock: FakeClock

beforeEach(() => {
  memory = memoryTarget()
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

const begin = (engine: BackupEngine, plan: ForgetPlan) =>
  codeOf(engine.forget(plan, { confirm: plan.digest, deadRunMs: 180_000 }))
/** Time goes on until it is over. */
const carryOut = (engine: BackupEngine, plan: ForgetPlan): Promise<string> => clock.until(begin(engine, plan))

/** What a process that is killed right after it has stored such an object had of the target. */
function killedAfter(prefix: string): { target: Target; begin(): void } {
  let state: 'before' | 'armed' | 'killed' = 'before'
  const die = (): void => {
    if (state === 'killed') throw new BackupError('TARGET_DENIED', 'killed', { origin: 'target' })
  }
  const put: Target['put'] = async (key, body, options) => {
    die()
    const done = await memory.put(key, body, options)
    if (state === 'armed' && key.startsWith(prefix)) state = 'killed'
    return done
  }
  const get: Target['get'] = async (key, options) => {
    die()
    return memory.get(key, options)
  }
  const remove: Target['delete'] = async (keys, options) => {
    die()
    return memory.delete(keys, options)
  }
  const list: Target['list'] = async function* (prefix, options) {
    die()
    yield* memory.list(prefix, options)
  }
  const begin = (): void => {
    state = 'armed'
  }
  return { target: wrapTarget(memory, { put, get, delete: remove, list } satisfies Partial<Target>), begin }
}

it('the one that comes while the other is at it stops', async () => {
  const other = await engineOn(memory)
  let meanwhile: (() => Promise<unknown>) | undefined
  const remove: Target['delete'] = async (keys, options) => {
    const now = keys.some((key) => key.startsWith('snapshots/')) ? meanwhile : undefined
    meanwhile = now ? undefined : meanwhile
    await now?.()
    return memory.delete(keys, options)
  }
  const one = await engineOn(wrapTarget(memory, { delete: remove } satisfies Partial<Target>))
  const [plan, counterplan] = await opposite(one, other)
  const codes: string[] = []
  meanwhile = async () => codes.push(await begin(other, counterplan))
  codes.push(await carryOut(one, plan))
  expect(codes).toEqual(['PLAN_STALE', 'resolved'])
  expect(keysBelow(memory, 'snapshots/')).toHaveLength(1)
  expect(keysBelow(memory, 'trash/')).toHaveLength(1)
  await Promise.all([one.close(), other.close()])
})

it('of two that begin together none ends what the other keeps, and nothing is left behind', async () => {
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let together = false
  const engines = await Promise.all(
    begun.map(({ resolve }) => {
      const put: Target['put'] = async (key, body, options) => {
        const done = await memory.put(key, body, options)
        if (!together || !options?.ifAbsent || !key.startsWith('runs/')) return done
        resolve()
        await Promise.all(begun.map(({ promise }) => promise))
        return done
      }
      return engineOn(wrapTarget(memory, { put } satisfies Partial<Target>))
    }),
  )
  const [one, other] = engines as [BackupEngine, BackupEngine]
  const [plan, counterplan] = await opposite(one, other)
  together = true
  const codes = await clock.until(Promise.all([begin(one, plan), begin(other, counterplan)]))
  together = false
  expect(codes).toContain('PLAN_STALE')
  const ended = codes.filter((code) => code === 'resolved').length
  expect(await one.snapshots().toArray()).toHaveLength(2 - ended)
  expect([keysBelow(memory, 'trash/'), keysBelow(memory, 'runs/')]).toEqual([
    ended === 0 ? [] : [expect.anything()],
    [],
  ])
  await Promise.all([one.close(), other.close()])
})

it('one who was killed before he ended anything is waited for no longer than a run that gives no sign of life', async () => {
  const killed = killedAfter('runs/')
  const other = await engineOn(killed.target)
  const one = await engineOn(memory)
  const [plan, counterplan] = await opposite(one, other)
  killed.begin()
  expect(await carryOut(other, counterplan)).toBe('TARGET_DENIED')
  expect([keysBelow(memory, 'runs/'), keysBelow(memory, 'trash/')]).toEqual([[expect.anything()], []])
  const beganMs = clock.monotonicMs()
  expect(await carryOut(one, plan)).toBe('resolved')
  const tookMs = clock.monotonicMs() - beganMs
  expect(tookMs).toBeGreaterThanOrEqual(180_000)
  // Signs of life of its own move the clock on a slow machine.
  expect(tookMs).toBeLessThan(360_000)
  // It is waited for once.
  expect(keysBelow(memory, 'runs/')).toEqual([])
  await Promise.all([one.close(), other.close()])
})

it('one whose run is gone is not waited for, whatever he has left behind', async () => {
  const killed = killedAfter('trash/')
  const other = await engineOn(killed.target)
  const one = await engineOn(memory)
  const [plan, counterplan] = await opposite(one, other)
  killed.begin()
  expect(await carryOut(other, counterplan)).toBe('TARGET_DENIED')
  await memory.delete(keysBelow(memory, 'runs/'))
  const beganMs = clock.monotonicMs()
  expect(await carryOut(one, plan)).toBe('resolved')
  expect(clock.monotonicMs() - beganMs).toBeLessThan(100_000)
  await Promise.all([one.close(), other.close()])
})

it('one who was silent for longer than others wait announces anew before he ends anything', async () => {
  const [asleep, awake] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const announced: string[] = []
  let [isReady, isAsleep] = [false, false]
  const put: Target['put'] = async (key, body, options) => {
    const isRun = isReady && key.startsWith('runs/')
    if (isRun && isAsleep) throw new BackupError('TARGET_DENIED', 'asleep', { origin: 'target' })
    if (isRun && options?.ifAbsent) announced.push(key)
    const done = await memory.put(key, body, options)
    if (!isReady || announced.length > 1 || !key.startsWith('trash/')) return done
    isAsleep = true
    asleep.resolve()
    await awake.promise
    isAsleep = false
    return done
  }
  const other = await engineOn(memory)
  const one = await engineOn(wrapTarget(memory, { put } satisfies Partial<Target>))
  const [plan, counterplan] = await opposite(one, other)
  isReady = true
  const slow = begin(one, plan)
  await asleep.promise
  await clock.advance(10 * 60_000)
  // Somebody else takes the silent one for dead.
  await memory.delete(announced)
  expect(await carryOut(other, counterplan)).toBe('resolved')
  awake.resolve()
  expect(await clock.until(slow)).toBe('PLAN_STALE')
  expect(announced).toHaveLength(2)
  expect(await one.snapshots().toArray()).toHaveLength(1)
  await Promise.all([one.close(), other.close()])
})
