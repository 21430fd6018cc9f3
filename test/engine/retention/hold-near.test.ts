import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Target, wrapTarget } from '../../../src/index.ts'
import { type Far, farPlace } from '../backup/requests-support.ts'

let far: Far
beforeEach(() => {
  far = farPlace()
})
afterEach(() => far.end())

/** As listings of S3 are: sizes, and nothing that would show that other bytes of that size have come. */
function sizesAlone(inner: Target): Target {
  const list: Target['list'] = async function* (prefix, call) {
    for await (const { key, size } of inner.list(prefix, call)) yield { key, size }
  }
  return wrapTarget(inner, { list } satisfies Partial<Target>)
}

/** Where a store cannot create once, of two who annotate at the same time both believe that their note is the one. */
it('a hold counts, though a note that lies in the cache has the same number', async () => {
  const over = { target: sizesAlone(far.target) }
  const mine = await far.open(far.freshCache(), over)
  const others = await far.open('none', over)
  const { snapshot } = await mine.backup()
  await mine.backup()
  const key = `notes/${snapshot.id}/00000001`
  await mine.annotate(snapshot.id, { description: 'x'.repeat(60) })
  const size = far.objects.get(key)!.length
  const plan = await mine.planForget({ snapshots: [snapshot.id] })
  let reason = 'held'
  do {
    await far.target.delete([key])
    await others.annotate(snapshot.id, { addHold: { reason } })
    reason += '!'
  } while (far.objects.get(key)!.length < size)
  expect(far.objects.get(key)!.length).toBe(size)
  const { forgotten, warnings } = await mine.forget(plan, { confirm: plan.digest })
  expect({ forgotten, codes: warnings.map(({ code }) => code) }).toEqual({ forgotten: [], codes: ['SNAPSHOT_HELD'] })
})
