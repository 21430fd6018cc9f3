/** The harder promises of a target: atomicity, ownership of buffers, abort. */
import assert from 'node:assert/strict'
import { BackupError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import { bytesOf, type DefineTest, keysOf, rejectsWith, same, turn } from './target-bench.ts'

const KIB = 1024
const RACERS = 16

export function atomicityTests(test: DefineTest): void {
  test('creates only where nothing is', async ({ target, prefix }) => {
    assert.equal(await target.put(`${prefix}a`, bytesOf(10, 1), { ifAbsent: true }), true)
    assert.equal(await target.put(`${prefix}a`, bytesOf(20, 2), { ifAbsent: true }), false)
    same(await target.get(`${prefix}a`), bytesOf(10, 1))
    assert.equal(await target.put(`${prefix}a`, bytesOf(5, 3)), true, 'without ifAbsent it replaces')
    same(await target.get(`${prefix}a`), bytesOf(5, 3))
  })

  test(`lets exactly one of ${RACERS} create`, async ({ target, prefix, full }) => {
    if (!target.traits.createOnly) return
    for (let round = 0; round < (full ? 10 : 2); round++) {
      const key = `${prefix}race/${round}`
      const racers = Array.from({ length: RACERS }, (_, i) => target.put(key, bytesOf(KIB + i, i), { ifAbsent: true }))
      const won = (await Promise.all(racers)).flatMap((created, i) => (created ? [i] : []))
      assert.equal(won.length, 1, `${won.length} of ${RACERS} were told that they created ${key}`)
      same(await target.get(key), bytesOf(KIB + won[0]!, won[0]), 'the bytes are those of the one')
    }
  })

  test('shows the whole old or the whole new object while it is replaced', async ({ target, prefix, full }) => {
    const [small, large] = [new Uint8Array(1000).fill(1), new Uint8Array(300 * KIB).fill(2)]
    const key = `${prefix}a`
    await target.put(key, small)
    await whileRunning(
      async () => {
        for (let i = 0; i < (full ? 40 : 5); i++) await target.put(key, i % 2 ? small : large)
      },
      async () => assertWhole(await target.get(key), small, large),
      async () => assert.ok([small.length, large.length].includes((await target.stat(key))?.size ?? -1)),
      async () => assert.deepEqual(await keysOf(target, prefix), [key]),
    )
  })

  test('shows nothing or the whole object while it is created', async ({ target, prefix, full }) => {
    const body = new Uint8Array(500 * KIB).fill(2)
    for (let round = 0; round < (full ? 10 : 2); round++) {
      const key = `${prefix}${round}`
      const read = async (): Promise<void> => {
        const found = await target.get(key).catch(expectNotFound)
        if (found !== undefined) assertWhole(found, body, body)
      }
      const listed = async (): Promise<void> => {
        for await (const info of target.list(prefix)) assert.equal(info.size, body.length)
      }
      await whileRunning(() => target.put(key, body, { ifAbsent: true }), read, listed)
      assert.deepEqual(await keysOf(target, key), [key], 'listed once the put has resolved')
    }
  })
}

/** Repeats the checks until the work is done, and once after. */
async function whileRunning(work: () => Promise<unknown>, ...checks: readonly (() => Promise<void>)[]): Promise<void> {
  let done = false
  const working = work().finally(() => {
    done = true
  })
  const lanes = checks.map(async (check) => {
    while (!done) {
      await check()
      await turn()
    }
    await check()
  })
  const results = await Promise.allSettled([working, ...lanes])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function assertWhole(found: Uint8Array, small: Uint8Array, large: Uint8Array): void {
  const expected = found.length === small.length ? small : large
  assert.ok(Buffer.compare(found, expected) === 0, `${found.length} bytes that are neither the old nor the new object`)
}

function expectNotFound(error: unknown): undefined {
  if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return undefined
  throw error
}

export function ownershipTests(test: DefineTest): void {
  test('neither changes nor keeps the body', async ({ target, prefix }) => {
    const body = bytesOf(64 * KIB)
    await target.put(`${prefix}a`, body)
    assert.equal(body.buffer.byteLength, 64 * KIB, 'the body was given away')
    same(body, bytesOf(64 * KIB))
    body.fill(0)
    same(await target.get(`${prefix}a`), bytesOf(64 * KIB))
  })

  test('gives results that nobody else holds', async ({ target, prefix }) => {
    await target.put(`${prefix}a`, bytesOf(3000))
    for (const range of [undefined, { start: 0, end: 100 }, { start: 10, end: 20 }]) {
      const found = await target.get(`${prefix}a`, range && { range })
      assert.equal(found.byteOffset, 0)
      assert.equal(found.buffer.byteLength, found.byteLength, 'a slice of a larger buffer')
      assert.ok(found.buffer instanceof ArrayBuffer, 'a shared buffer cannot be transferred')
      found.fill(0)
      structuredClone(found, { transfer: [found.buffer] })
    }
    same(await target.get(`${prefix}a`), bytesOf(3000))
  })
}

export function abortTests(test: DefineTest): void {
  test('does nothing once aborted', async ({ target, prefix }) => {
    await target.put(`${prefix}a`, bytesOf(10))
    const signal = AbortSignal.abort('enough')
    await rejectsWith(target.put(`${prefix}a`, bytesOf(20), { signal }), 'ABORTED')
    await rejectsWith(target.put(`${prefix}b`, bytesOf(20), { signal, ifAbsent: true }), 'ABORTED')
    await rejectsWith(target.delete([`${prefix}a`], { signal }), 'ABORTED')
    await rejectsWith(target.get(`${prefix}a`, { signal }), 'ABORTED')
    await rejectsWith(target.stat(`${prefix}a`, { signal }), 'ABORTED')
    await rejectsWith(drain(target, prefix, signal), 'ABORTED')
    assert.deepEqual(await keysOf(target, prefix), [`${prefix}a`])
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
}

async function drain(target: Target, prefix: string, signal: AbortSignal): Promise<void> {
  for await (const info of target.list(prefix, { signal })) assert.ok(info.key.startsWith(prefix))
}

function expectAborted(error: unknown): undefined {
  if (BackupError.is(error) && error.code === 'ABORTED') return undefined
  throw error
}
