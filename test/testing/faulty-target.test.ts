/** The faults that `test/targets/faults.test.ts` does not have: by chance, by key, late, stale. */
import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/targets/memory.ts'
import type { Target } from '../../src/targets/target.ts'
import { type FaultyTarget, faultyTarget, type PlannedFault } from '../../src/testing/index.ts'

const body = (...bytes: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)

async function keysOf(target: Target, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list(prefix)) keys.push(key)
  return keys
}
async function filled(count: number): Promise<ReturnType<typeof memoryTarget>> {
  const memory = memoryTarget()
  for (let i = 0; i < count; i++) await memory.put(`k${i}`, body(i, i))
  return memory
}
async function faulty(...plan: PlannedFault[]) {
  const memory = await filled(4)
  return { memory, target: faultyTarget(memory, plan) }
}

describe('faults that are errors', () => {
  it.for([
    ['error', 'TARGET_UNREACHABLE', true, undefined],
    ['unavailable', 'TARGET_UNREACHABLE', true, 503],
    ['slow-down', 'TARGET_THROTTLED', true, 503],
    ['expired', 'TARGET_AUTH', false, 403],
    ['denied', 'TARGET_DENIED', false, 403],
    ['full', 'TARGET_FULL', false, 507],
  ] as const)('%s is %s', async ([fault, code, retryable, status]) => {
    const { target, memory } = await faulty({ operation: 'put', nth: 1, fault })
    const error = await target.put('x', body(1)).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, retryable, origin: 'target', details: { operation: 'put', key: 'x' } })
    expect((error as { details: { status?: number } }).details.status).toBe(status)
    expect(memory.objects.has('x')).toBe(false)
  })

  it('may be given another code and details', async () => {
    const error = { code: 'TARGET_NOT_FOUND', retryable: false, details: { retryAfterMs: 20 } } as const
    const { target } = await faulty({ operation: 'get', nth: 1, fault: 'error', error })
    await expect(target.get('k0')).rejects.toMatchObject({ ...error, details: { operation: 'get', retryAfterMs: 20 } })
  })
})

describe('faults by chance', () => {
  const struck = async (seed: number): Promise<number[]> => {
    const { target } = await faulty({ operation: 'get', rate: 0.1, seed, fault: 'error' })
    const failed: number[] = []
    for (let i = 0; i < 1000; i++) await target.get('k0').catch(() => failed.push(i))
    expect(target.hits).toHaveLength(failed.length)
    return failed
  }
  it('strike about so many, the same ones for the same seed', async () => {
    const first = await struck(7)
    expect(first.length).toBeGreaterThan(60)
    expect(first.length).toBeLessThan(140)
    expect(await struck(7)).toEqual(first)
    expect(await struck(8)).not.toEqual(first)
  })
  it('must have struck once, and always do at rate 1', async () => {
    const { target } = await faulty({ operation: 'delete', rate: 1, fault: 'denied' })
    expect(() => target.assertAllHit()).toThrow('never met: denied of delete at rate 1')
    for (let i = 0; i < 3; i++) await expect(target.delete(['k0'])).rejects.toMatchObject({ code: 'TARGET_DENIED' })
    target.assertAllHit()
    expect(target.hits).toEqual(Array(3).fill({ operation: 'delete', key: 'k0', fault: 'denied' }))
  })
  it('come after faults by number', async () => {
    const chance: PlannedFault = { operation: 'get', rate: 1, fault: 'denied' }
    const { target } = await faulty(chance, { operation: 'get', nth: 2, fault: 'full' })
    const codes = []
    for (let i = 0; i < 3; i++) codes.push(await target.get('k0').catch(({ code }) => code))
    expect(codes).toEqual(['TARGET_DENIED', 'TARGET_FULL', 'TARGET_DENIED'])
  })
})

describe('faults of some keys', () => {
  it('count only the calls for them, by prefix or pattern', async () => {
    const { target } = await faulty(
      { operation: 'get', nth: 2, keys: 'k1', fault: 'error' },
      { operation: 'get', rate: 1, keys: /^k[23]$/g, fault: 'full' },
    )
    const results = []
    for (const key of ['k1', 'k0', 'k1', 'k2', 'k3', 'k1'])
      results.push(
        await target.get(key).then(
          () => 'fine',
          ({ code }) => code,
        ),
      )
    expect(results).toEqual(['fine', 'fine', 'TARGET_UNREACHABLE', 'TARGET_FULL', 'TARGET_FULL', 'fine'])
  })
})

