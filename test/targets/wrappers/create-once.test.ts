import { describe, expect, it } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import { memoryTarget } from '../../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../../src/targets/target.ts'
import { retrying } from '../../../src/targets/wrappers/retrying.ts'
import { faultyTarget, type PlannedFault } from '../../../src/testing/faulty-target.ts'
import { body, every, setUp } from './retrying-support.ts'

describe('a create whose outcome is unknown', () => {
  const create = (target: Target, key: string, text = 'ours'): Promise<boolean> =>
    target.put(key, body(text), { ifAbsent: true })

  it('is true if our bytes are there', async () => {
    for (const key of ['config/1', 'snapshots/1', 'prefix/snapshots/1']) {
      const { target, calls } = setUp(every('put', 'lost-reply', 1))
      expect(await create(target, key)).toBe(true)
      expect(calls.count('put')).toBe(1)
    }
  })

  it('is false if others are', async () => {
    const { target, memory, calls } = setUp(every('put', 'error', 1))
    await memory.put('config/1', body('theirs'))
    expect(await create(target, 'config/1')).toBe(false)
    expect(calls.count('put')).toBe(0)
    expect(await memory.get('config/1')).toEqual(body('theirs'))
  })

  it('is tried again if nothing is there', async () => {
    const { target, memory } = setUp(every('put', 'error', 3))
    expect(await create(target, 'config/1')).toBe(true)
    expect(await memory.get('config/1')).toEqual(body('ours'))
  })

  it('is tried again only where nobody deletes such objects, or they may come back', async () => {
    for (const key of ['config/1', 'runs/1', 'reports/1', 'notes/a/1', 'state/x/y/1', 'index/1', 'tenant/config/1']) {
      const { target } = setUp(every('put', 'error', 1))
      expect(await create(target, key), key).toBe(true)
    }
    for (const key of ['snapshots/1', 'tenant/snapshots/1', 'gc/1', 'gc/1.done', 'keys/1', 'myconfig/1', 'other']) {
      const { target, calls, notices } = setUp(every('put', 'error', 1))
      await expect(create(target, key), key).rejects.toMatchObject({
        code: 'TARGET_UNREACHABLE',
        details: { operation: 'put' },
      })
      expect(calls.count('put')).toBe(0)
      expect(notices).toEqual([])
    }
    const { target: overwriting } = setUp(every('put', 'error', 1))
    expect(await overwriting.put('snapshots/1', body('tombstone')), 'an overwrite may be repeated').toBe(true)
  })

  it('is tried again for any key where it certainly did not happen', async () => {
    const status = (code: number) => ({ details: { status: code } })
    const cases: [string, Partial<PlannedFault>, boolean][] = [
      ['snapshots/1', { error: { details: { operation: 'stat' } } }, true],
      ['keys/1', { fault: 'slow-down' }, true],
      ['gc/1', { error: status(400) }, true],
      ['keys/1', { error: status(500) }, false],
      ['snapshots/1', { fault: 'slow-down' }, false],
      ['tenant/snapshots/1', { error: status(400) }, false],
    ]
    for (const [key, over, isRepeated] of cases) {
      const { target } = setUp([{ operation: 'put', fault: 'error', nth: 1, ...over }])
      const outcome = await create(target, key).catch(() => 'failed')
      expect(outcome, `${key} ${JSON.stringify(over)}`).toBe(isRepeated ? true : 'failed')
    }
  })

  it('does not bring back a gc/<n> that was created, and that a quick prune has ended', async () => {
    const memory = memoryTarget()
    let puts = 0
    const quick = wrapTarget(memory, {
      async put(...[key, bytes, options]: Parameters<Target['put']>) {
        puts++
        await memory.put(key, bytes, options)
        await memory.put(`${key}.done`, body('done'))
        await memory.delete([key])
        throw new BackupError('TARGET_UNREACHABLE', 'the reply was lost', { origin: 'target', retryable: true })
      },
    })
    const clock = { monotonicMs: () => 0, sleep: async () => {} }
    await expect(create(retrying(quick, { clock }), 'gc/1')).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
    expect(puts).toBe(1)
    expect([...memory.objects.keys()]).toEqual(['gc/1.done'])
  })

  it('is true for both of two writers with equal bytes, so contents must be unique', async () => {
    const { target: first, memory } = setUp(every('put', 'lost-reply', 1))
    expect(await create(first, 'config/1')).toBe(true)
    const second = retrying(faultyTarget(memory, every('put', 'error', 1)))
    expect(await create(second, 'config/1')).toBe(true)
    expect(await create(retrying(faultyTarget(memory, every('put', 'error', 1))), 'config/1', 'theirs')).toBe(false)
  })

  it('is found out also on the last attempt', async () => {
    const { target } = setUp(every('put', 'lost-reply', 1), { attempts: 1 })
    expect(await create(target, 'config/1')).toBe(true)
  })

  it('is true if an earlier attempt arrives before the next one', async () => {
    const memory = memoryTarget()
    let attempt = 0
    const late = wrapTarget(memory, {
      async put(...[key, bytes, options]: Parameters<Target['put']>) {
        if (++attempt === 1)
          throw new BackupError('TARGET_UNREACHABLE', 'cut off', { origin: 'target', retryable: true })
        await memory.put(key, bytes)
        return await memory.put(key, bytes, options)
      },
    })
    const clock = { monotonicMs: () => 0, sleep: async () => {} }
    expect(await create(retrying(late, { clock }), 'config/1')).toBe(true)
  })

  it('stays unknown if it cannot be found out: the error of the put is thrown', async () => {
    const { target, calls, faulty } = setUp([...every('put', 'lost-reply', 1), ...every('get', 'error', 2)], {
      attempts: 2,
    })
    await expect(create(target, 'config/1')).rejects.toMatchObject({ details: { operation: 'put' } })
    faulty.assertAllHit()
    expect(calls.count('put')).toBe(1)
  })

  it('takes the time it takes to read the key', async () => {
    const { target, faulty } = setUp([...every('put', 'lost-reply', 1), ...every('get', 'error', 3)])
    expect(await create(target, 'config/1')).toBe(true)
    faulty.assertAllHit()
  })
})
