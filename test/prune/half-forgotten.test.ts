/** A forgetting that was cut short leaves a copy of what is still there. A prune takes it away, and nothing else. */
import { beforeEach, expect, it } from 'vitest'
import { type BackupEngine, BackupError, memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { type FakeClock, fakeClock, memorySource, testEngine } from '../../src/testing/index.ts'
import { codeOf, keysBelow } from '../faults/support.ts'
import { forgetAll, pruneNow } from './support.ts'

const DAY = 24 * 60 * 60 * 1000
let clock: FakeClock
let target: ReturnType<typeof memoryTarget>

beforeEach(() => {
  target = memoryTarget()
  clock = fakeClock()
})

const engineOn = (on: Target): Promise<BackupEngine> =>
  testEngine({ target: on, clock, sources: [memorySource({ name: 'uploads', files: { a: 'content' } })] })

/** Two snapshots, old enough to leave no tombstone. Gives the older one: the newest leaves one at any age. */
async function twoSnapshots(engine: BackupEngine): Promise<string> {
  const { snapshot } = await engine.backup({ tags: ['first'] })
  await clock.advance(1000)
  await engine.backup()
  await clock.advance(2 * DAY)
  return snapshot.id
}

const inTrash = (): string[] => keysBelow(target, 'trash/')

/** The target of a process whose deletions of such objects hang until told otherwise. */
function hangingAt(prefix: string): { target: Target; hangs: Promise<void>; release(): void } {
  const [hangs, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const remove: Target['delete'] = async (keys, options) => {
    if (keys.some((key) => key.startsWith(prefix))) {
      hangs.resolve()
      await goOn.promise
    }
    return target.delete(keys, options)
  }
  const hanging = wrapTarget(target, { delete: remove } satisfies Partial<Target>)
  return { target: hanging, hangs: hangs.promise, release: () => goOn.resolve() }
}

/** Killed when it had made the copy. */
async function cutShort(id: string): Promise<void> {
  let isDead = false
  const die = (): never => {
    throw new BackupError('TARGET_DENIED', 'killed', { origin: 'target' })
  }
  const put: Target['put'] = async (key, body, options) => {
    const done = isDead ? die() : await target.put(key, body, options)
    isDead ||= key.startsWith('trash/')
    return done
  }
  const remove: Target['delete'] = async (keys, options) => (isDead ? die() : target.delete(keys, options))
  const stat: Target['stat'] = async (key, options) => (isDead ? die() : target.stat(key, options))
  const engine = await engineOn(wrapTarget(target, { put, stat, delete: remove } satisfies Partial<Target>))
  expect(await codeOf(clock.until(forgetAll(engine, [id])))).toBe('TARGET_DENIED')
  await engine.close()
  expect(inTrash()).toEqual([`trash/${id}`])
}

it('goes with the next prune, which waits until whoever has left it counts as dead', async () => {
  const engine = await engineOn(target)
  const id = await twoSnapshots(engine)
  await cutShort(id)
  expect(keysBelow(target, 'runs/')).toHaveLength(1)
  const beganMs = clock.monotonicMs()
  await clock.until(pruneNow(engine, {}, { deadRunMs: 180_000 }))
  expect(clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(180_000)
  expect([inTrash(), keysBelow(target, 'runs/')]).toEqual([[], []])
  expect(keysBelow(target, 'snapshots/')).toHaveLength(2)
  // And the prune after that waits for nobody.
  await cutShort(id)
  await clock.advance(2 * DAY)
  const laterMs = clock.monotonicMs()
  await clock.until(pruneNow(engine))
  // On a slow machine signs of life move the clock, a minute each; who waits for the dead waits 900 s.
  expect(clock.monotonicMs() - laterMs).toBeLessThan(600_000)
  expect(inTrash()).toEqual([])
  await engine.close()
})

it('stays while whoever has made it lives and is about to end the snapshot', async () => {
  const hanging = hangingAt('snapshots/')
  const [engine, slow] = [await engineOn(target), await engineOn(hanging.target)]
  const id = await twoSnapshots(engine)
  const forgetting = forgetAll(slow, [id])
  await hanging.hangs
  await clock.until(pruneNow(engine))
  expect(inTrash()).toEqual([`trash/${id}`])
  hanging.release()
  expect(await clock.until(forgetting)).toEqual([id])
  expect((await engine.forgotten().toArray()).map((each) => each.id)).toEqual([id])
  await Promise.all([engine.close(), slow.close()])
})

it('is not taken away when it has just been made anew: who forgets waits for a prune that is at it', async () => {
  const hanging = hangingAt('trash/')
  const [engine, slow] = [await engineOn(target), await engineOn(hanging.target)]
  const id = await twoSnapshots(engine)
  await cutShort(id)
  await target.delete(keysBelow(target, 'runs/'))
  const pruning = clock.until(pruneNow(slow))
  await hanging.hangs
  let isOver = false
  const forgetting = forgetAll(engine, [id]).finally(() => {
    isOver = true
  })
  await clock.advance(60_000)
  expect(isOver).toBe(false)
  expect(keysBelow(target, 'snapshots/')).toHaveLength(2)
  hanging.release()
  await pruning
  expect(await clock.until(forgetting)).toEqual([id])
  expect(inTrash()).toEqual([`trash/${id}`])
  await Promise.all([engine.close(), slow.close()])
})
