/** All that can be had again is found, and the plan says so before anything is done. */
import { expect, it } from 'vitest'
import type { BackupEngine, RepairPlan, Target } from '../../../src/index.ts'
import { copyOf, type MemoryTarget } from '../../faults/support.ts'
import {
  backedUp,
  flip,
  forgetNow,
  hooked,
  keysOf,
  lose,
  noise,
  openOn,
  type Place,
  packsOf,
  pruneNow,
} from './support.ts'

const NOTHING = { snapshots: [], entries: [], total: { entries: 0, bytes: 0 } }

async function expectWhole(target: Target): Promise<void> {
  const { sound, findings } = await (await openOn(target)).verify({ level: 'data' })
  expect([sound, findings.filter(({ severity }) => severity !== 'info')]).toEqual([true, []])
}

/** A plan that costs nothing, carried out, leaves nothing to be wished for. */
async function expectHealed(engine: BackupEngine, target: MemoryTarget, mirrors: Target[] = []): Promise<RepairPlan> {
  const plan = await engine.planRepair({ mirrors })
  expect([plan.destructive, plan.losses]).toEqual([false, NOTHING])
  expect(await engine.repair(plan, { mirrors })).toMatchObject({ state: 'done', findings: [] })
  await expectWhole(target)
  return plan
}

function table(bytes: Uint8Array): { chunks: 'table'; open(): AsyncIterable<Uint8Array> } {
  return {
    chunks: 'table',
    open: async function* () {
      yield new Uint8Array(bytes)
    },
  }
}

/** Nobody thought of the mirror when the packs were named dead, so that it has them under other names. */
async function retired({ target }: Place, ...packs: string[]): Promise<void> {
  lose(target, ...packs)
  const engine = await openOn(target)
  await engine.repair(await engine.planRepair())
}

it('reads every entry that has lost something, however many there are', async () => {
  const files: Record<string, string> = {}
  for (let i = 0; i < 10_400; i++) files[`f${i}`] = `content ${i}`
  const { target, source, engine } = await backedUp(files)
  await engine.close()
  const [content, pages] = await contentFirst(target)
  expect(pages).toBeDefined()
  lose(target, content!)
  await expectHealed(await openOn(target, [source]), target)
}, 30_000)

/** The one whose loss costs every entry for itself. */
async function contentFirst(target: MemoryTarget): Promise<string[]> {
  const [one, other] = packsOf(target)
  const copy = await copyOf(target)
  lose(copy, one!)
  const { losses } = await (await openOn(copy)).planRepair({ level: 'structure' })
  return losses.entries.length > 1 ? [one!, other!] : [other!, one!]
}

it('finds what lists name that are lost themselves, in live sources', async () => {
  const { target, source, engine } = await backedUp({ rows: table(noise(9_000_000, 1)), other: 'x' })
  await engine.close()
  lose(target, packsOf(target)[0]!)
  const plan = await expectHealed(await openOn(target, [source]), target)
  expect(plan.steps.map(({ action }) => action)).toEqual(['heal-content', 'retire-packs'])
})

it('says what mirrors have below pages and lists that are lost, and what only a live source has', async () => {
  const place = await backedUp({ rows: table(noise(2_000_000, 1)), gone: noise(300_000, 2), live: noise(400_000, 3) })
  await retired(place, ...packsOf(place.target))
  const { target, source, mirror } = place
  const again = await copyOf(target)
  await expectHealed(await openOn(target), target, [mirror])
  // Of the mirror only the pages are left.
  lose(mirror, packsOf(mirror)[0]!)
  source.set('gone', null)
  const engine = await openOn(again, [source])
  const plan = await engine.planRepair({ mirrors: [mirror] })
  expect(plan.losses.entries).toMatchObject([{ path: 'data/gone', entries: 1, bytes: 300_000 }])
  await engine.repair(plan, { mirrors: [mirror], drop: true, confirm: plan.digest })
  await expectWhole(again)
})

