import { describe, expect, it } from 'vitest'
import { sha256Hex } from '../../src/crypto/hash.ts'
import { BackupError } from '../../src/errors.ts'
import { tombstoneRecord } from '../../src/model/tombstone.ts'
import { commitSnapshot } from '../../src/repository/commit.ts'
import { startRun } from '../../src/repository/runs.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { type Target, wrapTarget } from '../../src/targets/target.ts'
import { retrying } from '../../src/targets/wrappers/retrying.ts'
import { crashAfter } from '../../src/testing/crash-after.ts'
import { fakeClock } from '../util/fake-clock.ts'
import { codeOf, freshRepository, NOW, openIn, putSnapshot, snapshotOf } from './fixtures.ts'

const KEY = 'snapshots/run-1'
const unreachable = (retryable = true) => new BackupError('TARGET_UNREACHABLE', 'gone', { origin: 'target', retryable })

/** A run that is about to commit, through a target that does `put` in its own way from then on. */
async function ready(put?: (inner: Target) => Target['put'], wrap: (target: Target) => Target = (target) => target) {
  const made = await freshRepository()
  let armed = false
  const odd = wrapTarget(made.target, {
    put: (key, body, options) =>
      armed && put !== undefined ? put(made.target)(key, body, options) : made.target.put(key, body, options),
  })
  const place = await openIn(wrap(odd))
  const clock = fakeClock()
  const run = await startRun(place, { runId: 'run-1', verb: 'backup', host: 'here', clock })
  armed = true
  const commit = (signal?: AbortSignal) =>
    commitSnapshot({ records: place.records, run, snapshot: snapshotOf('run-1'), clock, signal })
  return { ...made, run, clock, commit }
}

const kindAt = async ({ snapshots }: Awaited<ReturnType<typeof ready>>) => {
  const { snapshots: found, tombstones } = await snapshots.list()
  return found.length > 0 ? 'snapshot' : (tombstones.get('run-1')?.reason ?? 'nothing')
}

