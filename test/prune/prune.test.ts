/** Forget and prune by the engine: what is kept restores exactly, what is not is gone. */
import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type BackupEngine, filesystem, memoryTarget, systemClock, type Target, wrapTarget } from '../../src/index.ts'
import {
  codeOf,
  expectSound,
  ids,
  keysBelow,
  type Look,
  look,
  type MemoryTarget,
  openOn,
  restored,
  scratch,
} from '../faults/support.ts'
import { patience } from '../patience.ts'
import { forgetAll, makeGeneration, pruneNow, storedBytes } from './support.ts'

const folder = scratch()
const source = (): string => folder.at('source')

interface Series {
  target: MemoryTarget
  engine: BackupEngine
  snapshots: string[]
  looks: Map<string, Look>
}

async function series(count: number, over: Parameters<typeof openOn>[2] = {}): Promise<Series> {
  const target = memoryTarget()
  const engine = await openOn(target, source(), over)
  const made: Series = { target, engine, snapshots: [], looks: new Map() }
  for (let n = 0; n < count; n++) {
    rmSync(source(), { recursive: true, force: true })
    makeGeneration(source(), n)
    const { snapshot } = await engine.backup()
    made.snapshots.push(snapshot.id)
    made.looks.set(snapshot.id, look(source()))
  }
  return made
}

async function expectKept({ engine, looks }: Series): Promise<void> {
  for (const id of await ids(engine)) expect(await restored(engine, id, folder.path)).toEqual(looks.get(id))
  await expectSound(engine)
}

describe('forget and prune', () => {
  for (const workers of ['inline', 'threads'] as const) {
    it(`frees what nobody needs, and keeps the rest exactly (${workers})`, async () => {
      const made = await series(5, workers === 'inline' ? {} : { workers: undefined as never })
      const { engine, target, snapshots } = made
      const before = storedBytes(target)
      expect(await forgetAll(engine, snapshots.slice(0, 3))).toEqual(snapshots.slice(0, 3).reverse())
      expect((await ids(engine)).sort()).toEqual(snapshots.slice(3).sort())
      const kept = await engine.planPrune()
      expect(kept.free).toEqual({ packs: 0, bytes: 0 })
      expect(kept.warnings.map(({ code }) => code)).toContain('TRASH_KEPT')
      const plan = await engine.planPrune({ keepDeletedMs: 0 })
      expect(plan.expired).toEqual(snapshots.slice(0, 3).sort())
      const result = await engine.prune(plan, { confirm: plan.digest })
      expect(result).toMatchObject({ state: 'done', rescued: 0, waitingFor: [] })
      expect(before - storedBytes(target)).toBe(result.freedBytes)
      expect(Math.abs(result.freedBytes - plan.free.bytes)).toBeLessThan(before * 0.05)
      expect(result.freedBytes).toBeGreaterThan(before * 0.1)
      await expectKept(made)
      expect(keysBelow(target, 'gc/')).toEqual(['gc/00000001.done'])
      expect([...keysBelow(target, 'runs/'), ...keysBelow(target, 'trash/')]).toEqual([])
      expect((await engine.planPrune({ keepDeletedMs: 0 })).free.packs).toBe(0)
      await engine.close()
    })
  }

  it('leaves nothing behind but the list of what is dead, once all is forgotten', async () => {
    const made = await series(3)
    await forgetAll(made.engine, made.snapshots)
    await pruneNow(made.engine)
    for (const prefix of ['packs/', 'index/', 'trash/', 'runs/']) expect(keysBelow(made.target, prefix)).toEqual([])
    // The next backup must not rely on anything that this engine still has in memory.
    const { snapshot } = await made.engine.backup()
    expect(await restored(made.engine, snapshot.id, folder.path)).toEqual(look(source()))
    await expectSound(made.engine)
    await made.engine.close()
  })

  it('rewrites packs that are mostly dead, and merges the index', async () => {
    const made = await series(6)
    const before = keysBelow(made.target, 'index/').length
    await forgetAll(made.engine, made.snapshots.slice(0, 5))
    const result = await pruneNow(made.engine, { minDeadShare: 0.05 })
    expect(result.rewritten.packs).toBeGreaterThan(0)
    expect(keysBelow(made.target, 'index/').length).toBeLessThan(before)
    await expectKept(made)
    await made.engine.close()
  })

  it('lets another engine, open for long, read and back up as before', async () => {
    const made = await series(4)
    const other = await openOn(made.target, source())
    await other.entries({ snapshot: 'latest' }).toArray()
    await forgetAll(made.engine, made.snapshots.slice(0, 3))
    await pruneNow(made.engine, { minDeadShare: 0.05 })
    await expectKept({ ...made, engine: other })
    const { snapshot } = await other.backup()
    made.looks.set(snapshot.id, look(source()))
    await expectKept({ ...made, engine: other })
    await Promise.all([made.engine.close(), other.close()])
  })

  it('waits for a backup that is under way, and keeps what it needs', async () => {
    const made = await series(3)
    const gate = Promise.withResolvers<void>()
    const held = holding(made.target, 'snapshots/', gate.promise)
    const slow = await openOn(held.target, source())
    const backing = slow.backup()
    await held.reached
    await forgetAll(made.engine, made.snapshots)
    const pending = await pruneNow(made.engine, {}, { waitMs: 0 })
    expect(pending).toMatchObject({ state: 'pending', freedBytes: 0 })
    expect(pending.waitingFor).toHaveLength(1)
    const plan = await made.engine.planPrune({ keepDeletedMs: 0 })
    const phases: string[] = []
    const pruning = made.engine.prune(plan, {
      confirm: plan.digest,
      onProgress: ({ phase }) => {
        if (phase === 'wait for backups') gate.resolve()
        phases.push(phase)
      },
    })
    setTimeout(gate.resolve, 1500)
    const { snapshot } = await backing
    made.looks.set(snapshot.id, look(source()))
    expect((await pruning).state).toBe('done')
    await expectKept(made)
    await Promise.all([made.engine.close(), slow.close()])
  }, 30_000)
})

