import { describe, expect, it } from 'vitest'
import { fakeClock } from '../../src/testing/index.ts'

describe('fakeClock', () => {
  it('moves only when told to, both ways of telling time together', async () => {
    const clock = fakeClock(new Date('2030-01-01T00:00:00Z'))
    expect([clock.now().toISOString(), clock.monotonicMs()]).toEqual(['2030-01-01T00:00:00.000Z', 0])
    await clock.advance(1500)
    expect([clock.now().toISOString(), clock.monotonicMs()]).toEqual(['2030-01-01T00:00:01.500Z', 1500])
  })

  it('wakes sleepers at their own time, in order, and what one does comes before the next', async () => {
    const clock = fakeClock()
    const seen: [string, number][] = []
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms)
      for (let i = 0; i < 20; i++) await Promise.resolve()
      seen.push([name, clock.monotonicMs()])
      if (name === 'a') await sleeper('a again', 5)
    }
    const all = [sleeper('b', 20), sleeper('a', 10), sleeper('b too', 20), sleeper('late', 31)]
    expect(clock.sleeping).toBe(4)
    await clock.advance(30)
    expect(seen).toEqual([
      ['a', 10],
      ['a again', 15],
      ['b', 20],
      ['b too', 20],
    ])
    expect(clock.sleeping).toBe(1)
    await clock.advance(1)
    await Promise.all(all)
  })

  it('ends a sleep on abort, and forgets it', async () => {
    const clock = fakeClock()
    const abort = new AbortController()
    const sleeping = clock.sleep(10, { signal: abort.signal })
    abort.abort('enough')
    await expect(sleeping).rejects.toMatchObject({ code: 'ABORTED' })
    expect(clock.sleeping).toBe(0)
    await expect(clock.sleep(10, { signal: abort.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('goes from sleeper to sleeper until a promise settles', async () => {
    const clock = fakeClock()
    const work = async (): Promise<string> => {
      for (let i = 0; i < 3; i++) await clock.sleep(60_000)
      return 'done'
    }
    expect(await clock.until(work())).toBe('done')
    expect(clock.monotonicMs()).toBe(180_000)
    await expect(clock.until(Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('lets work that needs no sleeper come first', async () => {
    const clock = fakeClock()
    const limit = clock.sleep(1000).then(() => 'limit')
    const work = new Promise((resolve) => setImmediate(() => setImmediate(resolve))).then(() => 'work')
    expect(await clock.until(Promise.race([limit, work]))).toBe('work')
    expect(clock.monotonicMs()).toBe(0)
  })
})
