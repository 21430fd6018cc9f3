import { describe, expect, it } from 'vitest'
import { BackupError } from '../../src/errors.ts'
import { passphrase } from '../../src/repository/key-slots-key.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../src/targets/target.ts'
import { crashAfter } from '../../src/testing/crash-after.ts'
import { faultyTarget } from '../../src/testing/faulty-target.ts'
import { codeOf, KEY, openIn } from './fixtures.ts'

const OTHER = passphrase('another')
const never = { create: 'never' } as const

function areas(target: { objects: ReadonlyMap<string, Uint8Array> }): string[] {
  return [...target.objects.keys()].map((key) => key.split('/')[0]!).sort()
}

describe('a creation that is interrupted', () => {
  for (const lostReply of [false, true]) {
    it(`can be begun again after any change (${lostReply ? 'with' : 'without'} a lost reply)`, async () => {
      const counted = crashAfter(memoryTarget(), Number.POSITIVE_INFINITY)
      await openIn(counted)
      expect(counted.mutations).toBe(2)
      for (let n = lostReply ? 1 : 0; n <= counted.mutations; n++) {
        const target = memoryTarget()
        await codeOf(openIn(crashAfter(target, n, { lostReply })))
        const key = n < 2 ? OTHER : KEY
        expect(await codeOf(openIn(target, { key, ...never }))).toBe(n < 2 ? 'REPOSITORY_NOT_FOUND' : 'resolved')
        await openIn(target, { key })
        expect(areas(target)).toEqual(['config', 'keys'])
        expect(await codeOf(openIn(target, { key, ...never }))).toBe('resolved')
      }
    })
  }

  it('succeeds when the reply to its commit is lost', async () => {
    const target = memoryTarget()
    const faulty = faultyTarget(target, [{ operation: 'put', nth: 2, fault: 'lost-reply' }])
    expect((await openIn(faulty)).created).toBe(true)
    faulty.assertAllHit()
    expect(await codeOf(openIn(target, never))).toBe('resolved')
  })

  it('keeps its slot when it cannot know whether it has committed, since the config may arrive late', async () => {
    const target = memoryTarget()
    let late: (() => Promise<boolean>) | undefined
    const slow = wrapTarget(target, {
      put: (key, body, options) => {
        if (!key.startsWith('config/')) return target.put(key, body, options)
        late = () => target.put(key, body, options)
        throw new BackupError('TARGET_UNREACHABLE', 'no reply', { origin: 'target', retryable: true })
      },
    })
    expect(await codeOf(openIn(slow))).toBe('TARGET_UNREACHABLE')
    await late?.()
    expect(await codeOf(openIn(target, never))).toBe('resolved')
  })

  it('leaves nothing when the target refuses', async () => {
    const target = memoryTarget()
    const full = wrapTarget(target, {
      put: (key, body, options) => {
        if (!key.startsWith('config/')) return target.put(key, body, options)
        throw new BackupError('TARGET_FULL', 'full', { origin: 'target' })
      },
    })
    expect(await codeOf(openIn(full))).toBe('TARGET_FULL')
    expect(areas(target)).toEqual([])
  })
})

describe('two creators at once', () => {
  it('make one repository, which both open if they have the same key', async () => {
    for (let round = 0; round < 3; round++) {
      const target = memoryTarget()
      const opened = await Promise.all(Array.from({ length: 6 }, () => openIn(target)))
      expect(new Set(opened.map(({ repositoryId }) => repositoryId)).size).toBe(1)
      expect(opened.filter(({ created }) => created)).toHaveLength(1)
      expect(areas(target)).toEqual(['config', 'keys'])
      expect(await codeOf(openIn(target, never))).toBe('resolved')
    }
  })

  it('tell the one with another key so, and take its slot away', async () => {
    const target = memoryTarget()
    const codes = await Promise.all([codeOf(openIn(target)), codeOf(openIn(target, { key: OTHER }))])
    expect([...codes].sort()).toEqual(['KEY_WRONG', 'resolved'])
    expect(areas(target)).toEqual(['config', 'keys'])
  })

  it('never disturb each other, wherever the second comes in', async () => {
    for (let at = 1; at <= 2; at++) {
      const target = memoryTarget()
      const first = await openIn(interruptedBy(target, at, () => openIn(target)))
      const codes = await codeOf(openIn(target, never))
      expect(codes).toBe('resolved')
      expect(areas(target)).toEqual(['config', 'keys'])
      expect(first.created).toBe(false)
    }
  })

  it('agree even where the target cannot create once, if one is done before the other looks', async () => {
    const target = wrapTarget(memoryTarget(), { traits: { createOnly: false, maxConcurrency: 4 } })
    const first = await openIn(target)
    const second = await openIn(target)
    expect(second.repositoryId).toBe(first.repositoryId)
  })
})

/** Runs something else to its end just before the n-th put. */
function interruptedBy(inner: Target, n: number, other: () => Promise<unknown>): Target {
  let puts = 0
  return wrapTarget(inner, {
    put: async (key, body, options) => {
      if (++puts === n) await other()
      return inner.put(key, body, options)
    },
  })
}
