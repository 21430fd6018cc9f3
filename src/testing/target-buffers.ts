/** Of the promises of a target: a buffer has one owner at a time. */
import assert from 'node:assert/strict'
import { bytesOf, type DefineTest, inLanes, same } from './target-bench.ts'

const KIB = 1024
/** Side by side, whatever the target would take. */
const MOST_CALLS = 64

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
      const { byteOffset, byteLength, buffer } = found
      const place = `${byteLength} bytes at ${byteOffset} of a buffer of ${buffer.byteLength}`
      assert.ok(byteOffset === 0 && buffer.byteLength === byteLength, `${place}: a slice, perhaps of a pool; copy it`)
      assert.ok(found.buffer instanceof ArrayBuffer, 'a shared buffer cannot be transferred')
      found.fill(0)
      structuredClone(found, { transfer: [found.buffer] })
    }
    same(await target.get(`${prefix}a`), bytesOf(3000))
  })

  test('does not mix up calls that run side by side', async ({ target, prefix }) => {
    const count = Math.min(MOST_CALLS, target.traits.maxConcurrency * 2)
    const keys = Array.from({ length: count }, (_, i) => `${prefix}${i}`)
    const bodyOf = (key: string): Uint8Array<ArrayBuffer> => bytesOf(5000 + keys.indexOf(key) * 7, keys.indexOf(key))
    await inLanes(target, keys, (key) => target.put(key, bodyOf(key)))
    const found: [string, Uint8Array][] = []
    await inLanes(target, keys, async (key) => found.push([key, await target.get(key)]))
    for (const [key, bytes] of found) same(bytes, bodyOf(key), `the bytes of ${key}`)
    const key = `${prefix}0`
    const [one, other] = await Promise.all([target.get(key), target.get(key)])
    assert.ok(one.buffer !== other.buffer, 'one buffer for two who asked at once')
  })
}
