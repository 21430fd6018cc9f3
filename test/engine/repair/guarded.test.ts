/** What a repair must not do, whatever happens beside it: lose more than was agreed to, or bring back what was to go. */
import { expect, it } from 'vitest'
import type { RepairPlan } from '../../../src/index.ts'
import { copyOf, type MemoryTarget } from '../../faults/support.ts'
import { backedUp, flip, forgetNow, hooked, keysOf, lose, noise, openOn, type Place, packsOf } from './support.ts'

/** One snapshot: `a` and `b`, of one size, are in packs of their own, and what is kept in a third. */
async function twoPacks(): Promise<Place & { a: string; b: string }> {
  const place = await backedUp({ kept: 'kept' })
  const { target, source, engine } = place
  const packs: string[] = []
  let { snapshot } = place
  for (const [n, name] of ['a', 'b'].entries()) {
    source.set(name, noise(300_000, n + 1))
    const before = new Set(keysOf(target, 'packs/'))
    const last = snapshot
    snapshot = (await engine.backup()).snapshot.id
    packs.push(packsOf(target).find((key) => !before.has(key))!)
    await forgetNow(engine, last)
  }
  await target.delete(keysOf(target, 'trash/'))
  await engine.close()
  return { ...place, snapshot, a: packs[0]!, b: packs[1]!, mirror: await copyOf(target) }
}

function putBack(target: MemoryTarget, mirror: MemoryTarget, key: string): void {
  const objects = target.objects as Map<string, Uint8Array>
  objects.set(key, new Uint8Array(mirror.objects.get(key)!))
}

const dropping = (plan: RepairPlan, drop: 'entries' | 'snapshots' = 'entries') => ({ drop, confirm: plan.digest })

async function pathsOf(target: MemoryTarget): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of (await openOn(target)).entries({ snapshot: 'latest', recursive: true })) paths.push(path)
  return paths.filter((path) => path !== 'data')
}

it('drops nothing else of the same size than the plan names', async () => {
  const { target, mirror, a, b } = await twoPacks()
  lose(target, a)
  const engine = await openOn(target)
  const plan = await engine.planRepair()
  expect(plan.losses.entries).toMatchObject([{ path: 'data/a', bytes: 300_000 }])
  putBack(target, mirror, a)
  lose(target, b)
  await expect(engine.repair(plan, dropping(plan))).rejects.toMatchObject({ code: 'PLAN_STALE' })
  putBack(target, mirror, b)
  expect(await pathsOf(target)).toEqual(['data/a', 'data/b', 'data/kept'])
})

it('does not settle for a successor that was made when more was lost', async () => {
  const { target, mirror, snapshot, a, b } = await twoPacks()
  lose(target, a, b)
  const dying = hooked(target, async (_call, key) => {
    if (key === `snapshots/${snapshot}`) throw new Error('died')
  })
  const dead = await openOn(dying)
  const plan = await dead.planRepair()
  expect(plan.losses.total.entries).toBe(2)
  await expect(dead.repair(plan, dropping(plan))).rejects.toThrow()
  putBack(target, mirror, a)
  const engine = await openOn(target)
  const again = await engine.planRepair()
  expect(again.losses.entries).toMatchObject([{ path: 'data/b' }])
  const { rewritten } = await engine.repair(again, dropping(again))
  expect(rewritten).toMatchObject([{ from: snapshot, entries: 1 }])
  const left = await engine.entries({ snapshot: rewritten[0]!.snapshot, recursive: true }).toArray()
  expect(left.map(({ path }) => path)).toContain('data/a')
})

it('does not bring back a snapshot that is forgotten while it is rewritten', async () => {
  const { target, snapshot, a } = await twoPacks()
  lose(target, a)
  const other = await openOn(target)
  let isForgotten = false
  const slow = hooked(target, async (call, key) => {
    if (call !== 'put' || !key.startsWith('packs/') || isForgotten) return
    isForgotten = true
    await forgetNow(other, snapshot)
  })
  const engine = await openOn(slow)
  const plan = await engine.planRepair()
  await expect(engine.repair(plan, dropping(plan))).rejects.toMatchObject({ code: 'PLAN_STALE' })
  expect(isForgotten).toBe(true)
  expect(await other.snapshots().toArray()).toEqual([])
  expect(keysOf(target, 'trash/')).toEqual([`trash/${snapshot}`])
})

it('names no pack dead that somebody has put back meanwhile', async () => {
  const { target, mirror, a } = await twoPacks()
  lose(target, a)
  const slow = hooked(target, async (call, key) => {
    if (call === 'put' && key === 'gc/00000001') putBack(target, mirror, a)
  })
  const engine = await openOn(slow)
  expect(await engine.repair(await engine.planRepair())).toMatchObject({ state: 'done', findings: [], retired: 0 })
  expect((await (await openOn(target)).verify({ level: 'data' })).sound).toBe(true)
})

it('removes no forgotten snapshot that the plan does not name', async () => {
  const { target, snapshot, source, a } = await twoPacks()
  const engine = await openOn(target, [source])
  const plan = await engine.planRepair()
  expect(plan.destructive).toBe(false)
  source.set('a', 'other')
  await engine.backup()
  await forgetNow(engine, snapshot)
  lose(target, a)
  await expect(engine.repair(plan, { drop: true })).rejects.toMatchObject({ code: 'PLAN_STALE' })
  expect(keysOf(target, 'trash/')).toEqual([`trash/${snapshot}`])
})

it('leaves what is held, and what may be held, to itself', async () => {
  const { target, snapshot, a } = await twoPacks()
  const engine = await openOn(target)
  await engine.annotate(snapshot, { addHold: { reason: 'trial' } })
  lose(target, a)
  const plan = await engine.planRepair()
  const { dropped, warnings } = await engine.repair(plan, dropping(plan, 'snapshots'))
  expect([dropped, warnings.map(({ code }) => code)]).toEqual([[], ['SNAPSHOT_HELD']])
  const [note] = keysOf(target, 'notes/')
  flip(target, note!)
  const other = await openOn(target)
  const damaged = await other.planRepair()
  expect(damaged.steps.find(({ objects }) => objects[0] === note)?.loses).toContain('holds')
  await other.repair(damaged)
  expect(keysOf(target, 'notes/')).toEqual([note])
  await other.repair(damaged, dropping(damaged))
  expect(keysOf(target, 'notes/')).toEqual([])
})
