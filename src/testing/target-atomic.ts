/** Of the promises of a target: `put` is atomic, and creates once. */
import assert from 'node:assert/strict'
import { BackupError } from '../errors.ts'
import { type Bench, bytesOf, type DefineTest, keysOf, same, sameKeys, turn } from './target-bench.ts'

const KIB = 1024
const RACERS = 16

export function createOnceTests(test: DefineTest): void {
  test('creates only where nothing is', async ({ target, prefix }) => {
    assert.equal(await target.put(`${prefix}a`, bytesOf(10, 1), { ifAbsent: true }), true)
    assert.equal(await target.put(`${prefix}a`, bytesOf(20, 2), { ifAbsent: true }), false)
    same(await target.get(`${prefix}a`), bytesOf(10, 1))
    assert.equal(await target.put(`${prefix}a`, bytesOf(5, 3)), true, 'without ifAbsent it replaces')
    same(await target.get(`${prefix}a`), bytesOf(5, 3))
  })

  test(`lets exactly one of ${RACERS} create`, race, ({ createOnly }) =>
    createOnly ? undefined : '`traits.createOnly` is false',
  )
}

async function race({ target, prefix, full }: Bench): Promise<void> {
  for (let round = 0; round < (full ? 10 : 2); round++) {
    const key = `${prefix}race/${round}`
    const racers = Array.from({ length: RACERS }, (_, i) => target.put(key, bytesOf(KIB + i, i), { ifAbsent: true }))
    const won = (await Promise.all(racers)).flatMap((created, i) => (created ? [i] : []))
    assert.equal(won.length, 1, `${won.length} of ${RACERS} were told that they created ${key}`)
    same(await target.get(key), bytesOf(KIB + won[0]!, won[0]), 'the bytes are those of the one')
  }
}

export function atomicityTests(test: DefineTest): void {
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
      async () => sameKeys(await keysOf(target, prefix), [key]),
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
      sameKeys(await keysOf(target, key), [key], 'list once the put has resolved')
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

export function assertWhole(found: Uint8Array, small: Uint8Array, large: Uint8Array): void {
  const expected = found.length === small.length ? small : large
  assert.ok(Buffer.compare(found, expected) === 0, `${found.length} bytes that are neither the old nor the new object`)
}

export function expectNotFound(error: unknown): undefined {
  if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return undefined
  throw error
}
