/** Others at work beside an erasure: what was erased never comes back, and what may still hold it is named. */
import { expect, it } from 'vitest'
import {
  type BackupEngine,
  type ErasePlan,
  type EraseResult,
  memoryTarget,
  type Target,
  wrapTarget,
} from '../../../src/index.ts'
import { memorySource } from '../../../src/testing/index.ts'
import { codeOf, expectSound, ids, keysBelow, type MemoryTarget } from '../../faults/support.ts'
import { forgetAll, pruneNow } from '../../prune/support.ts'
import { holding, openPlain, SECRET } from './support.ts'

const confirmed = (engine: BackupEngine, plan: ErasePlan): Promise<EraseResult> =>
  engine.erase(plan, { confirm: plan.digest })

interface Scene {
  target: MemoryTarget
  engine: BackupEngine
  /** Of another process, whose next put below `prefix` hangs. */
  slow: BackupEngine
  hangs(prefix: string): Promise<void>
  goOn(): void
  /** Holds `m/secret`; the one after it does not. */
  first: string
  erase: { paths: string[] }
}

async function scene(): Promise<Scene> {
  const target = memoryTarget()
  const source = memorySource({ name: 'm', files: { secret: SECRET, other: 'first' } })
  const hung = { at: '', reached: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>() }
  const put: Target['put'] = async (key, body, options) => {
    if (hung.at !== '' && key.startsWith(hung.at)) {
      hung.at = ''
      hung.reached.resolve()
      await hung.goOn.promise
    }
    return target.put(key, body, options)
  }
  const open = (on: Target): Promise<BackupEngine> => openPlain(on, '/', { sources: [source] })
  const engine = await open(target)
  const slow = await open(wrapTarget(target, { put } satisfies Partial<Target>))
  const { snapshot } = await engine.backup()
  source.set('secret', null)
  source.set('other', 'second')
  await engine.backup()
  source.set('secret', SECRET)
  const hangs = (prefix: string): Promise<void> => {
    hung.at = prefix
    return hung.reached.promise
  }
  return { target, engine, slow, hangs, goOn: hung.goOn.resolve, first: snapshot.id, erase: { paths: ['m/secret'] } }
}

/** After a prune that keeps all that can be brought back. */
async function expectGone({ target, engine, slow, first }: Scene, { prune }: EraseResult): Promise<void> {
  expect(await engine.forgotten().toArray()).toEqual([])
  expect(await codeOf(engine.undoForget(first))).toBe('SNAPSHOT_NOT_FOUND')
  await pruneNow(engine, { ...prune, keepDeletedMs: 604_800_000 })
  expect(holding(target, SECRET)).toEqual([])
  expect(keysBelow(target, 'trash/')).toEqual([])
  await expectSound(engine)
  await Promise.all([engine.close(), slow.close()])
}

it('takes away the copy of what was forgotten after the plan was made', async () => {
  const at = await scene()
  const plan = await at.engine.planErase(at.erase)
  await forgetAll(at.engine, [at.first])
  const result = await confirmed(at.engine, plan)
  expect(result).toMatchObject({ erased: [], dropped: [at.first], entries: 1, warnings: [] })
  expect(await confirmed(at.engine, plan)).toMatchObject({ erased: [], dropped: [], entries: 0 })
  await expectGone(at, result)
})

it('lets nobody put a copy of it into the trash afterwards', async () => {
  const at = await scene()
  const plan = await at.engine.planErase(at.erase)
  const reached = at.hangs('trash/')
  const forgetting = forgetAll(at.slow, [at.first])
  await reached
  const result = await confirmed(at.engine, plan)
  expect(result.erased).toHaveLength(1)
  at.goOn()
  expect(await forgetting).toEqual([])
  await expectGone(at, result)
})

it('counts for nothing in the trash, should a copy come late', async () => {
  const at = await scene()
  const plan = await at.engine.planErase(at.erase)
  await forgetAll(at.engine, [at.first])
  const copy = await at.target.get(`trash/${at.first}`)
  const result = await confirmed(at.engine, plan)
  await at.target.put(`trash/${at.first}`, copy as Uint8Array<ArrayBuffer>)
  expect(await at.engine.planErase(at.erase)).toMatchObject({ destructive: false })
  await expectGone(at, result)
})

it('is not brought back by an undo that had begun', async () => {
  const at = await scene()
  await forgetAll(at.engine, [at.first])
  const plan = await at.engine.planErase(at.erase)
  const reached = at.hangs('snapshots/')
  const undoing = codeOf(at.slow.undoForget(at.first))
  await reached
  const result = await confirmed(at.engine, plan)
  expect(result.warnings).toMatchObject([{ code: 'ERASE_AGAIN', details: { count: 0, runs: [expect.any(String)] } }])
  at.goOn()
  expect(await undoing).toBe('SNAPSHOT_NOT_FOUND')
  await expectGone(at, result)
})

