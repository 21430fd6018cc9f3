import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { acquireDefaultPool, acquirePool, type PoolWarning, workerPool } from '../../../src/workers/threads/pool.ts'
import { ThreadPool, type ThreadPoolOptions } from '../../../src/workers/threads/thread-pool.ts'
import { patience } from '../../patience.ts'

const fixture = (name: string) => new URL(`../fixtures/${name}.ts`, import.meta.url)
const pools: ThreadPool[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
})

function makePool(options: ThreadPoolOptions = {}) {
  const pool = new ThreadPool({ threads: 2, file: fixture('crew-worker'), ...options })
  pools.push(pool)
  return pool
}

async function openOn(pool: ThreadPool, n = 0) {
  const lease = await pool.lease()
  return lease.threads[n]!.open('crew', {}, {})
}

describe('lease', () => {
  it('starts threads once and lends the same to all', async () => {
    const pool = makePool()
    const [one, two] = await Promise.all([pool.lease(), pool.lease()])
    expect(one.threads.map((thread) => thread.inline)).toEqual([false, false])
    expect(two.threads).toEqual(one.threads)
    const sessions = await Promise.all(one.threads.map((thread) => thread.open('crew', {}, {})))
    const places = await Promise.all(sessions.map((session) => session.call('where', 0)))
    expect(new Set(places).size).toBe(2)
    one.release()
    one.release()
    expect((await pool.lease()).threads).toEqual(one.threads)
  })

  it('finds the threads of an eager pool begun, and lends those', async () => {
    let begun = 0
    const count = (): number => begun++
    process.on('worker', count)
    const pool = makePool({ eager: true })
    await sleep(1)
    expect(begun).toBe(2)
    const { threads } = await pool.lease()
    process.off('worker', count)
    expect(begun).toBe(2)
    expect(threads.map(({ id, inline }) => [id, inline])).toEqual([
      [1, false],
      [2, false],
    ])
  })

  it('warns of what an eager pool could not start, and not before', async () => {
    const warnings: PoolWarning[] = []
    const pool = makePool({ eager: true, file: fixture('missing') })
    const lease = await pool.lease((warning) => warnings.push(warning))
    expect(lease.threads.map(({ inline }) => inline)).toEqual([true])
    expect(warnings.map(({ code }) => code)).toEqual(['WORKERS_UNAVAILABLE'])
  })

  it.runIf(process.platform === 'linux')('lowers the priority of its threads only', async () => {
    const session = await openOn(makePool())
    expect(await session.call('niceness', 0)).toBe(10)
    const { getPriority } = await import('node:os')
    expect(getPriority()).toBeLessThan(10)
  })

  it('is refused after close', async () => {
    const pool = makePool()
    await pool.close()
    await expect(pool.lease()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})

describe('a worker that dies', () => {
  const deaths: [how: string, method: string, args: unknown, reason: RegExp][] = [
    ['exits', 'exit', 3, /code 3/],
    ['leaves a rejection unhandled', 'rejectUnhandled', 0, /nobody waits for me/],
    ['runs out of memory', 'exhaustMemory', 0, /memory/],
  ]
  it.each(deaths)('because it %s fails its calls, and is replaced', async (_how, method, args, reason) => {
    const pool = makePool({ threads: 1, heap: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 8 } })
    const session = await openOn(pool)
    const waiting = session.call('never', 0)
    const fatal = session.call(method, args)
    for (const call of [waiting, fatal]) {
      const error = await call.catch((e: unknown) => e)
      expect(error).toMatchObject({
        code: 'INTERNAL',
        retryable: true,
        details: { reason: expect.stringMatching(reason) },
      })
    }
    await expect(session.call('echo', 0)).rejects.toMatchObject({ code: 'INTERNAL' })
    session.abort()
    await session.close()
    const next = await openOn(pool)
    expect(await next.call('echo', 'new')).toBe('new')
  })

  it('takes no other thread with it', async () => {
    const pool = makePool()
    const lease = await pool.lease()
    const [bad, good] = await Promise.all(lease.threads.map((thread) => thread.open('crew', {}, {})))
    await expect(bad!.call('exit', 0)).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(lease.threads[0]!.open('crew', {}, {})).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(await good!.call('echo', 1)).toBe(1)
    const again = await pool.lease()
    expect(again.threads[1]).toBe(lease.threads[1])
    expect(again.threads[0]).not.toBe(lease.threads[0])
  })

  it('is also one whose aborted work does not stop', async () => {
    const state = new Int32Array(new SharedArrayBuffer(8))
    const session = await openOn(makePool({ threads: 1, stopMs: 100 }))
    const busy = session.call('busyForever', state)
    while (Atomics.load(state, 0) === 0) await sleep(2)
    session.abort()
    await expect(busy).rejects.toMatchObject({ code: 'ABORTED' })
    await session.close()
    await sleep(100)
    const turns = Atomics.load(state, 1)
    await sleep(50)
    expect(Atomics.load(state, 1)).toBe(turns)
  })
})

describe('without worker threads', () => {
  const causes: [why: string, file: string, message: RegExp][] = [
    ['the file is missing', 'no-such-worker', /not found/],
    ['the file never says hello', 'silent-worker', /no handshake within 300 ms/],
    ['the file is of another version', 'other-version-worker', /another version/],
    ['the file throws', 'broken-worker', /broken while loading/],
  ]
  it.each(causes)('works inline and warns when %s', async (_why, file, message) => {
    const pool = makePool({ file: fixture(file), ...(file === 'silent-worker' && { handshakeMs: 300 }) })
    const warn = vi.fn<(warning: PoolWarning) => void>()
    const lease = await pool.lease(warn)
    expect(lease.threads.map((thread) => thread.inline)).toEqual([true])
    expect(warn.mock.calls).toEqual([[{ code: 'WORKERS_UNAVAILABLE', message: expect.stringMatching(message) }]])
    const session = await lease.threads[0]!.open('test:echo', {}, {})
    expect(await session.call('x', 'inline')).toBe('inline')
    const began = performance.now()
    await pool.lease()
    expect(performance.now() - began).toBeLessThan(patience(200))
  })

  it("does so by choice with 'inline', without a warning", async () => {
    const warn = vi.fn()
    const handle = acquirePool('inline', warn)
    const { threads } = await handle.lease()
    expect(threads.map((thread) => thread.inline)).toEqual([true])
    const session = await threads[0]!.open('test:echo', {}, {})
    await handle.close()
    await expect(session.call('x', 0)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await expect(handle.lease()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('close', () => {
  it('ends busy threads within a second, fails their calls, and can be repeated', async () => {
    const pool = makePool()
    const state = new Int32Array(new SharedArrayBuffer(8))
    const session = await openOn(pool)
    const busy = session.call('busyForever', state)
    while (Atomics.load(state, 0) === 0) await sleep(2)
    const began = performance.now()
    await Promise.all([pool.close(), pool.close()])
    expect(performance.now() - began).toBeLessThan(patience(1000))
    await expect(busy).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await session.close()
  })

  it('also while threads are starting', async () => {
    const pool = makePool({ file: fixture('silent-worker') })
    const lease = pool.lease()
    const refused = expect(lease).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await pool.close()
    await refused
  })
})

describe('the pool of the process', () => {
  it('is shared, and ends with its last user', async () => {
    const one = acquireDefaultPool()
    const two = acquirePool()
    const [thread] = (await one.lease()).threads
    expect((await two.lease()).threads[0]).toBe(thread)
    await Promise.all([one.close(), one.close()])
    await expect(one.lease()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    const session = await thread!.open('test:echo', {}, {})
    expect(await session.call('x', 1)).toBe(1)
    await two.close()
    await expect(session.call('x', 1)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    const three = acquireDefaultPool()
    expect((await three.lease()).threads[0]).not.toBe(thread)
    await three.close()
  })

  it('warns each user once', async () => {
    const pool = makePool({ file: fixture('no-such-worker') })
    const warn = vi.fn()
    const handle = acquirePool(pool, warn)
    await handle.lease()
    await handle.lease()
    expect(warn).toHaveBeenCalledTimes(1)
    await handle.close()
    await expect(pool.lease()).resolves.toBeDefined()
  })
})

describe('workerPool', () => {
  it('checks its options', () => {
    for (const options of [
      { threads: 0 },
      { threads: 1.5 },
      { threads: 257 },
      { maxMemoryBytes: 0 },
      { thread: 1 },
      { eager: 1 as never },
      { file: '' },
      { file: `${import.meta.dirname}/no-such-worker.js` },
      { file: 'file:///no-such-worker.js' },
      { file: new URL('data:text/javascript,0') },
      { file: 1 as never },
    ]) {
      expect(() => workerPool(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    }
    expect(() => acquirePool({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })

  it('tells the memory allowed to whoever leases it', async () => {
    const lease = await makePool({ maxMemoryBytes: 2 ** 28 }).lease()
    expect(lease.maxMemoryBytes).toBe(2 ** 28)
  })

  it('is closed by `await using`, not by its engines', async () => {
    const made = workerPool({ threads: 1 })
    {
      await using pool = made
      expect(pool.threads).toBe(1)
      const handle = acquirePool(pool)
      ;(await handle.lease()).release()
      await handle.close()
      const { threads } = await acquirePool(pool).lease()
      expect(threads[0]!.inline).toBe(false)
    }
    await expect(acquirePool(made).lease()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
