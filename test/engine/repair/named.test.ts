/** A repair beside a prune that has named packs and is not over: what is in them is not lost, and nothing new may rely on it. */
import { expect, it } from 'vitest'
import { contextOf } from '../../../src/engine/engine-contexts.ts'
import { memoryTarget } from '../../../src/index.ts'
import { gcCandidatesRecord, gcDoneRecord } from '../../../src/model/gc.ts'
import { gcDoneKey, gcKey } from '../../../src/repository/keys-layout.ts'
import { memorySource, testEngine } from '../../../src/testing/index.ts'
import { keysBelow } from '../../faults/support.ts'
import { noise } from '../browse/browse-fixture.ts'

const NOW = new Date('2026-01-02T03:04:05Z')

it('takes nothing over from a pack that a prune has named, and drops nothing of it', async () => {
  const target = memoryTarget()
  const made = await testEngine({
    target,
    sources: [memorySource({ name: 'data', files: { big: noise(900_000, 1) } })],
  })
  const first = await made.backup()
  const [lost] = keysBelow(target, 'packs/').sort(
    (a, b) => target.objects.get(b)!.length - target.objects.get(a)!.length,
  )
  await made.close()
  const files = { big: noise(900_000, 1), kept: noise(300_000, 2) }
  const engine = await testEngine({ target, sources: [memorySource({ name: 'data', files })] })
  const { snapshot } = await engine.backup()
  const plan = await engine.planForget({ snapshots: [first.snapshot.id] })
  await engine.forget(plan, { confirm: plan.digest })
  await target.delete([lost!])
  await engine.close()
  const mender = await testEngine({ target })
  const { records } = contextOf(mender)!.repository.repository
  const packs = keysBelow(target, 'packs/').map((key) => key.split('/').at(-1)!)
  await records.put('control', gcKey(1), gcCandidatesRecord.encode({ n: 1, run: 'prune-1', at: NOW, packs }))
  const repair = await mender.planRepair()
  expect(repair.losses.entries.map(({ path }) => path)).toEqual(['data/big'])
  const dropping = () => mender.repair(repair, { drop: true, confirm: repair.digest, waitMs: 0 })
  await expect(dropping()).rejects.toMatchObject({ code: 'OBJECT_MISSING', retryable: true })
  expect((await mender.snapshots().toArray()).map(({ id }) => id)).toEqual([snapshot.id])
  await records.put(
    'control',
    gcDoneKey(1),
    gcDoneRecord.encode({ n: 1, run: 'prune-1', at: NOW, outcome: 'void', dead: [] }),
  )
  await mender.close()
  const other = await testEngine({ target })
  const again = await other.planRepair()
  const { rewritten } = await other.repair(again, { drop: true, confirm: again.digest })
  expect(rewritten).toMatchObject([{ from: snapshot.id, entries: 1 }])
  expect((await other.entries({ snapshot: 'latest', recursive: true }).toArray()).map(({ path }) => path)).toContain(
    'data/kept',
  )
  await other.close()
})
