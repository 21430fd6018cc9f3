import { describe, expect, it } from 'vitest'
import { type GcCandidates, type GcDone, gcCandidatesRecord, gcDoneRecord } from '../../src/model/gc.ts'
import { runRecord } from '../../src/model/run.ts'
import { tombstoneRecord } from '../../src/model/tombstone.ts'
import { gcDoneKey, gcKey } from '../../src/repository/keys-layout.ts'
import type { Repository } from '../../src/repository/open.ts'
import { type StartRunOptions, startRun } from '../../src/repository/runs.ts'
import { readAbsentPacks } from '../../src/repository/runs-absent.ts'
import { wrapTarget } from '../../src/targets/target.ts'
import { faultyTarget, type PlannedFault } from '../../src/testing/faulty-target.ts'
import { fakeClock, settle } from '../util/fake-clock.ts'
import { codeOf, freshRepository, NOW, openIn, putSnapshot, snapshotOf } from './fixtures.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const C = 'c'.repeat(64)

const start = (place: Repository, options: Partial<StartRunOptions> = {}) =>
  startRun(place, { runId: 'run-1', verb: 'backup', host: 'here', clock: fakeClock(), ...options })

const beatOf = async ({ records }: Repository) => runRecord.decode(await records.get('control', 'runs/run-1')).beat

const putGc = ({ records }: Repository, n: number, packs: string[]) => {
  const record: GcCandidates = { n, run: 'prune-1', at: NOW, packs }
  return records.put('control', gcKey(n), gcCandidatesRecord.encode(record))
}
const putDone = ({ records }: Repository, n: number, dead: string[], outcome: GcDone['outcome'] = 'done') => {
  const record: GcDone = { n, run: 'prune-1', at: NOW, outcome, dead }
  return records.put('control', gcDoneKey(n), gcDoneRecord.encode(record))
}

/** The same repository, seen through another target. */
const through = async (repository: Repository, plan: PlannedFault[]) => {
  const faulty = faultyTarget(repository.target, plan)
  return openIn(faulty, { create: 'never' })
}

describe('a run', () => {
  it('is there before it looks at gc and snapshots, in this order, and is gone at its end', async () => {
    const made = await freshRepository()
    const seen: string[] = []
    const watched = wrapTarget(made.target, {
      put: (key, body, options) => {
        seen.push(`put ${key}`)
        return made.target.put(key, body, options)
      },
      list: (prefix, options) => {
        seen.push(`list ${prefix}`)
        return made.target.list(prefix, options)
      },
    })
    const run = await start({ ...made, ...(await openIn(watched)) })
    expect(seen.slice(-4)).toEqual(['put runs/run-1', 'list gc/', 'list config/', 'list snapshots/'])
    expect(made.objects.has('runs/run-1')).toBe(true)
    expect(await run.finish()).toBe(true)
    expect(made.objects.has('runs/run-1')).toBe(false)
  })

  it('gives the snapshots, newest first', async () => {
    const made = await freshRepository()
    await putSnapshot(made, snapshotOf('old', { createdAt: new Date(NOW.getTime() - 1000) }))
    await putSnapshot(made, snapshotOf('new'))
    const run = await start(made)
    expect((await run.found.all()).snapshots.map(({ id }) => id)).toEqual(['new', 'old'])
    await run.finish()
  })

  it('refuses an id that is active, has a snapshot, or was given up, and disturbs none of them', async () => {
    const made = await freshRepository()
    const run = await start(made)
    expect(await codeOf(start(made))).toBe('RUN_EXISTS')
    expect(made.objects.has('runs/run-1')).toBe(true)
    await run.finish()
    await putSnapshot(made, snapshotOf('run-1'))
    expect(await codeOf(start(made))).toBe('RUN_EXISTS')
    expect(made.objects.has('runs/run-1')).toBe(false)
    const stone = tombstoneRecord.encode({ id: 'run-2', at: NOW, reason: 'fenced' })
    await made.records.put('snapshots', 'snapshots/run-2', stone)
    expect(await codeOf(start(made, { runId: 'run-2' }))).toBe('RUN_FENCED')
    expect(made.objects.has('runs/run-2')).toBe(false)
  })

  it('leaves nothing when its start fails anywhere', async () => {
    const made = await freshRepository()
    await putGc(made, 1, [A])
    await putSnapshot(made, snapshotOf('old'))
    const faults: PlannedFault[] = [
      { operation: 'put', nth: 1, fault: 'lost-reply' },
      { operation: 'list', nth: 3, fault: 'error' },
      { operation: 'list', nth: 4, fault: 'error' },
      { operation: 'get', nth: 3, fault: 'error' },
    ]
    for (const fault of faults) {
      const place = await through(made, [fault])
      expect(await codeOf(start(place)), JSON.stringify(fault)).toBe('TARGET_UNREACHABLE')
      expect(made.objects.has('runs/run-1'), JSON.stringify(fault)).toBe(false)
    }
  })

  it('has a heart that beats every minute, tries again after a failure, and stops', async () => {
    const made = await freshRepository()
    const clock = fakeClock()
    const run = await start(await through(made, [{ operation: 'put', nth: 3, fault: 'error' }]), { clock })
    expect(await beatOf(made)).toBe(0)
    await clock.advance(60_000)
    expect(await beatOf(made)).toBe(1)
    await clock.advance(60_000)
    expect(run.heartbeat.failure).toMatchObject({ code: 'TARGET_UNREACHABLE' })
    await clock.advance(5_000)
    expect(run.heartbeat.failure).toBeUndefined()
    expect(await beatOf(made)).toBe(3)
    await run.finish()
    expect(clock.sleeping).toBe(0)
    await clock.advance(600_000)
    expect(made.objects.has('runs/run-1')).toBe(false)
  })

  it('waits for a beat that is under way, so that it does not come back', async () => {
    const made = await freshRepository()
    const clock = fakeClock()
    let release = (): void => {}
    const slow = wrapTarget(made.target, {
      put: async (key, body, options) => {
        if (made.objects.has('runs/run-1')) await new Promise<void>((resolve) => (release = resolve))
        return made.target.put(key, body, options)
      },
    })
    const run = await start(await openIn(slow), { clock })
    await clock.advance(60_000)
    const finished = run.finish()
    await settle()
    expect(made.objects.has('runs/run-1')).toBe(true)
    release()
    await finished
    expect(made.objects.has('runs/run-1')).toBe(false)
  })

  it('stops its heart on abort and can still be finished', async () => {
    const made = await freshRepository()
    const clock = fakeClock()
    const controller = new AbortController()
    const run = await start(made, { clock, signal: controller.signal })
    controller.abort()
    await settle()
    expect(clock.sleeping).toBe(0)
    expect(await run.finish()).toBe(true)
    expect(made.objects.has('runs/run-1')).toBe(false)
  })

  it('says when it could not take its object away', async () => {
    const made = await freshRepository()
    const run = await start(await through(made, [{ operation: 'delete', nth: 1, fault: 'error' }]))
    expect(await run.finish()).toBe(false)
  })
})

