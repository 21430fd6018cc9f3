/** Pins: what of a rollback or a deletion is noticed, and that nothing rightful is taken for one. */
import { describe, expect, it } from 'vitest'
import { type BackupEngine, type EngineOptions, memoryTarget, type Pin } from '../../../src/index.ts'
import { type FakeClock, fakeClock } from '../../util/fake-clock.ts'
import { ANN, BEN, codeOf, copyOf, freshTarget, grow, keysBelow, type MemoryTarget, open } from './support.ts'

const DAY = 24 * 60 * 60 * 1000
const START = new Date('2026-03-01T12:00:00Z')

interface Scene {
  target: MemoryTarget
  clock: FakeClock
  engine: BackupEngine
}

async function scene(snapshots = 2): Promise<Scene> {
  const target = freshTarget()
  const clock = fakeClock(START)
  const engine = await open(target, ANN, { clock })
  for (let n = 0; n < snapshots; n++) await later(engine, clock)
  return { target, clock, engine }
}

let grown = 60

/** Two days on, a backup with something new. */
async function later(engine: BackupEngine, clock: FakeClock): Promise<string> {
  await clock.advance(2 * DAY)
  grow(grown++)
  return (await engine.backup()).snapshot.id
}

/** As it is stored by whoever keeps it. */
async function pinOf(engine: BackupEngine): Promise<Pin> {
  return JSON.parse(JSON.stringify(await engine.pin())) as Pin
}

async function opens(target: MemoryTarget, pin: Pin, over: Partial<EngineOptions> = {}): Promise<string> {
  return codeOf(open(target, ANN, { pin, ...over }).then((engine) => engine.close()))
}

async function forget(engine: BackupEngine, ids: readonly string[]): Promise<void> {
  const plan = await engine.planForget({ snapshots: [...ids] })
  await engine.forget(plan, { confirm: plan.digest })
}

async function prune(engine: BackupEngine): Promise<void> {
  const plan = await engine.planPrune({ keepDeletedMs: 0, minDeadShare: 0.01 })
  await engine.prune(plan, { confirm: plan.digest })
}

async function drop(target: MemoryTarget, pattern: RegExp): Promise<MemoryTarget> {
  const copy = await copyOf(target)
  await copy.delete([...copy.objects.keys()].filter((key) => pattern.test(key)))
  return copy
}

