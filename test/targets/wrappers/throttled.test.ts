import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { throttled } from '../../../src/targets/wrappers/throttled.ts'
import { countingTarget } from '../../../src/testing/counting-target.ts'
import { fakeClock } from '../../util/fake-clock.ts'

/** 1,000 bytes a second, with the first second's worth used up. */
async function setUp() {
  const clock = fakeClock()
  const inner = countingTarget(memoryTarget())
  const target = throttled(inner, { bytesPerSecond: 1000, clock })
  await target.put('first', new Uint8Array(1000))
  inner.reset()
  return { clock, inner, target }
}

describe('throttled', () => {
  it('takes one second of traffic at once, then as much as flows', async () => {
    const { clock, inner, target } = await setUp()
    const puts = Promise.all(['a', 'b', 'c'].map((key) => target.put(key, new Uint8Array(500))))
    await clock.advance(499)
    expect(inner.count('put')).toBe(0)
    await clock.advance(1)
    expect(inner.count('put')).toBe(1)
    await clock.advance(500)
    expect(inner.count('put')).toBe(2)
    await clock.advance(500)
    await puts
    expect(clock.sleeping).toBe(0)
  })

  it('has large bodies paid for before they go', async () => {
    const { clock, inner, target } = await setUp()
    const put = target.put('large', new Uint8Array(10_000))
    await clock.advance(9_999)
    expect(inner.count('put')).toBe(0)
    await clock.advance(1)
    expect(await put).toBe(true)
  })

  it('has ranges paid for before, whole objects after they came', async () => {
    const { clock, inner, target } = await setUp()
    const range = target.get('first', { range: { start: 0, end: 100 } })
    await clock.advance(99)
    expect(inner.count('get')).toBe(0)
    await clock.advance(1)
    expect(await range).toHaveLength(100)
    let came = 0
    const whole = target.get('first').then((body) => {
      came = body.length
    })
    await clock.advance(999)
    expect([inner.count('get'), came]).toEqual([2, 0])
    await clock.advance(1)
    await whole
    expect(came).toBe(1000)
  })

  it('saves up no more than a second', async () => {
    const { clock, inner, target } = await setUp()
    await clock.advance(60_000)
    await target.put('a', new Uint8Array(1000))
    const next = target.put('b', new Uint8Array(100))
    await clock.advance(99)
    expect(inner.count('put')).toBe(1)
    await clock.advance(1)
    await next
  })

  it('ends a wait on abort, sends nothing, gives back what was paid, and leaves no timer', async () => {
    const { clock, inner, target } = await setUp()
    const controller = new AbortController()
    const put = expect(target.put('a', new Uint8Array(50_000), { signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    await clock.advance(1000)
    controller.abort()
    await put
    expect([inner.count('put'), clock.sleeping]).toEqual([0, 0])
    expect(await target.put('b', new Uint8Array(1000)), 'the second that passed is there').toBe(true)
  })

  it('does not hold others up for a range that was not there', async () => {
    const { clock, target } = await setUp()
    await clock.advance(1000)
    for (let i = 0; i < 5; i++) {
      const missing = target.get('missing', { range: { start: 0, end: 1000 } })
      await expect(missing).rejects.toMatchObject({ code: 'TARGET_OBJECT_NOT_FOUND' })
    }
    expect(clock.sleeping).toBe(0)
  })

  it('lets everything else through', async () => {
    const { target } = await setUp()
    expect((await target.stat('first'))?.size).toBe(1000)
    await target.delete(['first'])
    expect(await target.stat('first')).toBeUndefined()
    expect(await target.space!()).toEqual({ usedBytes: 0 })
  })

  it('refuses a rate that is none', () => {
    for (const bytesPerSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1000']) {
      const options = { bytesPerSecond } as { bytesPerSecond: number }
      expect(() => throttled(memoryTarget(), options)).toThrow(/throttled: bytesPerSecond/)
    }
  })
})