/** Holds back the first create below a prefix. */
function holding(target: Target, prefix: string, until: Promise<void>): { target: Target; reached: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const put: Target['put'] = async (key, body, options) => {
    if (key.startsWith(prefix)) {
      resolve()
      await until
    }
    return target.put(key, body, options)
  }
  return { target: wrapTarget(target, { put } satisfies Partial<Target>), reached: promise }
}

describe('who reads while a prune ends', () => {
  it('reads on, from where the prune has put what was needed', async () => {
    // Segments never hold two sources: those of the one that goes are dead as a whole, and the others are copied as they are.
    const target = memoryTarget()
    makeGeneration(source(), 0)
    makeGeneration(folder.at('other'), 7)
    const both = await openOn(target, source(), {
      sources: [filesystem({ name: 'data', path: source() }), filesystem({ name: 'other', path: folder.at('other') })],
    })
    const first = (await both.backup()).snapshot.id
    await both.close()
    const engine = await openOn(target, source())
    const last = (await engine.backup()).snapshot.id
    let prune: (() => Promise<unknown>) | undefined
    const get: Target['get'] = async (key, options) => {
      const now = key.startsWith('packs/') ? prune : undefined
      prune = now ? undefined : prune
      await now?.()
      return target.get(key, options)
    }
    const reader = await openOn(wrapTarget(target, { get } satisfies Partial<Target>), source())
    const plan = await reader.planRestore({ snapshot: last, to: { folder: folder.at('to') } })
    await forgetAll(engine, [first])
    let rewritten = 0
    prune = async () => {
      rewritten = (await pruneNow(engine, { minDeadShare: 0.01 })).rewritten.packs
    }
    await reader.restore(plan)
    expect(rewritten).toBeGreaterThan(0)
    expect(look(folder.at('to', 'data'))).toEqual(look(source()))
    await Promise.all([engine.close(), reader.close()])
  })
})