it('heals what a page needs that only a look at the structure has met', async () => {
  const { target, mirror } = await backedUp({ a: noise(400_000, 1) })
  flip(target, packsOf(target)[1]!, 0.3)
  const engine = await openOn(target)
  const plan = await engine.planRepair({ level: 'structure', mirrors: [mirror] })
  expect(plan.losses).toEqual(NOTHING)
  await engine.repair(plan, { mirrors: [mirror] })
  await expectWhole(target)
})

it('asks mirrors for everything, also where more is damaged than a plan lists', async () => {
  const { target, mirror, snapshot } = await backedUp({ a: 'x' })
  const objects = target.objects as Map<string, Uint8Array>
  flip(target, `snapshots/${snapshot}`)
  for (let i = 0; i < 1001; i++) {
    objects.set(`notes/20260101t000000000-${String(i).padStart(10, 'a')}/00000001`, new Uint8Array(9))
  }
  const plan = await (await openOn(target)).planRepair({ level: 'structure', mirrors: [mirror] })
  expect(plan.losses.snapshots).toEqual([])
  expect(plan.steps[0]).toMatchObject({ action: 'copy-object', objects: [`snapshots/${snapshot}`] })
})

it('takes a list of dead packs from a mirror, but none of a mirror that is pruned on its own', async () => {
  const place = await backedUp({ a: noise(300_000, 1) })
  const { target, source, engine } = place
  const other = await copyOf(target)
  source.set('a', noise(300_000, 2))
  await engine.backup()
  await forgetNow(engine, place.snapshot)
  await pruneNow(engine)
  const mirror = await copyOf(target)
  const [key] = keysOf(target, 'gc/')
  flip(target, key!)
  await expect(engine.planRepair()).rejects.toMatchObject({ code: 'OBJECT_CORRUPT' })
  // Its first prune has ended other packs: one of them is needed here.
  const elsewhere = await openOn(other, [source])
  await elsewhere.backup()
  await forgetNow(elsewhere, place.snapshot)
  for (const [name, bytes] of mirror.objects)
    if (name.startsWith('packs/')) await other.put(name, new Uint8Array(bytes))
  await pruneNow(elsewhere)
  const [foreign] = keysOf(other, 'gc/')
  expect(foreign).toBe(key)
  await expect((await openOn(target)).planRepair({ mirrors: [other] })).rejects.toMatchObject({
    code: 'OBJECT_CORRUPT',
  })
  const plan = await expectHealed(await openOn(target), target, [mirror])
  expect(plan.steps.map(({ objects }) => objects)).toContainEqual([key])
})

it('heals what a forgotten snapshot has lost, as long as it can be brought back', async () => {
  const { target, source, engine, snapshot, mirror } = await backedUp({ a: noise(300_000, 1) })
  source.set('a', noise(300_000, 2))
  await engine.backup()
  await forgetNow(engine, snapshot)
  const [pack] = packsOf(mirror)
  lose(target, pack!)
  // Nothing names it any more, so that nothing is missed by those that are there.
  const index = keysOf(mirror, 'index/')
  lose(target, ...index)
  const plan = await (await openOn(target)).planRepair()
  expect(plan.steps.map(({ action, objects }) => [action, ...objects])).toContainEqual([
    'drop-snapshot',
    `trash/${snapshot}`,
  ])
  const mender = await openOn(target)
  const mended = await mender.planRepair({ mirrors: [mirror] })
  expect(mended.steps.map(({ action }) => action)).not.toContain('drop-snapshot')
  await mender.repair(mended, { mirrors: [mirror], drop: true, confirm: mended.digest })
  const after = await openOn(target)
  await after.undoForget(snapshot)
  await expectWhole(target)
})

it('takes no prune of another host for damage', async () => {
  const { target, source, engine, snapshot } = await backedUp({ a: noise(300_000, 1), b: noise(200_000, 2) })
  source.set('a', noise(300_000, 3))
  await engine.backup()
  await forgetNow(engine, snapshot)
  let isPruned = false
  const slow = hooked(target, async (call, prefix) => {
    if (call !== 'list' || prefix !== 'packs/' || isPruned) return
    isPruned = true
    await pruneNow(engine)
  })
  const plan = await (await openOn(slow)).planRepair()
  expect(isPruned).toBe(true)
  expect(plan).toMatchObject({ findings: [], losses: NOTHING, packs: [] })
})
