import { describe, expect, it } from 'vitest'
import { mapBounded, TaskQueue } from '../../src/util/concurrency.ts'
import { countingController, deferred, settle } from './fake-clock.ts'

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('mapBounded', () => {
  it('keeps the order whatever finishes first, and never exceeds the limit', async () => {
    let running = 0
    let most = 0
    const result = await collect(
      mapBounded([5, 1, 3, 0, 2, 4], 3, async (ticks) => {
        most = Math.max(most, ++running)
        for (let i = 0; i < ticks; i++) await settle()
        running--
        return ticks * 10
      }),
    )
    expect(result).toEqual([50, 10, 30, 0, 20, 40])
    expect(most).toBe(3)
  })

  it('takes no more items than it can work on', async () => {
    let taken = 0
    function* items(): Generator<number> {
      for (;;) yield taken++
    }
    const mapped = mapBounded(items(), 2, async (n) => n)
    await mapped.next()
    expect(taken).toBeLessThanOrEqual(3)
    await mapped.return()
  })

  it('aborts and awaits the rest when one fails', async () => {
    const ended: number[] = []
    const mapped = mapBounded([0, 1, 2], 3, async (n, signal) => {
      if (n === 0) throw new Error('zero')
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      await settle()
      ended.push(n)
    })
    await expect(collect(mapped)).rejects.toThrow('zero')
    expect(ended).toEqual([1, 2])
  })

  it('rejects with ABORTED and leaves no listener', async () => {
    const { controller, listeners } = countingController()
    const mapped = collect(
      mapBounded(
        [1],
        1,
        (_, signal) => new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
        controller.signal,
      ),
    )
    await settle()
    controller.abort()
    await expect(mapped).rejects.toMatchObject({ code: 'ABORTED' })
    expect(listeners()).toBeLessThanOrEqual(1) // a fired 'once' listener is gone without being removed
  })

  it('ends its tasks when the reader breaks off', async () => {
    const signals: AbortSignal[] = []
    for await (const _ of mapBounded([1, 2, 3], 2, async (_n, signal) => signals.push(signal))) break
    expect(signals.every((signal) => signal.aborted)).toBe(true)
  })
})

describe('TaskQueue', () => {
  it('makes push wait while the queue is full', async () => {
    const gates = [deferred(), deferred(), deferred()]
    const queue = new TaskQueue({ concurrency: 1, maxWaiting: 1 })
    await queue.push(() => gates[0]!.promise)
    await queue.push(() => gates[1]!.promise)
    let third = false
    const pushed = queue
      .push(() => gates[2]!.promise)
      .then(() => {
        third = true
      })
    await settle()
    expect(third).toBe(false)
    gates[0]!.resolve()
    await pushed
    expect(queue.size).toBe(2)
    gates[1]!.resolve()
    gates[2]!.resolve()
    await queue.drain()
    expect(queue.size).toBe(0)
  })

  it('gives the first failure to whoever waits, stops the rest', async () => {
    const first = deferred()
    let ranLater = false
    const queue = new TaskQueue({ concurrency: 1, maxWaiting: 1 })
    await queue.push(() => first.promise)
    await queue.push(async () => {
      ranLater = true
    })
    const waiting = queue.push(async () => {})
    first.reject(new Error('disk full'))
    await expect(waiting).rejects.toThrow('disk full')
    await expect(queue.drain()).rejects.toThrow('disk full')
    await expect(queue.push(async () => {})).rejects.toThrow('disk full')
    expect(ranLater).toBe(false)
    await queue.close()
  })

  it('rejects with ABORTED on abort, and close leaves nothing running or listening', async () => {
    const { controller, listeners } = countingController()
    const queue = new TaskQueue({ concurrency: 1, signal: controller.signal })
    let running = true
    await queue.push((signal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })).then(() => {
        running = false
      }),
    )
    const drained = queue.drain()
    await queue.close()
    await expect(drained).rejects.toMatchObject({ code: 'ABORTED' })
    expect(running).toBe(false)
    expect(listeners()).toBe(0)
  })
})
