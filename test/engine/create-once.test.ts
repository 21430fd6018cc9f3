/** Stores that create once, that do not, and those of which it is known only when a record was put. */
import { beforeEach, expect, it } from 'vitest'
import { type BackupEngine, memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { type FakeClock, fakeClock, memorySource, testEngine } from '../../src/testing/index.ts'
import { forgetAll, pruneNow } from '../prune/support.ts'

const GRACE_MS = 3_600_000
let clock: FakeClock
let target: ReturnType<typeof memoryTarget>
let files: Record<string, string>

beforeEach(() => {
  target = memoryTarget()
  clock = fakeClock()
  files = { a: 'first' }
})

/** A new client of the store, which finds out at the first record of a run: as S3 with the provider `generic`. */
function client(isKept: boolean): Target {
  let createOnly = false
  const put: Target['put'] = async (key, body, options) => {
    if (key.startsWith('runs/')) createOnly = isKept
    return target.put(key, body, options)
  }
  const live = {
    put,
    get traits() {
      return { ...target.traits, createOnly }
    },
  }
  return new Proxy(wrapTarget(target, { put }), {
    get: (inner, name) => (name === 'traits' ? live.traits : Reflect.get(inner, name)),
  })
}

const openOn = (on: Target, log: string[] = []): Promise<BackupEngine> =>
  testEngine({
    target: on,
    clock,
    sources: [memorySource({ name: 'uploads', files })],
    logger: { debug() {}, info() {}, warn: (_, message) => void log.push(String(message)), error() {} },
  })

/** Something to prune. */
async function prepare(): Promise<void> {
  const engine = await openOn(target)
  const { snapshot } = await engine.backup()
  await engine.close()
  files = { b: 'second' }
  const next = await openOn(target)
  await next.backup()
  await clock.until(forgetAll(next, [snapshot.id]))
  await next.close()
}

it('nobody is warned of a store that turns out to create once, and a prune does not wait', async () => {
  await prepare()
  const log: string[] = []
  const engine = await openOn(client(true), log)
  const beganMs = clock.monotonicMs()
  const { deleted, warnings } = await clock.until(pruneNow(engine))
  expect(deleted.packs).toBeGreaterThan(0)
  expect(clock.monotonicMs() - beganMs).toBeLessThan(GRACE_MS / 2)
  expect([warnings, log]).toEqual([[], []])
  await engine.close()
  const other = await openOn(client(true), log)
  expect((await other.backup()).warnings).toEqual([])
  expect(log).toEqual([])
  await other.close()
})

it('each run is warned of one that does not, and a prune waits', async () => {
  await prepare()
  const engine = await openOn(client(false))
  for (let run = 0; run < 2; run++) {
    expect((await engine.backup()).warnings.map(({ code }) => code)).toEqual(['NO_CREATE_ONCE'])
  }
  const beganMs = clock.monotonicMs()
  const { deleted, warnings } = await clock.until(pruneNow(engine))
  expect(deleted.packs).toBeGreaterThan(0)
  expect(clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(GRACE_MS)
  expect(warnings.map(({ code }) => code)).toEqual(['NO_CREATE_ONCE', 'PRUNE_GRACE'])
  await engine.close()
})