describe('faults of what happens', () => {
  it('corrupt changes one bit, of what is read or kept', async () => {
    const { target, memory } = await faulty(
      { operation: 'get', nth: 1, fault: 'corrupt' },
      { operation: 'put', nth: 1, fault: 'corrupt' },
    )
    expect(await target.get('k2')).toEqual(body(2, 3))
    expect(await target.get('k2')).toEqual(body(2, 2))
    const given = body(4, 4)
    await target.put('x', given)
    expect([given, memory.objects.get('x')]).toEqual([body(4, 4), body(4, 5)])
  })
  it('delay takes real milliseconds, and ends on abort', async () => {
    const { target } = await faulty({ operation: 'get', rate: 1, fault: 'delay', delayMs: 30 })
    const began = performance.now()
    await target.get('k0')
    expect(performance.now() - began).toBeGreaterThan(25)
    const abort = new AbortController()
    const reading = target.get('k0', { signal: abort.signal })
    abort.abort()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
  })
  it('duplicate lists rows twice', async () => {
    const { target } = await faulty({ operation: 'list', nth: 1, fault: 'duplicate' })
    expect(await keysOf(target)).toEqual(['k0', 'k0', 'k1', 'k2', 'k2', 'k3'])
    expect(await keysOf(target)).toHaveLength(4)
  })
})

describe('late', () => {
  const plan: PlannedFault[] = [
    { operation: 'put', nth: 1, fault: 'late' },
    { operation: 'delete', nth: 1, fault: 'late' },
  ]
  it('rejects at once and is applied when the test says so, whatever came between', async () => {
    const { target, memory } = await faulty(...plan)
    const abort = new AbortController()
    const given = body(9)
    const putting = target.put('k0', given, { signal: abort.signal })
    await expect(putting).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    given.fill(0)
    abort.abort()
    await expect(target.delete(['k1'])).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
    expect(() => target.assertAllHit()).toThrow('2 late changes')
    await target.put('k0', body(7))
    expect([memory.objects.get('k0'), memory.objects.has('k1')]).toEqual([body(7), true])
    expect(await target.applyLate()).toBe(2)
    expect([memory.objects.get('k0'), memory.objects.has('k1')]).toEqual([body(9), false])
    expect(await target.applyLate()).toBe(0)
    target.assertAllHit()
  })
  it('creates only where nothing is by then', async () => {
    const { target, memory } = await faulty(plan[0]!)
    await expect(target.put('x', body(1), { ifAbsent: true })).rejects.toThrow()
    await target.put('x', body(2))
    await target.applyLate()
    expect(memory.objects.get('x')).toEqual(body(2))
  })
})

describe('stale', () => {
  const stale = (changes: number): Promise<{ target: FaultyTarget }> =>
    faulty({ operation: 'list', rate: 1, fault: 'stale', changes })
  it('lacks the newest keys and still shows what was deleted', async () => {
    const { target } = await stale(3)
    await target.put('old', body(1))
    await target.put('new', body(1))
    await target.put('k1', body(1, 2, 3))
    await target.delete(['k0'])
    expect((await keysOf(target)).sort()).toEqual(['k0', 'k1', 'k2', 'k3', 'old'])
    for await (const { key, size } of target.list('k1')) expect([key, size]).toEqual(['k1', 2])
    expect(await keysOf(target, 'k0')).toEqual(['k0'])
    expect(await keysOf(target, 'o')).toEqual(['old'])
  })
  it('goes back no further than its first change', async () => {
    const { target } = await stale(100)
    await target.put('x', body(1))
    expect(await keysOf(target)).toEqual(['k0', 'k1', 'k2', 'k3'])
  })
})

describe('a plan that cannot be', () => {
  it.for<[string, PlannedFault]>([
    ['either nth or rate', { operation: 'get', fault: 'error' }],
    ['either nth or rate', { operation: 'get', fault: 'error', nth: 1, rate: 1 }],
    ['counts from 1', { operation: 'get', fault: 'error', nth: 0 }],
    ['from 0 to 1', { operation: 'get', fault: 'error', rate: 2 }],
    ['no such fault', { operation: 'get', fault: 'late', nth: 1 }],
    ['no such fault', { operation: 'stat', fault: 'stale', nth: 1 }],
  ])('is refused: %s', ([rule, planned]) => {
    expect(() => faultyTarget(memoryTarget(), [planned])).toThrow(rule)
  })
})
