/** A copy of a forgotten snapshot that arrives long after it was asked for, when all that it needs is gone. */
import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { memoryTarget } from '../../src/index.ts'
import { faultyTarget } from '../../src/testing/index.ts'
import { codeOf, file, ids, keysBelow, look, noise, openOn, restored, scratch } from '../faults/support.ts'
import { forgetAll, keysOfPacks, makeGeneration, pruneNow } from './support.ts'

const folder = scratch()

it('keeps no prune from its work, and what is in no fragment is kept meanwhile', async () => {
  const target = memoryTarget()
  const faulty = faultyTarget(target, [{ operation: 'put', keys: 'trash/', nth: 1, fault: 'late' }])
  const source = folder.at('source')
  const engine = await openOn(faulty, source)
  makeGeneration(source, 1)
  const first = (await engine.backup()).snapshot.id
  rmSync(source, { recursive: true })
  file(`${source}/new`, noise(50_000, 99))
  await engine.backup()
  // Repeated with success; the first one is still on its way.
  await forgetAll(engine, [first])
  expect((await pruneNow(engine)).freedBytes).toBeGreaterThan(0)
  expect(await faulty.applyLate()).toBe(1)
  expect(keysBelow(target, 'trash/')).toEqual([`trash/${first}`])

  const second = (await ids(engine))[0]!
  rmSync(source, { recursive: true })
  file(`${source}/newer`, noise(50_000, 100))
  const { snapshot } = await engine.backup()
  await forgetAll(engine, [second])
  await target.delete([`trash/${second}`])
  const stray = `packs/00/00${'ab'.repeat(31)}`
  await target.put(stray, new Uint8Array(100))
  const packs = keysOfPacks(target).length
  const plan = await engine.planPrune()
  expect(plan.warnings.map(({ code }) => code)).toEqual(['TRASH_INCOMPLETE', 'TRASH_KEPT'])
  expect((await engine.prune(plan, { confirm: plan.digest })).freedBytes).toBeGreaterThan(0)
  expect(keysOfPacks(target).length).toBeLessThan(packs)
  expect(keysOfPacks(target)).toContain(stray)
  expect(await restored(engine, snapshot.id, folder.path)).toEqual(look(source))

  // A snapshot that lacks something stops every prune, as before.
  const page = keysOfPacks(target).find((key) => key !== stray)!
  await target.delete([page])
  expect(await codeOf(engine.planPrune())).toBe('OBJECT_MISSING')
  faulty.assertAllHit()
  await engine.close()
})
