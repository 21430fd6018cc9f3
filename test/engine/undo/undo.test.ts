/** What was forgotten by mistake comes back, exactly, until a prune frees it; and a process may die at any change. */
import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { contextOf } from '../../../src/engine/engine-contexts.ts'
import { type BackupEngine, copySnapshots, memoryTarget } from '../../../src/index.ts'
import { gcCandidatesRecord } from '../../../src/model/gc.ts'
import { gcKey } from '../../../src/repository/keys-layout.ts'
import { crashAfter } from '../../../src/testing/crash-after.ts'
import { fakeClock, memorySource, testEngine } from '../../../src/testing/index.ts'
import {
  changeTree,
  codeOf,
  copyOf,
  expectSound,
  ids,
  keysBelow,
  look,
  makeTree,
  openOn,
  restored,
  scratch,
} from '../../faults/support.ts'
import { forgetAll, pruneNow } from '../../prune/support.ts'

const folder = scratch()

async function failure(promise: Promise<unknown>): Promise<{ code: string; retryable: boolean; message: string }> {
  return await promise.then(
    () => ({ code: 'resolved', retryable: false, message: '' }),
    ({ code, retryable, message }) => ({ code, retryable, message }),
  )
}

const forgottenIds = async (engine: BackupEngine): Promise<string[]> =>
  (await engine.forgotten().toArray()).map(({ id }) => id)

it('brings a snapshot back with all that was said of it, and says which it was', async () => {
  const target = memoryTarget()
  makeTree(folder.at('tree'), 1_500_000)
  const engine = await openOn(target, folder.at('tree'), { host: 'web-1' })
  const { snapshot: first } = await engine.backup({ tags: ['release'], labels: { version: '1' }, name: 'before' })
  await engine.annotate(first.id, { name: 'the release', addTags: ['kept'], description: 'all of it' })
  const tree = look(folder.at('tree'))
  changeTree(folder.at('tree'))
  const { snapshot: second } = await engine.backup()
  expect(await forgottenIds(engine)).toEqual([])
  await forgetAll(engine, [first.id])

  const [gone] = await engine.forgotten().toArray()
  expect(gone).toMatchObject({
    id: first.id,
    name: 'the release',
    tags: ['release', 'kept'],
    createdAt: first.createdAt,
  })
  expect(Date.now() - gone!.forgottenAt.getTime()).toBeLessThan(60_000)
  const packs = keysBelow(target, 'packs/').length
  const heard: string[] = []
  engine.on('undo:complete', ({ result }) => heard.push(result.forgotten))
  const { snapshot, forgotten, runId } = await engine.undoForget(first.id.slice(0, 20), { actor: 'anna' })
  expect(heard).toEqual([first.id])
  expect(forgotten).toBe(first.id)
  expect(snapshot.id).not.toBe(first.id)
  const { id: _, checksum: __, parent: ___, ...same } = first
  expect(snapshot).toMatchObject({ ...same, tags: ['release', 'kept'], name: 'the release', undoneFrom: first.id })
  expect(await engine.snapshot(snapshot.id)).toEqual(snapshot)
  expect(keysBelow(target, 'packs/').length).toBe(packs)
  expect(await engine.history.get(runId)).toMatchObject({ verb: 'undo', actor: 'anna', snapshot: snapshot.id })
  expect(await restored(engine, snapshot.id, folder.path)).toEqual(tree)
  expect(await forgottenIds(engine)).toEqual([])
  expect(keysBelow(target, 'trash/')).toEqual([])
  // A prune that keeps nothing forgotten frees nothing of it.
  await pruneNow(engine, { minDeadShare: 0.01 })
  expect(await restored(engine, snapshot.id, folder.path)).toEqual(tree)
  // The newest backup is compared with, not the one that came back last.
  expect((await engine.backup()).snapshot.parent).toBe(second.id)
  const again = await engine.undoForget(first.id)
  expect(again.snapshot.id).toBe(snapshot.id)
  await forgetAll(engine, [snapshot.id])
  const back = await engine.undoForget(snapshot.id)
  expect(back).toMatchObject({ forgotten: snapshot.id, snapshot: { undoneFrom: first.id } })
  await expectSound(engine)
  await engine.close()
})

