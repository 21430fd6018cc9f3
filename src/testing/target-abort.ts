/** Of the promises of a target: after an abort no mutation begins. */
import assert from 'node:assert/strict'
import { BackupError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import { assertWhole, expectNotFound } from './target-atomic.ts'
import { bytesOf, type DefineTest, inLanes, keysOf, pause, rejectsWith, same, sameKeys, turn } from './target-bench.ts'

const KIB = 1024
/** For what was on its way when the signal aborted, which may still happen. */
const UNDER_WAY_MS = 50

export function abortTests(test: DefineTest): void {
  test('does nothing once aborted', async ({ target, prefix }) => {
    await target.put(`${prefix}a`, bytesOf(10))
    const signal = AbortSignal.abort('enough')
    await rejectsWith(target.put(`${prefix}a`, bytesOf(20), { signal }), 'ABORTED', 'put')
    await rejectsWith(target.put(`${prefix}b`, bytesOf(20), { signal, ifAbsent: true }), 'ABORTED', 'put with ifAbsent')
    await rejectsWith(target.delete([`${prefix}a`], { signal }), 'ABORTED', 'delete')
    await rejectsWith(target.get(`${prefix}a`, { signal }), 'ABORTED', 'get')
    await rejectsWith(target.stat(`${prefix}a`, { signal }), 'ABORTED', 'stat')
    await rejectsWith(drain(target, prefix, signal), 'ABORTED', 'list')
    sameKeys(await keysOf(target, prefix), [`${prefix}a`])
    same(await target.get(`${prefix}a`), bytesOf(10))
  })

  test('leaves nothing half done when aborted on the way', async ({ target, prefix }) => {
    const body = bytesOf(KIB * KIB)
    for (const turns of [0, 1, 2, 4, 8, 16]) {
      const controller = new AbortController()
      const key = `${prefix}${turns}`
      const outcome = target.put(key, body, { signal: controller.signal, ifAbsent: true }).catch(expectAborted)
      for (let passed = 0; passed < turns; passed++) await turn()
      controller.abort()
      const created = await outcome
      const found = await target.get(key).catch(expectNotFound)
      if (created === true) assert.ok(found, 'it resolved, so it must be there')
      if (found !== undefined) assertWhole(found, body, body)
    }
  })

  test('lets go of the signal', async ({ target, prefix }) => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    await target.put(`${prefix}a`, bytesOf(10), { signal })
    await target.get(`${prefix}a`, { signal })
    await target.stat(`${prefix}a`, { signal })
    await drain(target, prefix, signal)
    await target.delete([`${prefix}a`], { signal })
    assert.equal(listeners, 0, 'a signal may live for months; listeners on it must go when the call ends')
  })

  test('changes nothing any more once it has rejected', async ({ target, prefix }) => {
    const keys = Array.from({ length: 60 }, (_, i) => `${prefix}${i}`)
    await inLanes(target, keys, (key) => target.put(key, bytesOf(1)))
    const controller = new AbortController()
    const deleting = target.delete(keys, { signal: controller.signal }).then(() => true, expectAborted)
    await turn()
    controller.abort()
    const done = await deleting
    if (done) return sameKeys(await keysOf(target, prefix), [], 'it resolved, so they must be gone')
    await pause(UNDER_WAY_MS)
    const left = await keysOf(target, prefix)
    await pause(UNDER_WAY_MS)
    sameKeys(await keysOf(target, prefix), left, 'it went on after the abort')
  })
}

async function drain(target: Target, prefix: string, signal: AbortSignal): Promise<void> {
  for await (const info of target.list(prefix, { signal })) assert.ok(info.key.startsWith(prefix))
}

function expectAborted(error: unknown): undefined {
  if (BackupError.is(error) && error.code === 'ABORTED') return undefined
  throw error
}