describe('a commit', () => {
  it('creates the snapshot and ends the run', async () => {
    const made = await ready()
    const info = await made.commit()
    expect(info.checksum).toBe(sha256Hex(made.objects.get(KEY)!))
    expect((await made.snapshots.list()).snapshots).toEqual([info])
    expect(made.objects.has('runs/run-1')).toBe(false)
    expect(made.clock.sleeping).toBe(0)
  })

  it('succeeds when only the reply was lost', async () => {
    const made = await ready((inner) => async (key, body, options) => {
      await inner.put(key, body, options)
      throw unreachable()
    })
    expect(await codeOf(made.commit())).toBe('resolved')
    expect(await kindAt(made)).toBe('snapshot')
    expect(made.objects.has('runs/run-1')).toBe(false)
  })

  it('succeeds through the retrying wrapper, whatever was lost', async () => {
    let failed = false
    const lossy =
      (inner: Target): Target['put'] =>
      async (key, body, options) => {
        const created = await inner.put(key, body, options)
        if (failed || key !== KEY) return created
        failed = true
        throw unreachable()
      }
    const made = await ready(lossy, (target) => retrying(target))
    expect(await codeOf(made.commit())).toBe('resolved')
    expect(await kindAt(made)).toBe('snapshot')
  })

  it('is made impossible for good when it failed, even if it arrives late', async () => {
    let late = async (): Promise<boolean> => false
    let asked = 0
    const made = await ready((inner) => async (key, body, options) => {
      if (asked++ > 0) return inner.put(key, body, options)
      late = () => inner.put(key, body, { ifAbsent: true })
      throw unreachable()
    })
    await expect(made.commit()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE', retryable: true })
    expect(await made.run.finish()).toBe(true)
    expect(await late()).toBe(false)
    expect(await kindAt(made)).toBe('abandoned')
  })

  it('knows its own tombstone when the reply to that is lost too', async () => {
    const made = await ready((inner) => async (key, body, options) => {
      if (body.length < 500) await inner.put(key, body, options)
      throw unreachable()
    })
    expect(await codeOf(made.commit())).toBe('TARGET_UNREACHABLE')
    expect(await kindAt(made)).toBe('abandoned')
  })

  it('keeps its run when it cannot be known whether it happened', async () => {
    const made = await freshRepository()
    const clock = fakeClock()
    const dying = crashAfter(made.target, 2, { lostReply: true })
    const place = await openIn(dying)
    const run = await startRun(place, { runId: 'run-1', verb: 'backup', host: 'here', clock })
    const commit = commitSnapshot({ records: place.records, run, snapshot: snapshotOf('run-1'), clock })
    await expect(commit).rejects.toMatchObject({ retryable: true, details: { committed: 'unknown' } })
    expect(await run.finish()).toBe(false)
    expect(made.objects.has('runs/run-1')).toBe(true)
    expect(made.objects.has(KEY)).toBe(true)
  })

  it('is refused to a run that a prune has given up', async () => {
    const made = await ready()
    const stone = tombstoneRecord.encode({ id: 'run-1', at: NOW, reason: 'fenced', by: 'prune-1' })
    await made.records.put('snapshots', KEY, stone, { ifAbsent: true })
    expect(await codeOf(made.commit())).toBe('RUN_FENCED')
    expect(await kindAt(made)).toBe('fenced')
  })

  it('never replaces the snapshot of another run', async () => {
    const made = await ready()
    await putSnapshot(made, snapshotOf('run-1', { host: 'elsewhere' }))
    const before = sha256Hex(made.objects.get(KEY)!)
    expect(await codeOf(made.commit())).toBe('RUN_EXISTS')
    expect(sha256Hex(made.objects.get(KEY)!)).toBe(before)
  })

  it('tries again after the target said to slow down, a few times', async () => {
    let busy = 3
    const throttled = new BackupError('TARGET_THROTTLED', 'slow down', { origin: 'target', retryable: true })
    const made = await ready((inner) => async (key, body, options) => {
      if (busy-- > 0) throw throttled
      return inner.put(key, body, options)
    })
    const done = codeOf(made.commit())
    await made.clock.advance(10_000)
    expect(await done).toBe('resolved')
    busy = Number.POSITIVE_INFINITY
    const never = await ready(() => async () => {
      throw throttled
    })
    const failed = codeOf(never.commit())
    await never.clock.advance(60_000)
    expect(await failed).toBe('TARGET_THROTTLED')
  })

  it('passes on a plain refusal and leaves nothing in its place', async () => {
    const made = await ready(() => async () => {
      throw new BackupError('TARGET_FULL', 'full', { origin: 'target' })
    })
    expect(await codeOf(made.commit())).toBe('TARGET_FULL')
    expect(await kindAt(made)).toBe('nothing')
    expect(await made.run.finish()).toBe(true)
  })

  it('does not begin after an abort, and says the truth when the abort comes in between', async () => {
    const early = await ready()
    expect(await codeOf(early.commit(AbortSignal.abort()))).toBe('ABORTED')
    expect(await kindAt(early)).toBe('nothing')
    for (const arrives of [true, false]) {
      const controller = new AbortController()
      const made = await ready((inner) => async (key, body, options) => {
        if (controller.signal.aborted) return inner.put(key, body, options)
        if (arrives) await inner.put(key, body, { ifAbsent: true })
        controller.abort()
        throw new BackupError('ABORTED', 'aborted', { origin: 'usage' })
      })
      expect(await codeOf(made.commit(controller.signal))).toBe(arrives ? 'resolved' : 'ABORTED')
      expect(await kindAt(made)).toBe(arrives ? 'snapshot' : 'abandoned')
    }
  })

  it('stands at one moment: a crash after any change leaves the old or the new state, and the next run is fine', async () => {
    for (let n = 0; n <= 3; n++) {
      const target = memoryTarget()
      const whole = await openIn(target)
      const dying = crashAfter(target, n)
      const clock = fakeClock()
      const attempt = async () => {
        const place = await openIn(dying)
        const run = await startRun(place, { runId: 'run-1', verb: 'backup', host: 'here', clock })
        await commitSnapshot({ records: place.records, run, snapshot: snapshotOf('run-1'), clock })
      }
      const code = await codeOf(attempt())
      const { snapshots } = await whole.snapshots.list()
      expect(snapshots).toHaveLength(n >= 2 ? 1 : 0)
      expect(code, `${n}`).toBe(n >= 2 ? 'resolved' : 'TARGET_UNREACHABLE')
      const run = await startRun(whole, { runId: 'run-2', verb: 'backup', host: 'here', clock: fakeClock() })
      const commit = commitSnapshot({ records: whole.records, run, snapshot: snapshotOf('run-2'), clock })
      expect(await codeOf(commit)).toBe('resolved')
    }
  })
})

describe('a commit where the target cannot create once', () => {
  /** Looks before it puts, as such targets do. */
  const looking = (inner: Target): Target =>
    wrapTarget(inner, {
      traits: { ...inner.traits, createOnly: false },
      put: async (key, body, { ifAbsent = false, ...options } = {}) =>
        ifAbsent && (await inner.stat(key)) !== undefined ? false : inner.put(key, body, options),
    })

  it('is made while every beat was seen in time', async () => {
    const made = await ready(undefined, looking)
    await made.clock.advance(3_600_000)
    expect(await codeOf(made.commit())).toBe('resolved')
    expect(await kindAt(made)).toBe('snapshot')
  })

  it('is not overwritten by a tombstone that is still on its way: after a silence there is none', async () => {
    let asleep = true
    const silent =
      (inner: Target): Target['put'] =>
      async (key, body, options) => {
        if (asleep && key.startsWith('runs/')) throw unreachable()
        return inner.put(key, body, options)
      }
    const made = await ready(silent, looking)
    // The prune has looked, found nothing, and its put hangs.
    const stone = made.records.seal(
      'snapshots',
      KEY,
      tombstoneRecord.encode({ id: 'run-1', at: NOW, reason: 'fenced' }),
    )
    await made.clock.advance(170_000)
    asleep = false
    await made.clock.advance(60_000)
    const code = await codeOf(made.commit())
    const before = await kindAt(made)
    await made.target.put(KEY, stone)
    expect({ code, before, after: await kindAt(made) }).toEqual({
      code: 'RUN_FENCED',
      before: 'nothing',
      after: 'fenced',
    })
  })
})