describe('plans', () => {
  it('say nothing and do nothing until they are confirmed', async () => {
    const { engine, target, snapshots } = await series(2)
    const keys = [...target.objects.keys()].sort()
    const plan = await engine.planForget({ snapshots: [snapshots[0]!] })
    await engine.planPrune({ keepDeletedMs: 0 })
    expect([...target.objects.keys()].sort()).toEqual(keys)
    expect(plan.decisions.map(({ keep }) => keep)).toEqual([true, false])
    expect(await codeOf(engine.forget(plan))).toBe('CONFIRMATION_REQUIRED')
    expect(await codeOf(engine.forget({ ...plan, createdAt: 'x' }, { confirm: plan.digest }))).toBe('PLAN_STALE')
    expect(await codeOf(engine.forget({ ...plan, repositoryId: 'x' }, { confirm: plan.digest }))).toBe('PLAN_FOREIGN')
    expect(await ids(engine)).toHaveLength(2)
    await engine.close()
  })

  it('are stale after another prune, and when something that they keep was forgotten', async () => {
    const { engine, snapshots } = await series(4)
    const early = await engine.planForget({ snapshots: [snapshots[2]!] })
    await forgetAll(engine, [snapshots[0]!])
    expect(await codeOf(engine.forget(early, { confirm: early.digest }))).toBe('PLAN_STALE')
    const plan = await engine.planPrune({ keepDeletedMs: 0 })
    await forgetAll(engine, [snapshots[1]!])
    expect(await codeOf(engine.prune(plan, { confirm: plan.digest }))).toBe('PLAN_STALE')
    const next = await engine.planPrune({ keepDeletedMs: 0 })
    await engine.prune(next, { confirm: next.digest })
    expect(await codeOf(engine.prune(next, { confirm: next.digest }))).toBe('PLAN_STALE')
    await engine.close()
  })

  it('refuse what is no plan, and options out of bounds', async () => {
    const { engine } = await series(1)
    const plan = await engine.planPrune()
    expect(await codeOf(engine.prune({ ...plan, kind: 'x' } as never))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.prune(plan, { deadRunMs: 1000 }))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.planPrune({ minDeadShare: 0 }))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.planForget({ snapshots: [] }))).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.planForget({ snapshots: ['nothing-such'] }))).toBe('SNAPSHOT_NOT_FOUND')
    await engine.close()
  })
})

describe('what must not be pruned', () => {
  it('is anything at all while a snapshot, a fragment or a needed pack cannot be read', async () => {
    const { engine, target, snapshots } = await series(3)
    await forgetAll(engine, [snapshots[0]!])
    const objects = target.objects as Map<string, Uint8Array>
    const packs = storedBytes(target)
    for (const prefix of ['snapshots/', 'index/', 'packs/']) {
      for (const key of keysBelow(target, prefix).filter((each) => !each.endsWith(snapshots[0]!))) {
        const bytes = objects.get(key)!
        if (prefix === 'packs/') objects.delete(key)
        else
          objects.set(
            key,
            bytes.map((byte, i) => (i === bytes.length - 3 ? byte ^ 1 : byte)),
          )
        const code = await codeOf(engine.planPrune({ keepDeletedMs: 0 }))
        if (prefix !== 'packs/') expect([key, code]).toEqual([key, 'OBJECT_CORRUPT'])
        else if (code !== 'resolved') expect(code).toBe('OBJECT_MISSING')
        objects.set(key, bytes)
      }
    }
    expect(storedBytes(target)).toBe(packs)
    await engine.close()
  })

  it('is a pack with damaged segments that were to be copied', async () => {
    const { engine, target, snapshots } = await series(6)
    await forgetAll(engine, snapshots.slice(0, 5))
    const plan = await engine.planPrune({ keepDeletedMs: 0, minDeadShare: 0.05 })
    expect(plan.rewrite.packs).toBeGreaterThan(0)
    const objects = target.objects as Map<string, Uint8Array>
    const before = new Set(keysBelow(target, 'packs/'))
    for (const key of before) {
      const bytes = objects.get(key)!
      objects.set(
        key,
        bytes.map((byte, i) => (i > 40 && i % 50_000 === 1000 ? byte ^ 1 : byte)),
      )
    }
    const code = await codeOf(engine.prune(plan, { confirm: plan.digest }))
    if (code !== 'resolved') expect(code).toBe('OBJECT_CORRUPT')
    for (const key of before) if (!objects.has(key)) expect(plan.free.packs).toBeGreaterThan(plan.rewrite.packs)
    await engine.close()
  })
})

it('is aborted within a second, and the next prune goes on', async () => {
  const made = await series(4)
  await forgetAll(made.engine, made.snapshots.slice(0, 3))
  const plan = await made.engine.planPrune({ keepDeletedMs: 0, minDeadShare: 0.05 })
  const controller = new AbortController()
  const onProgress = ({ phase }: { phase: string }): void => {
    if (phase === 'mark') controller.abort()
  }
  const since = systemClock.monotonicMs()
  const code = await codeOf(made.engine.prune(plan, { confirm: plan.digest, signal: controller.signal, onProgress }))
  expect(['ABORTED', 'resolved']).toContain(code)
  expect(systemClock.monotonicMs() - since).toBeLessThan(patience(1500))
  await pruneNow(made.engine, { minDeadShare: 0.05 })
  await expectKept(made)
  await made.engine.close()
})