it('names a backup that had begun before the plan and may still store it, and finds it afterwards', async () => {
  const at = await scene()
  const reached = at.hangs('snapshots/')
  const backup = at.slow.backup()
  await reached
  const early = await at.engine.planErase(at.erase)
  const { warnings } = await confirmed(at.engine, early)
  expect(warnings).toMatchObject([{ code: 'ERASE_AGAIN', details: { snapshots: [], runs: [expect.any(String)] } }])
  at.goOn()
  const { snapshot } = await backup
  expect((await confirmed(at.engine, early)).warnings).toMatchObject([
    { code: 'ERASE_AGAIN', details: { snapshots: [snapshot.id] } },
  ])
  const result = await confirmed(at.engine, await at.engine.planErase(at.erase))
  expect(result).toMatchObject({ erased: [{ from: snapshot.id }], warnings: [] })
  await expectGone(at, result)
})

it('names what another erasure has made meanwhile, and does not take it for its own', async () => {
  const target = memoryTarget()
  const files = { a: `${SECRET} a`, b: `${SECRET} b`, c: 'c' }
  const engine = await openPlain(target, '/', { sources: [memorySource({ name: 'm', files })] })
  await engine.backup()
  const [a, b] = [await engine.planErase({ paths: ['m/a'] }), await engine.planErase({ paths: ['m/b'] })]
  const { erased } = await confirmed(engine, a)
  const { warnings, ...later } = await confirmed(engine, b)
  expect(later).toMatchObject({ erased: [], dropped: [] })
  expect(warnings).toMatchObject([{ code: 'ERASE_AGAIN', details: { snapshots: [erased[0]!.to] } }])
  const result = await confirmed(engine, await engine.planErase({ paths: ['m/b'] }))
  expect(result.warnings).toEqual([])
  await pruneNow(engine, result.prune)
  expect(holding(target, SECRET)).toEqual([])
  await engine.close()
})

it('goes on from the successor that another erasure has left when it was cut short', async () => {
  const target = memoryTarget()
  const files = { a: `${SECRET} a`, b: `${SECRET} b`, c: 'c' }
  const source = memorySource({ name: 'm', files })
  const open = (on: Target): Promise<BackupEngine> => openPlain(on, '/', { sources: [source] })
  const engine = await open(target)
  const { snapshot } = await engine.backup()
  const [a, b] = [await engine.planErase({ paths: ['m/a'] }), await engine.planErase({ paths: ['m/b'] })]
  const put: Target['put'] = async (key, body, options) => {
    if (key === `snapshots/${snapshot.id}`) throw new Error('killed')
    return target.put(key, body, options)
  }
  const dying = await open(wrapTarget(target, { put } satisfies Partial<Target>))
  await codeOf(confirmed(dying, a))
  expect(await ids(engine)).toHaveLength(2)
  const result = await confirmed(engine, b)
  expect(result).toMatchObject({ erased: [{ from: snapshot.id }], warnings: [] })
  expect(await ids(engine)).toEqual([result.erased[0]!.to])
  await pruneNow(engine, result.prune)
  expect(holding(target, SECRET)).toEqual([])
  await Promise.all([engine.close(), dying.close()])
})

it('leaves one that got a hold while its successor was made', async () => {
  const { engine, slow, hangs, goOn, first, erase } = await scene()
  const plan = await slow.planErase(erase)
  const reached = hangs('snapshots/')
  const erasing = confirmed(slow, plan)
  await reached
  await engine.annotate(first, { addHold: { reason: 'court' } })
  goOn()
  expect(await erasing).toMatchObject({ erased: [], held: [first], warnings: [{ code: 'SNAPSHOT_HELD' }] })
  expect((await engine.snapshot(first)).holds).toHaveLength(1)
  await Promise.all([engine.close(), slow.close()])
})

it('ends nothing that cannot be read, and takes away no copy of it', async () => {
  const { target, engine, slow, first, erase } = await scene()
  const plan = await engine.planErase(erase)
  const whole = target.objects.get(`snapshots/${first}`)!
  await forgetAll(engine, [first])
  await target.put(`snapshots/${first}`, new Uint8Array(whole.slice(0, -1)))
  expect(await engine.planErase(erase)).toMatchObject({ forgotten: [], warnings: [{ code: 'SNAPSHOT_UNREADABLE' }] })
  const { erased, dropped, warnings } = await confirmed(engine, plan)
  expect({ erased, dropped }).toEqual({ erased: [], dropped: [] })
  expect(warnings).toMatchObject([{ code: 'SNAPSHOT_UNREADABLE' }])
  expect(target.objects.get(`snapshots/${first}`)).toEqual(whole.slice(0, -1))
  expect(keysBelow(target, 'trash/')).toEqual([`trash/${first}`])
  await Promise.all([engine.close(), slow.close()])
})
