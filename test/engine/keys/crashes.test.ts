/** A process that dies at any change that a verb of keys makes: as a whole it has happened, or as a whole not. */
import { describe, expect, it } from 'vitest'
import type { BackupEngine, Target } from '../../../src/index.ts'
import { crashAfter } from '../../../src/testing/crash-after.ts'
import {
  ANN,
  BEN,
  CARLA,
  codeOf,
  copyOf,
  freshTarget,
  grow,
  keyOf,
  keysBelow,
  type MemoryTarget,
  open,
  using,
} from './support.ts'

interface Scene {
  work: (engine: BackupEngine) => Promise<unknown>
  /** What each key does before it has happened, and after: ANN, BEN, CARLA. */
  before: readonly string[]
  after: readonly string[]
}

const [yes, no] = ['resolved', 'KEY_WRONG']
const labelled = async (engine: BackupEngine, label: string): Promise<string> =>
  (await engine.keys.list()).find((slot) => slot.label === label)!.id

const SCENES: Readonly<Record<string, Scene>> = {
  add: {
    work: (engine) => engine.keys.add(CARLA, { label: 'Carla' }),
    before: [yes, yes, no],
    after: [yes, yes, yes],
  },
  remove: {
    work: async (engine) => engine.keys.remove(await labelled(engine, 'Ben')),
    before: [yes, yes, no],
    after: [yes, no, no],
  },
  change: {
    work: async (engine) => engine.keys.change(await labelled(engine, 'Ben'), CARLA),
    before: [yes, yes, no],
    after: [yes, no, yes],
  },
  'change of the own': {
    work: async (engine) => engine.keys.change(await labelled(engine, 'first'), CARLA),
    before: [yes, yes, no],
    after: [no, yes, yes],
  },
  rotate: { work: (engine) => engine.keys.rotate(), before: [yes, yes, no], after: [yes, yes, no] },
  'rotate and seal anew': {
    work: (engine) => engine.keys.rotate({ rekeyOldData: true }),
    before: [yes, yes, no],
    after: [yes, yes, no],
  },
}

async function prepare(): Promise<MemoryTarget> {
  const target = freshTarget()
  await using(target, ANN, async (engine) => {
    await engine.keys.add(BEN, { label: 'Ben' })
    await engine.backup()
    grow(1)
    await engine.backup()
  })
  return target
}

async function codes(target: Target): Promise<string[]> {
  const found: string[] = []
  for (const key of [ANN, BEN, CARLA]) found.push(await codeOf(using(target, key, async () => {})))
  return found
}

describe.each(Object.entries(SCENES))('%s', (_, { work, before, after }) => {
  it.each([false, true])('that dies after any change (its reply is lost: %s)', async (lostReply) => {
    const prepared = await prepare()
    const counting = crashAfter(await copyOf(prepared), Number.POSITIVE_INFINITY)
    await using(counting, ANN, work)
    for (let n = 0; n <= counting.mutations; n++) {
      const target = await copyOf(prepared)
      const dying = crashAfter(target, n, { lostReply })
      await codeOf(open(dying, ANN).then((engine) => work(engine).finally(() => engine.close().catch(() => {}))))
      const found = await codes(target)
      expect([before, after], `after change ${n}`).toContainEqual(found)
      const key = [ANN, BEN, CARLA][found.indexOf(yes)]!
      await using(target, key, (engine) => expectWhole(target, engine))
    }
  })
})

async function expectWhole(target: MemoryTarget, engine: BackupEngine): Promise<void> {
  expect(await engine.snapshots().toArray()).toHaveLength(2)
  expect((await engine.verify({ level: 'data' })).findings.filter(({ severity }) => severity !== 'info')).toEqual([])
  expect((await engine.keys.verify()).filter(({ severity }) => severity === 'error')).toEqual([])
  // The next change tidies up what was left.
  await engine.keys.add(keyOf(9), { label: 'one more' })
  expect(keysBelow(target, 'keys/')).toHaveLength((await engine.keys.list()).length)
  await engine.backup()
}
