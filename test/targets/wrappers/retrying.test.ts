import { describe, expect, it } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { wrapTarget } from '../../../src/targets/target.ts'
import { retrying } from '../../../src/targets/wrappers/retrying.ts'
import { fakeClock } from '../../util/fake-clock.ts'
import { body, every, setUp } from './retrying-support.ts'

describe('retrying', () => {
  it('repeats each operation until it succeeds', async () => {
    const operations = ['put', 'get', 'stat', 'list', 'delete'] as const
    const { target, faulty, notices } = setUp(operations.flatMap((operation) => every(operation, 'error', 2)))
    expect(await target.put('a', body('A'))).toBe(true)
    expect(await target.get('a')).toEqual(body('A'))
    expect((await target.stat('a'))?.size).toBe(1)
    const listed = []
    for await (const info of target.list('')) listed.push(info.key)
    expect(listed).toEqual(['a'])
    await target.delete(['a', 'b'])
    faulty.assertAllHit()
    expect(notices.map(({ operation, key, attempt }) => [operation, key, attempt])).toEqual(
      operations.flatMap((operation) => [1, 2].map((attempt) => [operation, operation === 'list' ? '' : 'a', attempt])),
    )
  })

  it('passes ranges on and gives up on what is not retryable at once', async () => {
    const { target, calls } = setUp([])
    await target.put('a', body('0123456789'))
    expect(await target.get('a', { range: { start: 2, end: 5 } })).toEqual(body('234'))
    await expect(target.get('missing')).rejects.toMatchObject({ code: 'TARGET_OBJECT_NOT_FOUND' })
    await expect(target.put('../a', body(''))).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(calls.count('get', 'missing')).toBe(1)
  })

  it('does not repeat what is no BackupError: a mistake in the code does not pass', async () => {
    let calls = 0
    const broken = wrapTarget(memoryTarget(), {
      stat: async () => {
        calls++
        throw new TypeError('broken')
      },
    })
    await expect(retrying(broken).stat('a')).rejects.toThrow(TypeError)
    expect(calls).toBe(1)
  })

  it('throws the last error as it is, after as many attempts as allowed', async () => {
    for (const attempts of [1, 3]) {
      const { target, faulty, notices } = setUp(every('get', 'error', attempts), { attempts })
      await expect(target.get('a')).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
      faulty.assertAllHit()
      expect(notices).toHaveLength(attempts - 1)
    }
  })

  it('waits twice as long each time, up to 15 s, with full jitter', async () => {
    const { target, notices } = setUp(every('get', 'error', 20), { attempts: 10, budgetMs: 1e9, random: () => 1 })
    await expect(target.get('a')).rejects.toThrow()
    expect(notices.map(({ delayMs }) => delayMs)).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000])
    const { target: lucky, notices: short } = setUp(every('get', 'error', 20), { random: () => 0 })
    await expect(lucky.get('a')).rejects.toThrow()
    expect(short.map(({ delayMs }) => delayMs)).toEqual([0, 0, 0, 0])
  })

  it('begins no attempt beyond its budget', async () => {
    const { target, notices } = setUp(every('get', 'error', 99), { attempts: 99, budgetMs: 1000, random: () => 1 })
    await expect(target.get('a')).rejects.toThrow()
    expect(notices.map(({ delayMs }) => delayMs)).toEqual([200, 400])
  })

  it('waits as long as the store asks for', async () => {
    const { notices } = setUp([])
    const throttling = wrapTarget(memoryTarget(), {
      stat: async () => {
        throw new BackupError('TARGET_THROTTLED', 'slow down', {
          origin: 'target',
          retryable: true,
          details: { retryAfterMs: 5000 },
        })
      },
    })
    const clock = { monotonicMs: () => 0, sleep: async () => {} }
    const target = retrying(throttling, { clock, attempts: 2, onRetry: (notice) => void notices.push(notice) })
    await expect(target.stat('a')).rejects.toMatchObject({ code: 'TARGET_THROTTLED' })
    expect(notices[0]?.delayMs).toBe(5000)
  })

  it('gives up at once where the store asks for more than the budget has', async () => {
    const slept: number[] = []
    const busy = wrapTarget(memoryTarget(), {
      stat: async () => {
        const details = { retryAfterMs: 61_000 }
        throw new BackupError('TARGET_THROTTLED', 'slow down', { origin: 'target', retryable: true, details })
      },
    })
    const clock = { monotonicMs: () => 0, sleep: async (ms: number) => void slept.push(ms) }
    await expect(retrying(busy, { clock }).stat('a')).rejects.toMatchObject({ code: 'TARGET_THROTTLED' })
    expect(slept).toEqual([])
  })

  it('shares its repetitions among all calls: a dead server gets a bounded number of requests', async () => {
    let isDead = true
    let requests = 0
    const server = wrapTarget(memoryTarget(), {
      stat: async () => {
        requests++
        if (!isDead) return undefined
        throw new BackupError('TARGET_UNREACHABLE', 'down', { origin: 'target', retryable: true })
      },
    })
    const clock = { monotonicMs: () => 0, sleep: async () => {} }
    const target = retrying(server, { clock, sharedRetries: 30 })
    const call = (): Promise<unknown> => target.stat('a')
    const outage = await Promise.allSettled(Array.from({ length: 100 }, call))
    expect(outage.every(({ status }) => status === 'rejected')).toBe(true)
    expect(requests).toBe(130)
    await expect(call()).rejects.toThrow()
    expect(requests, 'none is left').toBe(131)
    isDead = false
    for (let i = 0; i < 4; i++) await call()
    isDead = true
    requests = 0
    await expect(call()).rejects.toThrow()
    expect(requests, 'each success gives one back').toBe(5)
  })

  it('does not use up the shared repetitions while calls succeed in the end', async () => {
    let calls = 0
    const flaky = wrapTarget(memoryTarget(), {
      stat: async () => {
        if (++calls % 2 === 0) return undefined
        throw new BackupError('TARGET_UNREACHABLE', 'flaky', { origin: 'target', retryable: true })
      },
    })
    const target = retrying(flaky, { clock: { monotonicMs: () => 0, sleep: async () => {} }, sharedRetries: 2 })
    for (let i = 0; i < 50; i++) expect(await target.stat('a')).toBeUndefined()
  })

  it('stops waiting on abort, and leaves no timer', async () => {
    const clock = fakeClock()
    const { target } = setUp(every('get', 'error', 9), { clock })
    const controller = new AbortController()
    const outcome = expect(target.get('a', { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await clock.advance(0)
    expect(clock.sleeping).toBe(1)
    controller.abort()
    await outcome
    expect(clock.sleeping).toBe(0)
  })

  it('goes on with a listing that broke off, each key once', async () => {
    const { target, faulty } = setUp(every('list', 'lost-reply', 3))
    const keys = Array.from({ length: 100 }, (_, i) => `k/${i}`)
    for (const key of keys) await target.put(key, body(key))
    const listed: string[] = []
    for await (const { key } of target.list('k/')) listed.push(key)
    faulty.assertAllHit()
    expect(listed).toEqual(keys)
  })

  it('ends a listing that its reader leaves', async () => {
    let ended = 0
    const inner = wrapTarget(memoryTarget(), {
      async *list() {
        try {
          yield { key: 'a', size: 1 }
          yield { key: 'b', size: 1 }
        } finally {
          ended++
        }
      },
    })
    for await (const { key } of retrying(inner).list('')) {
      expect(key).toBe('a')
      break
    }
    expect(ended).toBe(1)
  })

  it('refuses options it does not know', () => {
    expect(() => retrying(memoryTarget(), { attempts: 0 })).toThrow(/retrying: attempts/)
    expect(() => retrying(memoryTarget(), { tries: 3 } as never)).toThrow(/tries/)
    expect(() => retrying(memoryTarget(), { onRetry: 'log' } as never)).toThrow(/onRetry/)
  })
})
