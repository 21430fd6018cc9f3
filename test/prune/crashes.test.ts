/** A process that dies at any change that a forget or a prune makes: nothing is lost, and the next ones finish the work. */
import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { memoryTarget, systemClock, type Target } from '../../src/index.ts'
import { crashAfter } from '../../src/testing/crash-after.ts'
import type { Clock } from '../../src/util/clock.ts'
import {
  codeOf,
  copyOf,
  expectSound,
  ids,
  keysBelow,
  type Look,
  look,
  type MemoryTarget,
  openOn,
  restored,
  scratch,
} from '../faults/support.ts'
import { forgetAll, makeGeneration, pruneNow } from './support.ts'

const folder = scratch()
const source = (): string => folder.at('source')

/** Waits take no time, and count as if they had: what a dead process leaves behind stands still for long enough. */
function hastyClock(days = 0): Clock {
  let aheadMs = 0
  return {
    now: () => new Date(Date.now() + days * 86_400_000),
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    async sleep(ms, options = {}) {
      if (options.unref || ms > 60_000) return systemClock.sleep(ms, options)
      aheadMs += ms
    },
  }
}

interface Prepared {
  target: MemoryTarget
  kept: string
  gone: string[]
  looks: Map<string, Look>
}

async function prepare(): Promise<Prepared> {
  const target = memoryTarget()
  const engine = await openOn(target, source())
  const all: string[] = []
  const looks = new Map<string, Look>()
  for (let n = 0; n < 4; n++) {
    rmSync(source(), { recursive: true, force: true })
    makeGeneration(source(), n, 60_000)
    const { snapshot } = await engine.backup()
    all.push(snapshot.id)
    looks.set(snapshot.id, look(source()))
  }
  await engine.close()
  return { target, kept: all.at(-1)!, gone: all.slice(0, -1), looks }
}

async function work(target: Target, { gone }: Prepared, days = 0): Promise<void> {
  const engine = await openOn(target, source(), { clock: hastyClock(days) })
  try {
    const left = (await ids(engine)).filter((id) => gone.includes(id))
    if (left.length > 0) await forgetAll(engine, left)
    await pruneNow(engine, { minDeadShare: 0.05 })
  } finally {
    await engine.close()
  }
}

async function expectRecovery(target: MemoryTarget, prepared: Prepared, n: number): Promise<void> {
  const engine = await openOn(target, source(), { clock: hastyClock() })
  for (const id of await ids(engine)) {
    expect(await restored(engine, id, folder.path), `${id} after ${n}`).toEqual(prepared.looks.get(id))
  }
  await expectSound(engine)
  const { snapshot } = await engine.backup()
  expect(await restored(engine, snapshot.id, folder.path)).toEqual(look(source()))
  await engine.close()
  // The next day objects of runs that died go as well.
  await work(target, prepared, 2)
  const after = await openOn(target, source())
  expect((await ids(after)).sort()).toEqual([prepared.kept, snapshot.id].sort())
  expect(await restored(after, prepared.kept, folder.path)).toEqual(prepared.looks.get(prepared.kept))
  await expectSound(after)
  const { findings } = await after.verify()
  expect(findings, 'packs that nobody knows are left').toEqual([])
  for (const prefix of ['trash/', 'runs/']) expect(keysBelow(target, prefix)).toEqual([])
  expect(keysBelow(target, 'gc/').filter((key) => !key.endsWith('.done'))).toEqual([])
  await after.close()
}

for (const lostReply of [false, true]) {
  it(`a forget and a prune that die after any change${lostReply ? ', whose reply is lost' : ''}`, async () => {
    const prepared = await prepare()
    const counting = crashAfter(await copyOf(prepared.target), Number.POSITIVE_INFINITY)
    await work(counting, prepared)
    expect(counting.mutations).toBeGreaterThan(20)
    for (let n = 0; n <= counting.mutations; n++) {
      const target = await copyOf(prepared.target)
      await codeOf(work(crashAfter(target, n, { lostReply }), prepared))
      await expectRecovery(target, prepared, n)
    }
  }, 120_000)
}
