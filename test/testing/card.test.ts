/** What the suite for targets says of itself: what is skipped, and why; what was not tried; and a card to keep. */
import { describe, expect, it } from 'vitest'
import { BackupError } from '../../src/errors.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../src/targets/target.ts'
import { retrying } from '../../src/targets/wrappers/retrying.ts'
import { capabilityCard, type TargetConformanceOptions, targetConformance } from '../../src/testing/index.ts'
import { failuresOf } from '../conformance/failing-tests.ts'

const RACE = 'lets exactly one of 16 create'
const OUTAGE = 'reports a passing failure as retryable, after one request'

/** It checks before it creates, and says that this is all it can do. */
function withoutCreateOnly(): Target {
  const inner = memoryTarget()
  return wrapTarget(inner, {
    traits: { createOnly: false, maxConcurrency: 4, maxObjectBytes: 2 ** 21, remote: true },
    async put(key, body, call) {
      if (call?.ifAbsent && (await inner.stat(key, call))) return false
      await new Promise((resolve) => setImmediate(resolve))
      return await inner.put(key, body, { signal: call?.signal })
    },
  })
}

/** Runs one test of the suite, with what a runner hands to it. */
async function runOne(name: string, options: TargetConformanceOptions, context: unknown): Promise<void> {
  const tests = new Map<string, (context?: unknown) => Promise<void> | void>()
  targetConformance({ describe: (_, body) => body(), it: (test, body) => tests.set(test, body) }, options)
  expect(tests.get(name)).toHaveLength(0)
  await tests.get(name)!(context)
}

describe('a trait that the target does not have', () => {
  it('skips its test through the runner, and no other', async () => {
    const skipped: unknown[] = []
    const context = { skip: (reason: string) => skipped.push(reason) }
    await runOne(RACE, { create: withoutCreateOnly }, context)
    // As vitest's, which is a function.
    await runOne(
      RACE,
      { create: withoutCreateOnly },
      Object.assign(() => {}, context),
    )
    await runOne(RACE, { create: withoutCreateOnly }, undefined)
    await runOne('creates only where nothing is', { create: withoutCreateOnly }, context)
    await runOne(RACE, { create: () => memoryTarget() }, context)
    expect(skipped).toEqual(['`traits.createOnly` is false', '`traits.createOnly` is false'])
  })

  it('is on the card', async () => {
    const card = await capabilityCard({ create: withoutCreateOnly, profile: 'quick' })
    expect(card).toContain('one writing process at a time, 4 calls at once, objects of at most 2097152 bytes')
    expect(card).toContain(
      `| \`put\` with \`ifAbsent\` creates once | passed; **skipped**: ${RACE} (\`traits.createOnly\` is false); not tried`,
    )
    expect(card).toContain('passed; **skipped**: gives back 18874368 bytes (`traits.maxObjectBytes` is 2097152) |')
  })
})

describe('capabilityCard', () => {
  it('is the same every time, with a row for each promise', async () => {
    const make = () => capabilityCard({ create: () => memoryTarget(), profile: 'quick' })
    const card = await make()
    expect(card).toBe(await make())
    expect(card.split('\n').slice(0, 5)).toEqual([
      '**memory**: creates once between processes, 64 calls at once, no checksums, on this machine',
      '',
      '| Promise | Result |',
      '| --- | --- |',
      '| says what it is: name, traits, space | passed |',
    ])
    expect(card.match(/^\| .* \| passed \|$/gm)).toHaveLength(10)
    expect(card).toContain('passed; not tried: between processes, since the suite was given no `processes`')
    expect(card).toContain('not tried: the suite was given no `outage`')
    expect(card).not.toMatch(/20\d\d|failed|not run/)
  })

  it('says what failed, in one line', async () => {
    const create = () => wrapTarget(memoryTarget(), { stat: () => Promise.reject(new Error('no | such\nthing')) })
    const card = await capabilityCard({ create, profile: 'quick' })
    expect(card).toContain('**failed**: tells a missing object (no \\| such)')
    const never = await capabilityCard({ create: () => Promise.reject(new Error('no server')) })
    expect(never).toContain('could not be created')
  })
})

describe('an outage', () => {
  const store = (wrap: (target: Target) => Target, retryable = true) => {
    const memory = memoryTarget()
    let requests: number | undefined
    const answer = async (): Promise<void> => {
      if (requests === undefined) return
      requests++
      throw new BackupError('TARGET_UNREACHABLE', '503', { origin: 'target', retryable })
    }
    const raw = wrapTarget(memory, {
      put: (...call) => answer().then(() => memory.put(...call)),
      get: (...call) => answer().then(() => memory.get(...call)),
      stat: (...call) => answer().then(() => memory.stat(...call)),
      delete: (...call) => answer().then(() => memory.delete(...call)),
      async *list(...call) {
        await answer()
        yield* memory.list(...call)
      },
    })
    const outage = async () => {
      requests = 0
      return () => {
        const count = requests ?? 0
        requests = undefined
        return count
      }
    }
    return { create: () => wrap(raw), outage, profile: 'quick' as const }
  }
  const failuresIn = (options: TargetConformanceOptions) => failuresOf((runner) => targetConformance(runner, options))

  it('passes a target that reports it', async () => {
    expect(await failuresIn(store((target) => target))).toEqual([])
  })
  it('notices a target that tries again by itself', async () => {
    const clock = { monotonicMs: () => 0, sleep: async () => {} }
    const [failure, ...others] = await failuresIn(store((target) => retrying(target, { clock })))
    expect([failure?.test, others]).toEqual([OUTAGE, []])
    expect(failure?.message).toBe('put: 5 requests, so it tried again by itself')
  })
  it('notices a target that calls it permanent, or throws something else', async () => {
    const permanent = await failuresIn(store((target) => target, false))
    expect(permanent).toMatchObject([{ test: OUTAGE, message: /not retryable/ }].map(() => ({ test: OUTAGE })))
    expect(permanent[0]?.message).toContain('is not retryable')
    const bare = (target: Target) =>
      wrapTarget(target, {
        get: (key, call) =>
          target.get(key, call).catch((error: BackupError) => {
            throw error.code === 'TARGET_UNREACHABLE' ? new Error('fetch failed') : error
          }),
      })
    expect((await failuresIn(store(bare)))[0]?.message).toContain('get: expected a BackupError')
  })
})