async function absentNames(records: Repository['records']): Promise<string[]> {
  const { dead, condemned } = await readAbsentPacks(records)
  return [...dead, ...condemned]
}

describe('absent packs', () => {
  it('are the candidates of open prunes and every dead pack', async () => {
    const made = await freshRepository()
    expect(await absentNames(made.records)).toEqual([])
    await putDone(made, 1, [], 'stub')
    await putDone(made, 2, [A])
    await putGc(made, 2, [A, C])
    expect(await absentNames(made.records)).toEqual([A])
    await putGc(made, 3, [B])
    expect((await absentNames(made.records)).sort()).toEqual([A, B])
    await putDone(made, 3, [A], 'void')
    expect(await absentNames(made.records)).toEqual([A])
    expect((await start(made)).absent).toEqual({ dead: new Set([A]), condemned: new Set() })
  })

  it('are listed again when a prune ends meanwhile', async () => {
    const made = await freshRepository()
    await putGc(made, 1, [A, B])
    let listed = 0
    const racing = wrapTarget(made.target, {
      list: async function* (prefix, options) {
        for await (const info of made.target.list(prefix, options)) yield info
        if (prefix === 'gc/' && listed++ === 0) {
          await putDone(made, 1, [A])
          await made.target.delete([gcKey(1)])
        }
      },
    })
    const { records } = await openIn(racing)
    expect(await absentNames(records)).toEqual([A])
    expect(listed).toBe(2)
  })

  it('are never guessed: damage, a replayed number and a lost list stop the run', async () => {
    const made = await freshRepository()
    await putDone(made, 1, [A])
    await made.target.put(gcDoneKey(2), new Uint8Array(made.objects.get(gcDoneKey(1))!))
    expect(await codeOf(start(made))).toBe('OBJECT_CORRUPT')
    await putDone(made, 2, [], 'stub')
    expect(await codeOf(start(made))).toBe('OBJECT_MISSING')
    const wrong = gcDoneRecord.encode({ n: 1, run: 'p', at: NOW, outcome: 'done', dead: [] })
    await made.records.put('control', gcDoneKey(2), wrong)
    expect(await codeOf(start(made))).toBe('OBJECT_CORRUPT')
    expect(made.objects.has('runs/run-1')).toBe(false)
  })
})
