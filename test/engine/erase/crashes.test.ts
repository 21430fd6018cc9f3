/** A process that dies at any change that an erasure makes: nothing else is lost, and the next call finishes. */
import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { memoryTarget, type Target } from '../../../src/index.ts'
import { crashAfter } from '../../../src/testing/crash-after.ts'
import {
  codeOf,
  copyOf,
  expectSound,
  file,
  ids,
  keysBelow,
  type Look,
  look,
  type MemoryTarget,
  noise,
  restored,
  scratch,
} from '../../faults/support.ts'
import { forgetAll, pruneNow } from '../../prune/support.ts'
import { eraseNow, hastyClock, holding, openPlain, SECRET, without } from './support.ts'

const folder = scratch()
const open = (target: Target) => openPlain(target, folder.at('tree'), { clock: hastyClock() })

interface Prepared {
  target: MemoryTarget
  /** By name of the snapshot. */
  looks: Map<string, Look>
}

async function prepare(): Promise<Prepared> {
  const target = memoryTarget()
  const engine = await open(target)
  const looks = new Map<string, Look>()
  for (const name of ['gone', 'first', 'second']) {
    if (name === 'second') rmSync(folder.at('tree', 'secret'))
    else file(folder.at('tree', 'secret'), `${SECRET} in ${name}`)
    file(folder.at('tree', 'folder', 'other'), noise(30_000, name.length))
    const { snapshot } = await engine.backup({ name })
    await engine.annotate(snapshot.id, { addTags: [`noted ${name}`] })
    looks.set(name, look(folder.at('tree')))
    if (name === 'gone') await forgetAll(engine, [snapshot.id])
  }
  await engine.close()
  return { target, looks }
}

async function eraseIn(target: Target): Promise<void> {
  const engine = await open(target)
  await eraseNow(engine, { paths: ['data/secret'] }).finally(() => engine.close())
}

async function expectFinished(target: MemoryTarget, { looks }: Prepared, n: number): Promise<void> {
  await eraseIn(target)
  const engine = await open(target)
  await pruneNow(engine, { minDeadShare: 1e-15, keepDeletedMs: 604_800_000 })
  expect(holding(target, SECRET), `after ${n}`).toEqual([])
  expect(keysBelow(target, 'trash/')).toEqual([])
  const left = await engine.snapshots({ order: 'oldest' }).toArray()
  expect(
    left.map(({ name, tags }) => [name, ...tags]),
    `after ${n}`,
  ).toEqual([
    ['first', 'noted first'],
    ['second', 'noted second'],
  ])
  for (const { id, name } of left)
    expect(await restored(engine, id, folder.path)).toEqual(without(looks.get(name!)!, (path) => path === 'secret'))
  await expectSound(engine)
  await engine.close()
}

for (const lostReply of [false, true]) {
  it(`dies after any change${lostReply ? ', whose reply is lost' : ''}`, async () => {
    const prepared = await prepare()
    const counting = crashAfter(await copyOf(prepared.target), Number.POSITIVE_INFINITY)
    await eraseIn(counting)
    expect(counting.mutations).toBeGreaterThan(8)
    for (let n = 0; n < counting.mutations; n++) {
      const target = await copyOf(prepared.target)
      await codeOf(eraseIn(crashAfter(target, n, { lostReply })))
      const between = await open(target)
      expect((await ids(between)).length).toBeGreaterThanOrEqual(2)
      expect((await between.verify()).sound).toBe(true)
      await between.close()
      await expectFinished(target, prepared, n)
    }
  }, 60_000)
}
