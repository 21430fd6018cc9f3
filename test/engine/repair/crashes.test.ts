/** A process that dies at any change that a repair makes: nothing more is lost, and the next call finishes. */
import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { memoryTarget, type Target } from '../../../src/index.ts'
import { crashAfter } from '../../../src/testing/crash-after.ts'
import {
  codeOf,
  copyOf,
  expectSound,
  file,
  keysBelow,
  type Look,
  look,
  type MemoryTarget,
  noise,
  restored,
  scratch,
} from '../../faults/support.ts'
import { hastyClock, openPlain, without } from '../erase/support.ts'

const folder = scratch()
const open = (target: Target) => openPlain(target, folder.at('tree'), { clock: hastyClock() })

interface Prepared {
  target: MemoryTarget
  /** Of what can be saved. */
  left: Look
}

/** A pack that is gone: of its content half is still live. A flipped bit in another, and a fragment that is gone. */
async function prepare(): Promise<Prepared> {
  const target = memoryTarget()
  const engine = await open(target)
  file(folder.at('tree', 'sound'), noise(40_000, 1))
  await engine.backup({ name: 'first' })
  const before = new Set(target.objects.keys())
  file(folder.at('tree', 'live'), noise(50_000, 2))
  file(folder.at('tree', 'lost'), noise(60_000, 3))
  await engine.backup({ name: 'second' })
  await engine.annotate('latest', { addTags: ['noted'] })
  await engine.close()
  const left = without(look(folder.at('tree')), (path) => path === 'lost')
  const objects = target.objects as Map<string, Uint8Array>
  const added = [...objects.keys()].filter((key) => !before.has(key) && key.startsWith('packs/'))
  const large = added.sort((a, b) => objects.get(b)!.length - objects.get(a)!.length)[0]!
  objects.delete(large)
  const old = [...before].filter((key) => key.startsWith('packs/'))
  const footer = objects.get(old[0]!)!
  footer[footer.length - 2]! ^= 1
  objects.delete([...before].find((key) => key.startsWith('index/'))!)
  rmSync(folder.at('tree', 'lost'))
  return { target, left }
}

async function repairIn(target: Target): Promise<void> {
  const engine = await open(target)
  try {
    const plan = await engine.planRepair()
    await engine.repair(plan, { drop: true, confirm: plan.digest })
  } finally {
    await engine.close()
  }
}

async function expectFinished(target: MemoryTarget, { left }: Prepared, n: number): Promise<void> {
  await repairIn(target)
  const engine = await open(target)
  await expectSound(engine)
  const snapshots = await engine.snapshots({ order: 'oldest' }).toArray()
  expect(
    snapshots.map(({ name, tags }) => [name, ...tags]),
    `after ${n}`,
  ).toEqual([['first'], ['second', 'noted']])
  expect(await restored(engine, snapshots[1]!.id, folder.path), `after ${n}`).toEqual(left)
  expect(await restored(engine, snapshots[0]!.id, folder.path), `after ${n}`).toHaveProperty('sound')
  expect(keysBelow(target, 'trash/')).toEqual([])
  await engine.close()
}

for (const lostReply of [false, true]) {
  it(`dies after any change${lostReply ? ', whose reply is lost' : ''}`, async () => {
    const prepared = await prepare()
    const counting = crashAfter(await copyOf(prepared.target), Number.POSITIVE_INFINITY)
    await repairIn(counting)
    expect(counting.mutations).toBeGreaterThan(10)
    // Every second one where the change itself was made: the next crash finds the same.
    for (let n = 0; n < counting.mutations; n += lostReply ? 2 : 1) {
      const target = await copyOf(prepared.target)
      await codeOf(repairIn(crashAfter(target, n, { lostReply })))
      await expectFinished(target, prepared, n)
    }
  }, 60_000)
}
