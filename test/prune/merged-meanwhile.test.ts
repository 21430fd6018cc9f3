/** A prune may merge the fragments of a backup that has not committed yet: that is no loss, and no fault of the target. */
import { expect, it } from 'vitest'
import { type BackupResult, memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { codeOf, expectSound, keysBelow, look, openOn, restored, scratch } from '../faults/support.ts'
import { forgetAll, makeGeneration, pruneNow } from './support.ts'

const folder = scratch()
const source = (): string => folder.at('source')

/** Does something once, behind the first such object that is stored. */
function behind(inner: Target, what: RegExp, then: () => Promise<unknown>): Target {
  let isDone = false
  const put: Target['put'] = async (key, body, options) => {
    const isNew = await inner.put(key, body, options)
    if (what.test(key) && !isDone) {
      isDone = true
      await then()
    }
    return isNew
  }
  return wrapTarget(inner, { put } satisfies Partial<Target>)
}

it('a backup whose fragments are merged before its commit is committed, whole', async () => {
  const target = memoryTarget()
  const first = await openOn(target, source())
  makeGeneration(source(), 0)
  const { snapshot: old } = await first.backup()
  makeGeneration(source(), 1)
  await first.backup()
  await forgetAll(first, [old.id])
  makeGeneration(source(), 2)
  // The backup begins when the prune has announced what it deletes, and waited; its fragment is there when the prune merges.
  const stored = Promise.withResolvers<void>()
  const pruned = Promise.withResolvers<void>()
  const waiting = behind(target, /^index\//, async () => {
    stored.resolve()
    await pruned.promise
  })
  const writer = await openOn(waiting, source())
  let backup: Promise<BackupResult> | undefined
  const pruning = behind(target, /^gc\/.*done$/, async () => {
    backup = writer.backup()
    await stored.promise
  })
  const pruner = await openOn(pruning, source())
  const { state } = await pruneNow(pruner, { minDeadShare: 0.01 })
  const left = keysBelow(target, 'index/')
  pruned.resolve()
  const { snapshot } = await backup!
  expect([state, left.length]).toEqual(['done', 1])
  for (const each of [first, writer, pruner]) {
    expect(await restored(each, snapshot.id, folder.path)).toEqual(look(source()))
  }
  await expectSound(first)
  for (const each of [first, writer, pruner]) await each.close()
})

it('a target that keeps no fragment is still found out', async () => {
  const target = memoryTarget()
  makeGeneration(source(), 0)
  const put: Target['put'] = async (key, body, options) =>
    key.startsWith('index/') ? true : await target.put(key, body, options)
  const engine = await openOn(wrapTarget(target, { put } satisfies Partial<Target>), source())
  expect(await codeOf(engine.backup())).toBe('TARGET_PROTOCOL')
  await engine.close()
})