it('refuses what is freed, not forgotten, unknown, ambiguous, or about to be freed', async () => {
  const target = memoryTarget()
  const clock = fakeClock()
  const source = memorySource({ name: 'm', files: { a: 'first'.repeat(1000) } })
  const engine = await testEngine({ target, clock, sources: [source] })
  const made: string[] = []
  for (let n = 0; n < 3; n++) {
    source.set('a', `${n}`.repeat(5000))
    made.push((await engine.backup()).snapshot.id)
    await clock.advance(1000)
  }
  await forgetAll(engine, made.slice(0, 2))
  expect(await failure(engine.undoForget(made[2]!))).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  expect(await failure(engine.undoForget('2019'))).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  expect(await failure(engine.undoForget('2026'))).toMatchObject({ code: 'SNAPSHOT_AMBIGUOUS' })
  expect(await codeOf(engine.undoForget('202'))).toBe('INVALID_OPTIONS')
  expect(await codeOf(engine.undoForget(made[0]!, { force: true } as never))).toBe('INVALID_OPTIONS')

  // A prune that has named every pack, and has not decided yet.
  const { records } = contextOf(engine)!.repository.repository
  const packs = keysBelow(target, 'packs/').map((key) => key.slice('packs/00/'.length))
  const n = 1
  const gc = gcCandidatesRecord.encode({ n, run: 'pruner', at: clock.now(), packs })
  await records.put('control', gcKey(n), gc)
  const other = await testEngine({ target, clock })
  expect(await failure(other.undoForget(made[0]!))).toMatchObject({ code: 'OBJECT_MISSING', retryable: true })
  await target.delete([gcKey(n)])
  await other.close()

  await pruneNow(engine)
  expect(await forgottenIds(engine)).toEqual([])
  expect(await failure(engine.undoForget(made[0]!))).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND', retryable: false })
  expect(keysBelow(target, 'runs/')).toEqual([])
  await engine.close()
})

it('is a copy of the same original for other repositories', async () => {
  const source = memorySource({ name: 'm', files: { a: 'content' } })
  const from = await testEngine({ sources: [source] })
  const to = await testEngine()
  const { snapshot } = await from.backup()
  await copySnapshots({ from, to })
  await forgetAll(from, [snapshot.id])
  await from.undoForget(snapshot.id)
  expect(await copySnapshots({ from, to })).toMatchObject({ copied: [], present: 1 })
  const { growth, snapshots } = await from.stats()
  expect(snapshots).toBe(1)
  expect(growth.reduce((sum, { storedBytes }) => sum + storedBytes, 0)).toBe(snapshot.counts.storedBytes)
  await from.close()
  await to.close()
})

for (const lostReply of [false, true]) {
  it(`dies after any change${lostReply ? ', whose reply is lost' : ''}, and the next one finishes`, async () => {
    const place = memoryTarget()
    const source = folder.at('tree')
    makeTree(source, 100_000)
    const engine = await openOn(place, source)
    const { snapshot } = await engine.backup({ tags: ['a'] })
    await engine.annotate(snapshot.id, { addTags: ['b'] })
    const tree = look(source)
    rmSync(source, { recursive: true })
    makeTree(source, 50_000)
    await engine.backup()
    await forgetAll(engine, [snapshot.id])
    await engine.close()
    const undo = async (target: Parameters<typeof openOn>[0]): Promise<string> => {
      const opened = await openOn(target, source)
      return await opened
        .undoForget(snapshot.id)
        .then(({ snapshot: { id } }) => id)
        .finally(() => opened.close())
    }
    const counting = crashAfter(await copyOf(place), Number.POSITIVE_INFINITY)
    await undo(counting)
    expect(counting.mutations).toBeGreaterThan(3)
    for (let n = 0; n < counting.mutations; n++) {
      const target = await copyOf(place)
      await codeOf(undo(crashAfter(target, n, { lostReply })))
      const id = await undo(target)
      const after = await openOn(target, source)
      expect(
        (await ids(after)).filter((each) => each === id),
        `after ${n}`,
      ).toEqual([id])
      expect((await ids(after)).length, `after ${n}`).toBe(2)
      expect((await after.snapshot(id)).tags).toEqual(['a', 'b'])
      expect(await restored(after, id, folder.path)).toEqual(tree)
      expect(keysBelow(target, 'trash/')).toEqual([])
      await after.close()
    }
  })
}
