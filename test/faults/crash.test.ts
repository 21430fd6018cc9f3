/** A process that dies after the n-th change of the repository, for every n: nothing is lost, nothing is half there. */
import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/index.ts'
import { type CrashingTarget, crashAfter } from '../../src/testing/crash-after.ts'
import {
  changeTree,
  copyOf,
  expectSound,
  file,
  ids,
  keysBelow,
  type Look,
  look,
  type MemoryTarget,
  makeTree,
  noise,
  openOn,
  restored,
  scratch,
} from './support.ts'

const folder = scratch()
const source = (): string => folder.at('source')

interface Prepared {
  target: MemoryTarget
  first: string
  before: Look
  after: Look
  /** Changes of the target that an undisturbed second backup makes. */
  mutations: number
}

async function prepare(hugeBytes = 0): Promise<Prepared> {
  makeTree(source())
  const target = memoryTarget()
  const engine = await openOn(target, source())
  const first = (await engine.backup()).snapshot.id
  await engine.close()
  const before = look(source())
  changeTree(source())
  if (hugeBytes > 0) file(folder.at('source', 'huge'), noise(hugeBytes, 21))
  const mutations = await countMutations(await copyOf(target))
  return { target, first, before, after: look(source()), mutations }
}

async function countMutations(copy: MemoryTarget): Promise<number> {
  const counting = crashAfter(copy, Number.POSITIVE_INFINITY)
  const engine = await openOn(counting, source())
  await engine.backup()
  await engine.close()
  return counting.mutations
}

/** Opens an engine on the dying target and backs up; both may fail. */
async function backUpAndDie(target: CrashingTarget, workers?: 'inline'): Promise<unknown> {
  try {
    const engine = await openOn(target, source(), workers === undefined ? {} : { workers })
    try {
      return (await engine.backup()).snapshot.id
    } finally {
      await engine.close()
    }
  } catch (error) {
    return error
  }
}

async function expectRecovery(target: MemoryTarget, { first, before, after }: Prepared): Promise<void> {
  const engine = await openOn(target, source())
  const left = await ids(engine)
  expect(left).toContain(first)
  expect(left.length).toBeLessThanOrEqual(2)
  expect(await restored(engine, first, folder.path)).toEqual(before)
  for (const id of left) if (id !== first) expect(await restored(engine, id, folder.path)).toEqual(after)
  const { snapshot, warnings } = await engine.backup()
  expect(warnings).toEqual([])
  expect(await restored(engine, snapshot.id, folder.path)).toEqual(after)
  expect(await ids(engine)).toHaveLength(left.length + 1)
  await expectSound(engine)
  await engine.close()
}

describe('a second backup that dies', () => {
  for (const lostReply of [false, true]) {
    it(`after any change${lostReply ? ', whose reply is lost,' : ''} leaves all that was there, and the next one works`, async () => {
      const prepared = await prepare()
      expect(prepared.mutations).toBeGreaterThanOrEqual(6)
      let committed = 0
      for (let n = 0; n <= prepared.mutations; n++) {
        const target = await copyOf(prepared.target)
        const dying = crashAfter(target, n, { lostReply })
        await backUpAndDie(dying, 'inline')
        if (keysBelow(target, 'snapshots/').length === 2) committed++
        await expectRecovery(target, prepared)
      }
      // Only the end of the run and its report come after the commit.
      expect(committed).toBeGreaterThanOrEqual(1)
      expect(committed).toBeLessThanOrEqual(4)
    })
  }

  it('is no different with threads, and a file whose chunks need lists', async () => {
    const prepared = await prepare(48_000_000)
    expect(prepared.mutations).toBeGreaterThanOrEqual(9)
    for (const n of [1, 3, 5, prepared.mutations - 4, prepared.mutations - 2]) {
      const target = await copyOf(prepared.target)
      await backUpAndDie(crashAfter(target, n, { lostReply: n % 2 === 0 }))
      await expectRecovery(target, prepared)
    }
  })
})

describe('the very first backup, into an empty place, that dies', () => {
  for (const lostReply of [false, true]) {
    it(`after any change${lostReply ? ', whose reply is lost,' : ''} can be made again`, async () => {
      makeTree(source(), 1_000_000)
      const all = look(source())
      const mutations = await countMutations(memoryTarget())
      expect(mutations).toBeGreaterThanOrEqual(7)
      for (let n = 0; n <= mutations; n++) {
        const target = memoryTarget()
        await backUpAndDie(crashAfter(target, n, { lostReply }), 'inline')
        const engine = await openOn(target, source())
        for (const id of await ids(engine)) expect(await restored(engine, id, folder.path)).toEqual(all)
        const { snapshot } = await engine.backup()
        expect(await restored(engine, snapshot.id, folder.path), `after ${n}`).toEqual(all)
        await expectSound(engine)
        await engine.close()
      }
    })
  }
})