describe('a pin', () => {
  it('is small JSON without secrets, and what it says is there', async () => {
    const { target, engine } = await scene()
    const pin = await pinOf(engine)
    const [newest] = await engine.snapshots().toArray()
    expect(pin).toMatchObject({
      kind: 'pin',
      version: 1,
      repositoryId: engine.repositoryId,
      config: { n: 1 },
      prune: 0,
      snapshot: { id: newest!.id, hash: newest!.checksum },
      later: [],
    })
    expect(JSON.stringify(pin).length).toBeLessThan(500)
    expect(await opens(target, pin)).toBe('resolved')
  })

  it('notices what was put back or taken away', async () => {
    const { target, engine, clock } = await scene()
    const old = await copyOf(target)
    await engine.keys.add(BEN, { label: 'Ben' })
    await forget(engine, [(await engine.snapshots().toArray())[1]!.id])
    const newest = await later(engine, clock)
    await prune(engine)
    const pin = await pinOf(engine)
    expect([pin.config.n, pin.prune, pin.snapshot?.id]).toEqual([2, 1, newest])
    expect(await opens(target, pin)).toBe('resolved')
    expect(await opens(old, pin), 'the whole as it was').toBe('ROLLED_BACK')
    const what = async (shown: MemoryTarget): Promise<unknown> =>
      open(shown, ANN, { pin }).catch((error: { details: { what: string } }) => error.details.what)
    expect(await what(await drop(target, /^config\/00000002/))).toBe('config')
    expect(await what(await drop(target, /^gc\//))).toBe('prune')
    expect(await what(await drop(target, new RegExp(`^snapshots/${newest}`)))).toBe('snapshot')
    expect(await what(await drop(target, /^snapshots\//))).toBe('snapshot')
    const forked = await copyOf(old)
    await (await open(forked, ANN)).keys.rotate()
    expect(await what(forked), 'a config of the same number').toBe('config')
    const exchanged = await copyOf(target)
    exchanged.objects.get(`snapshots/${newest}`)![200]! ^= 1
    expect(await what(exchanged)).toBe('snapshot')
  })

  it('raises no alarm for what people do: forgetting, pruning, erasing, and all of it to the last snapshot', async () => {
    const { target, engine, clock } = await scene(3)
    const pins: Pin[] = []
    const step = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      pins.push(await pinOf(engine))
      await work()
      for (const [n, pin] of pins.entries())
        expect(await opens(target, pin, { clock }), `${what}: pin ${n}`).toBe('resolved')
    }
    const ids = async (): Promise<string[]> => (await engine.snapshots().toArray()).map(({ id }) => id)
    await step('backup', () => later(engine, clock))
    await step('rotate', () => engine.keys.rotate())
    await step('annotate', () => engine.annotate('latest', { name: 'x' }))
    await step('forget the newest', async () => forget(engine, [(await ids())[0]!]))
    await step('undo', async () => engine.undoForget((await engine.forgotten().toArray())[0]!.id))
    await step('forget an old one', async () => forget(engine, [(await ids()).at(-1)!]))
    await step('prune', () => prune(engine))
    await step('erase', async () => {
      const plan = await engine.planErase({ paths: ['a'] })
      await engine.erase(plan, { confirm: plan.digest })
    })
    await clock.advance(30 * DAY)
    await step('forget all', async () => forget(engine, await ids()))
    await clock.advance(30 * DAY)
    await step('prune all', () => prune(engine))
    expect(await ids()).toEqual([])
    expect(keysBelow(target, 'trash/')).toEqual([])
    await step('begin again', () => later(engine, clock))
    await clock.advance(30 * DAY)
    await step('forget that', async () => forget(engine, await ids()))
    await step('prune that', () => prune(engine))
  })

  it('goes by what came after it, and not by what is dated in the future', async () => {
    const { target, clock, engine } = await scene(1)
    const ahead = await open(target, ANN, { clock: fakeClock(new Date(START.getTime() + 300 * DAY)) })
    grow(grown++)
    const future = (await ahead.backup()).snapshot.id
    const newest = await later(engine, clock)
    const pin = await pinOf(engine)
    expect(pin).toMatchObject({ snapshot: { id: newest }, later: [future] })
    expect(await opens(await drop(target, new RegExp(`^snapshots/${newest}`)), pin)).toBe('ROLLED_BACK')
    await clock.advance(3 * DAY)
    await forget(engine, [newest])
    await prune(engine)
    expect(await opens(target, pin)).toBe('resolved')
  })

  it('knows another repository, an empty place, and what is no pin', async () => {
    const { target, engine } = await scene(1)
    const pin = await pinOf(engine)
    const other = await scene(1)
    expect(await opens(other.target, pin)).toBe('ROLLED_BACK')
    const empty = memoryTarget() as unknown as MemoryTarget
    expect(await opens(empty, pin)).toBe('REPOSITORY_NOT_FOUND')
    expect(empty.objects.size).toBe(0)
    expect(await opens(target, { ...pin, version: 2 } as never)).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.pin({ signal: AbortSignal.abort() }))).toBe('ABORTED')
    await engine.close()
    expect(await codeOf(engine.pin())).toBe('ENGINE_CLOSED')
  })

  it('is compared with by a running engine whenever it makes the next one', async () => {
    const { target, engine, clock } = await scene(2)
    const pin = await pinOf(engine)
    const host = await open(target, ANN, { pin })
    expect(await pinOf(host)).toMatchObject({ snapshot: pin.snapshot })
    const newest = await later(engine, clock)
    expect((await pinOf(host)).snapshot?.id).toBe(newest)
    await target.delete([`snapshots/${newest}`])
    expect(await codeOf(host.pin())).toBe('ROLLED_BACK')
    expect(await codeOf(engine.pin()), 'whose last pin is older').toBe('resolved')
  })

  it('works without encryption', async () => {
    const target = freshTarget()
    const engine = await open(target, 'none')
    const id = (await engine.backup()).snapshot.id
    const pin = await pinOf(engine)
    expect(await opens(target, pin, { key: 'none' })).toBe('resolved')
    expect(await opens(await drop(target, new RegExp(id)), pin, { key: 'none' })).toBe('ROLLED_BACK')
  })
})
