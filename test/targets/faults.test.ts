/** The targets that misbehave on purpose: what they do must be exactly what tests rely on. */
import { describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/targets/memory.ts'
import { countingTarget } from '../../src/testing/counting-target.ts'
import { crashAfter } from '../../src/testing/crash-after.ts'
import { faultyTarget, type PlannedFault } from '../../src/testing/faulty-target.ts'

const body = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(size)
const unreachable = { code: 'TARGET_UNREACHABLE', origin: 'target' }

async function keysOf(target: { list(prefix: string): AsyncIterable<{ key: string }> }): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list('')) keys.push(key)
  return keys
}
async function filled(...keys: string[]) {
  const memory = memoryTarget()
  for (const key of keys) await memory.put(key, body(10))
  return memory
}

describe('faultyTarget', () => {
  const withFault = async (operation: PlannedFault['operation'], fault: PlannedFault['fault']) => {
    const memory = await filled('a', 'b', 'c', 'd')
    return { memory, target: faultyTarget(memory, [{ operation, nth: 1, fault }]) }
  }

  it('fails the planned call before anything happens, once', async () => {
    const { memory, target } = await withFault('put', 'error')
    await expect(target.put('x', body(1))).rejects.toMatchObject({ ...unreachable, retryable: true })
    expect(memory.objects.has('x')).toBe(false)
    expect(await target.put('x', body(1))).toBe(true)
    const other = await withFault('list', 'error')
    await expect(keysOf(other.target)).rejects.toMatchObject(unreachable)
    expect(await keysOf(other.target)).toHaveLength(4)
  })

  it('loses the reply after it happened', async () => {
    const put = await withFault('put', 'lost-reply')
    await expect(put.target.put('x', body(1))).rejects.toMatchObject({ ...unreachable, retryable: true })
    expect(put.memory.objects.has('x')).toBe(true)
    const gone = await withFault('delete', 'lost-reply')
    await expect(gone.target.delete(['a'])).rejects.toMatchObject(unreachable)
    expect(gone.memory.objects.has('a')).toBe(false)
    const list = await withFault('list', 'lost-reply')
    const seen: string[] = []
    const reading = (async () => {
      for await (const { key } of list.target.list('')) seen.push(key)
    })()
    await expect(reading).rejects.toMatchObject(unreachable)
    expect(seen).toEqual(['a', 'b'])
  })

  it('reports success for a half', async () => {
    const put = await withFault('put', 'truncate')
    expect(await put.target.put('x', body(10))).toBe(true)
    expect(put.memory.objects.get('x')).toHaveLength(5)
    expect(await (await withFault('get', 'truncate')).target.get('a')).toHaveLength(5)
    expect((await (await withFault('stat', 'truncate')).target.stat('a'))?.size).toBe(5)
    expect(await keysOf((await withFault('list', 'truncate')).target)).toEqual(['a', 'b'])
    const gone = await withFault('delete', 'truncate')
    await gone.target.delete(['a', 'b', 'c', 'd'])
    expect([...gone.memory.objects.keys()]).toEqual(['c', 'd'])
  })

  it('delays, so that calls overtake each other, and heeds an abort meanwhile', async () => {
    const { target } = await withFault('put', 'delay')
    const order: string[] = []
    const slow = target.put('x', body(1)).then(() => order.push('slow'))
    await target.put('y', body(1)).then(() => order.push('quick'))
    await slow
    expect(order).toEqual(['quick', 'slow'])
    const other = await withFault('put', 'delay')
    const controller = new AbortController()
    const aborted = other.target.put('x', body(1), { signal: controller.signal })
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    expect(other.memory.objects.has('x')).toBe(false)
  })

  it('tells which faults were never met', async () => {
    const target = faultyTarget(memoryTarget(), [
      { operation: 'put', nth: 1, fault: 'delay' },
      { operation: 'put', nth: 3, fault: 'error' },
    ])
    expect(() => target.assertAllHit()).toThrow(/delay of put 1, error of put 3/)
    await target.put('a', body(1))
    await target.put('a', body(1))
    expect(() => target.assertAllHit()).toThrow(/never met: error of put 3$/)
    await expect(target.put('a', body(1))).rejects.toMatchObject(unreachable)
    target.assertAllHit()
  })
})

describe('crashAfter', () => {
  it('lets n changes through, then is dead for reads as well', async () => {
    const memory = memoryTarget()
    const target = crashAfter(memory, 2)
    await target.put('a', body(1))
    expect(await target.get('a')).toHaveLength(1)
    expect([target.mutations, target.crashed]).toEqual([1, false])
    await target.put('b', body(1))
    expect([target.mutations, target.crashed]).toEqual([2, true])
    const calls = [
      () => target.put('c', body(1)),
      () => target.delete(['a']),
      () => target.get('a'),
      () => target.stat('a'),
    ]
    for (const call of [...calls, () => keysOf(target)]) {
      await expect(call()).rejects.toMatchObject({ ...unreachable, retryable: false })
    }
    expect([...memory.objects.keys()]).toEqual(['a', 'b'])
    expect(target.mutations).toBe(2)
  })

  it('may die in the middle of a delete of many', async () => {
    const memory = await filled('a', 'b', 'c', 'd')
    const target = crashAfter(memory, 3)
    await expect(target.delete(['a', 'b', 'c', 'd'])).rejects.toMatchObject(unreachable)
    expect([...memory.objects.keys()]).toEqual(['d'])
  })

  it('can lose the reply to the last change', async () => {
    const memory = memoryTarget()
    const target = crashAfter(memory, 2, { lostReply: true })
    expect(await target.put('a', body(1))).toBe(true)
    await expect(target.put('b', body(1), { ifAbsent: true })).rejects.toMatchObject(unreachable)
    expect([...memory.objects.keys()]).toEqual(['a', 'b'])
    const deleting = crashAfter(memory, 1, { lostReply: true })
    await expect(deleting.delete(['a'])).rejects.toMatchObject(unreachable)
    expect([...memory.objects.keys()]).toEqual(['b'])
  })

  it('stops a listing under way, counts without end at Infinity, and may be dead from the start', async () => {
    const memory = await filled('a', 'b')
    const target = crashAfter(memory, 1)
    const listing = target.list('')[Symbol.asyncIterator]()
    expect((await listing.next()).value.key).toBe('a')
    await target.put('c', body(1))
    await expect(listing.next()).rejects.toMatchObject(unreachable)
    const counting = crashAfter(memory, Number.POSITIVE_INFINITY)
    await counting.put('d', body(1))
    await counting.delete(['a', 'b'])
    expect([counting.mutations, counting.crashed]).toEqual([3, false])
    await expect(crashAfter(memory, 0).get('c')).rejects.toMatchObject(unreachable)
  })
})

describe('countingTarget', () => {
  it('records calls, bytes and how many were under way at once', async () => {
    const target = countingTarget(memoryTarget())
    await Promise.all(['packs/a', 'packs/b', 'index/c'].map((key) => target.put(key, body(7))))
    await target.get('packs/a', { range: { start: 0, end: 3 } })
    await target.get('missing').catch(() => {})
    await target.delete(['packs/a', 'packs/b'])
    await keysOf(target)
    expect(target.count()).toBe(8)
    expect([target.count('put', 'packs/'), target.count('get'), target.count('delete')]).toEqual([2, 2, 2])
    expect(target.operations.map(({ bytes }) => bytes).filter((bytes) => bytes !== undefined)).toEqual([7, 7, 7, 3])
    expect(target.maxInFlight).toBe(3)
    target.reset()
    expect([target.count(), target.maxInFlight]).toEqual([0, 0])
  })
})
