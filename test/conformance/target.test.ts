import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { localTarget } from '../../src/targets/local/local-target.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { defineTarget, type Target } from '../../src/targets/target.ts'
import { mirrored } from '../../src/targets/wrappers/mirrored.ts'
import { prefixed } from '../../src/targets/wrappers/prefixed.ts'
import { retrying } from '../../src/targets/wrappers/retrying.ts'
import { throttled } from '../../src/targets/wrappers/throttled.ts'
import { countingTarget } from '../../src/testing/counting-target.ts'
import { crashAfter } from '../../src/testing/crash-after.ts'
import { faultyTarget } from '../../src/testing/faulty-target.ts'
import { targetConformance } from '../../src/testing/target-conformance.ts'

const runner = { describe, it }

describe('memoryTarget', () => targetConformance(runner, { create: () => memoryTarget() }))

for (const fsync of [true, false]) {
  describe(`localTarget, fsync: ${fsync}`, () => {
    let folder: string
    targetConformance(runner, {
      create: async () => {
        folder = await mkdtemp(join(tmpdir(), 'holdfast-target-'))
        return localTarget(join(folder, 'made/by/the/first/put'), { fsync })
      },
      cleanup: () => rm(folder, { recursive: true }),
      processes: () => ({
        module: new URL('../../src/targets/local/local-target.ts', import.meta.url),
        export: 'localTarget',
        options: join(folder, 'made/by/the/first/put'),
      }),
      profile: fsync ? 'full' : 'quick',
    })
  })
}

/** Every wrapper keeps all promises of what it wraps, so that they can be stacked. */
const WRAPPERS: Record<string, (target: Target) => Target> = {
  defineTarget: (target) => defineTarget(target),
  retrying: (target) => retrying(target),
  throttled: (target) => throttled(target, { bytesPerSecond: 1e12 }),
  prefixed: (target) => prefixed(target, 'tenants/42'),
  'prefixed within prefixed': (target) => prefixed(prefixed(target, 'tenants/'), '42'),
  'mirrored alone': (target) => mirrored([target]),
  mirrored: (target) => mirrored([target, memoryTarget()]),
  'mirrored, with slow mirrors': (target) => mirrored([target, slow(memoryTarget())], { writeQuorum: 1 }),
  'mirrored, with a slow first one': (target) =>
    mirrored([slow(target), memoryTarget(), memoryTarget()], { writeQuorum: 2 }),
  'faultyTarget without faults': (target) => faultyTarget(target, []),
  'crashAfter that never does': (target) => crashAfter(target, Number.POSITIVE_INFINITY),
  countingTarget: (target) => countingTarget(target),
  'retrying around throttled': (target) => retrying(throttled(target, { bytesPerSecond: 1e12 })),
}
for (const [name, wrap] of Object.entries(WRAPPERS)) {
  describe(name, () => targetConformance(runner, { create: () => wrap(memoryTarget()), profile: 'quick' }))
}

describe('mirrored in memory and in a folder', () => {
  let folder: string
  targetConformance(runner, {
    create: async () => {
      folder = await mkdtemp(join(tmpdir(), 'holdfast-mirror-'))
      return mirrored([memoryTarget(), localTarget(folder)])
    },
    cleanup: () => rm(folder, { recursive: true }),
    profile: 'quick',
  })
})

/** What takes several turns shows whether a wrapper is atomic itself, which memory alone hides. */
describe('retrying around a slow target', () => {
  targetConformance(runner, { create: () => retrying(slow(memoryTarget())), profile: 'quick' })
})

function slow(target: Target): Target {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return defineTarget({
    name: target.name,
    traits: target.traits,
    put: async (...args) => turn().then(() => target.put(...args)),
    get: async (...args) => turn().then(() => target.get(...args)),
    stat: async (...args) => turn().then(() => target.stat(...args)),
    async *list(...args) {
      await turn()
      yield* target.list(...args)
    },
    delete: async (...args) => turn().then(() => target.delete(...args)),
    close: () => target.close(),
  })
}
