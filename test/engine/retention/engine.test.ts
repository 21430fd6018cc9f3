/** Policies, holds and plans by the engine, on a memory target. */
import { describe, expect, it } from 'vitest'
import type { BackupEngine, EngineOptions, ForgetPlan, Retention, Snapshot, Target } from '../../../src/index.ts'
import { memoryTarget, wrapTarget } from '../../../src/index.ts'
import { fakeClock, memorySource, testEngine } from '../../../src/testing/index.ts'
import { codeOf } from '../../faults/support.ts'
import { DAY } from './lists.ts'

interface World {
  engine: BackupEngine
  clock: ReturnType<typeof fakeClock>
  target: ReturnType<typeof memoryTarget>
  snapshots: Snapshot[]
}

const sources = () => [memorySource({ name: 'uploads', files: { a: 'content' } })]

/** One snapshot a day. */
async function world(days: number, options: Partial<EngineOptions> = {}): Promise<World> {
  const clock = fakeClock()
  const target = memoryTarget()
  const engine = await testEngine({ target, clock, sources: sources(), ...options })
  const snapshots: Snapshot[] = []
  for (let n = 0; n < days; n++) {
    snapshots.push((await engine.backup({ tags: n % 2 === 0 ? ['even'] : [] })).snapshot)
    await clock.advance(DAY)
  }
  return { engine, clock, target, snapshots }
}

const keeps = ({ decisions }: ForgetPlan): boolean[] => decisions.map(({ keep }) => keep)
const carryOut = (engine: BackupEngine, plan: ForgetPlan) => engine.forget(plan, { confirm: plan.digest })

describe('planForget by policy', () => {
  it('says why for each snapshot, changes nothing, and forget does that', async () => {
    const { engine, target, snapshots } = await world(4)
    const keys = [...target.objects.keys()]
    const plan = await engine.planForget({ retention: { keepDaily: 2, keepLast: 1 } })
    expect([...target.objects.keys()]).toEqual(keys)
    expect(plan).toMatchObject({ destructive: true, retention: { keepDaily: 2, keepLast: 1 }, warnings: [] })
    expect(plan.decisions.map(({ reasons }) => reasons)).toEqual([
      ['last 1', 'daily 2026-01-05'],
      ['daily 2026-01-04'],
      ['no rule wants it'],
      ['no rule wants it'],
    ])
    expect(plan.decisions[0]!.group).toBe('host test, sources uploads')
    const copy = JSON.parse(JSON.stringify(plan)) as ForgetPlan
    expect(copy).toEqual(plan)
    const { forgotten, kept } = await carryOut(engine, copy)
    expect({ forgotten: forgotten.sort(), kept }).toEqual({ forgotten: [snapshots[0]!.id, snapshots[1]!.id], kept: 2 })
    const again = await engine.planForget({ retention: { keepDaily: 2, keepLast: 1 } })
    expect({ keeps: keeps(again), destructive: again.destructive }).toEqual({ keeps: [true, true], destructive: false })
    // To the end of what was begun before.
    expect((await carryOut(engine, plan)).forgotten).toEqual([])
    await engine.close()
  })

  it('takes the policy of the engine, and a filter', async () => {
    const { engine } = await world(4, { retention: { keepLast: 1 } })
    expect(keeps(await engine.planForget())).toEqual([true, false, false, false])
    const plan = await engine.planForget({ filter: { tags: ['even'] }, retention: { keepLast: 1, groupBy: ['tags'] } })
    expect(plan.decisions.map(({ reasons }) => reasons[0])).toEqual([
      'does not fit the filter',
      'last 1',
      'does not fit the filter',
      'no rule wants it',
    ])
    await engine.close()
  })

  it('reports snapshots dated in the future, and lets them take no slot', async () => {
    const { engine, target, snapshots } = await world(2)
    await engine.close()
    const before = fakeClock(new Date('2026-01-02T12:00:00Z'))
    const behind = await testEngine({ target, clock: before, sources: sources() })
    const plan = await behind.planForget({ retention: { keepLast: 1 } })
    expect(plan.decisions.map(({ reasons }) => reasons)).toEqual([['dated in the future'], ['last 1']])
    expect(plan.warnings).toMatchObject([{ code: 'SNAPSHOT_FROM_FUTURE', details: { snapshots: [snapshots[1]!.id] } }])
    await behind.close()
  })

  it('keeps the last of a group and the newest proved one, or says that it will not', async () => {
    const { engine, clock } = await world(3)
    await engine.verify({ snapshots: ['latest'], level: 'data' })
    await clock.advance(90 * DAY)
    await engine.backup()
    const retention: Retention = { keepLast: 1, maxAge: '30d' }
    const plan = await engine.planForget({ retention })
    expect(keeps(plan)).toEqual([true, true, false, false])
    expect(plan.warnings).toMatchObject([{ code: 'LAST_VERIFIED', details: { kept: true } }])
    const told = await engine.planForget({ retention: { ...retention, allowDropVerified: true } })
    expect(keeps(told)).toEqual([true, false, false, false])
    expect(told.warnings).toMatchObject([{ code: 'LAST_VERIFIED', details: { kept: false } }])
    await clock.advance(90 * DAY)
    const late = await engine.planForget({ retention: { ...retention, allowDropVerified: true } })
    expect(keeps(late)).toEqual([true, false, false, false])
    expect(late.warnings.map(({ code }) => code)).toEqual(['LAST_VERIFIED', 'GROUP_EMPTY'])
    await engine.close()
  })

  it('says what will be there in 90 days', async () => {
    const { engine } = await world(5)
    const retention = { keepDaily: 3, keepMonthly: 12 }
    const plan = await engine.planForget({ retention, simulate: { inDays: 90, every: '1d' } })
    expect(plan.simulation!.at).toBe('2026-04-07T03:04:05.000Z')
    expect(plan.simulation!.kept.map(({ createdAt, reasons }) => `${createdAt.slice(0, 10)} ${reasons}`)).toEqual([
      '2026-04-07 daily 2026-04-07,monthly 2026-04',
      '2026-04-06 daily 2026-04-06',
      '2026-04-05 daily 2026-04-05',
      '2026-03-31 monthly 2026-03',
      '2026-02-28 monthly 2026-02',
      '2026-01-31 monthly 2026-01',
    ])
    expect(keeps(plan)).toEqual([true, true, true, false, false])
    const idle = await engine.planForget({
      retention: { keepWithin: '10d' },
      simulate: { until: new Date('2027-01-01') },
    })
    expect(idle.simulation!.kept).toHaveLength(5)
    expect(await codeOf(engine.planForget({ retention, simulate: { until: new Date('2020-01-01') } }))).toBe(
      'INVALID_OPTIONS',
    )
    expect(await codeOf(engine.planForget({ retention, simulate: { inDays: 9000, every: '1m' } }))).toBe(
      'INVALID_OPTIONS',
    )
    await engine.close()
  })
})

describe('options', () => {
  it.each<[string, unknown]>([
    ['nothing at all', undefined],
    ['no policy', {}],
    ['an empty policy', { retention: {} }],
    ['no keep rule', { retention: { maxAge: '30d', maxCount: 3 } }],
    ['a rule that keeps nothing', { retention: { keepDaily: 0 } }],
    ['a fraction', { retention: { keepDaily: 1.5 } }],
    ['no number', { retention: { keepDaily: Number.NaN } }],
    ['an undefined rule', { retention: { keepDaily: undefined } }],
    ['an unknown rule', { retention: { keepMinutely: 3 } }],
    ['an unknown unit', { retention: { keepWithin: '3q' } }],
    ['a fraction of a unit', { retention: { keepWithin: '1.5d' } }],
    ['a negative duration', { retention: { keepWithin: -1 } }],
    ['more than a hundred years', { retention: { keepLast: 1, maxAge: '101y' } }],
    ['an unknown time zone', { retention: { keepLast: 1, timeZone: 'Mars/Olympus' } }],
    ['a group twice', { retention: { keepLast: 1, groupBy: ['host', 'host'] } }],
    ['snapshots and a policy', { snapshots: ['latest'], retention: { keepLast: 1 } }],
    ['snapshots and a filter', { snapshots: ['latest'], filter: {} }],
    ['no end of a simulation', { retention: { keepLast: 1 }, simulate: { every: '1d' } }],
    ['two ends of a simulation', { retention: { keepLast: 1 }, simulate: { inDays: 3, until: new Date() } }],
  ])('refuses %s', async (_, options) => {
    await using engine = await testEngine()
    expect(await codeOf(engine.planForget(options as object))).toBe('INVALID_OPTIONS')
  })

  it('refuses a bad policy when the engine is opened', async () => {
    expect(await codeOf(testEngine({ retention: { maxCount: 3 } }))).toBe('INVALID_OPTIONS')
  })
})

describe('holds', () => {
  it('keep, whoever asks, until they expire or are removed', async () => {
    const { engine, clock, snapshots } = await world(3)
    const [old] = snapshots
    const expires = new Date(clock.now().getTime() + 10 * DAY)
    const held = await engine.annotate(old!.id, { addHold: { reason: 'audit', expires }, actor: 'anna' })
    expect(held.holds).toEqual([{ reason: 'audit', author: 'anna', expires }])
    expect((await engine.snapshot(old!.id)).holds).toEqual(held.holds)
    const plan = await engine.planForget({ retention: { keepLast: 1 } })
    expect(keeps(plan)).toEqual([true, false, true])
    expect(plan.decisions[2]!.reasons).toEqual([`hold: audit (by anna, until ${expires.toISOString()})`])
    await expect(engine.planForget({ snapshots: [old!.id] })).rejects.toMatchObject({
      code: 'HELD',
      details: { snapshot: old!.id },
    })
    await clock.advance(11 * DAY)
    expect(keeps(await engine.planForget({ retention: { keepLast: 1 } }))).toEqual([true, false, false])
    await engine.annotate(old!.id, { addHold: { reason: 'tax' } })
    expect((await engine.annotate(old!.id, { removeHold: 'tax' })).holds).toEqual([])
    await engine.close()
  })

  it('that come after the plan make it stale, as all do that change what it rests on', async () => {
    const { engine, snapshots } = await world(3)
    const retention: Retention = { keepLast: 1 }
    const held = await engine.planForget({ retention })
    await engine.annotate(snapshots[0]!.id, { addHold: { reason: 'wait' } })
    await expect(carryOut(engine, held)).rejects.toMatchObject({ code: 'PLAN_STALE', message: /got a hold: wait/ })
    const tagged = await engine.planForget({ retention })
    await engine.annotate(snapshots[2]!.id, { addTags: ['new'] })
    expect(await codeOf(carryOut(engine, tagged))).toBe('PLAN_STALE')
    const renamed = await engine.planForget({ retention })
    await engine.annotate(snapshots[1]!.id, { name: 'a name decides nothing' })
    await engine.backup()
    expect((await carryOut(engine, renamed)).forgotten).toEqual([snapshots[1]!.id])
    expect((await engine.snapshots().toArray()).length).toBe(3)
    await engine.close()
  })

  it('that come while others are being forgotten are seen right before', async () => {
    const objects = memoryTarget()
    let meanwhile: (() => Promise<unknown>) | undefined
    const put: Target['put'] = async (key, body, options) => {
      const act = key.startsWith('trash/') ? meanwhile : undefined
      if (act) meanwhile = undefined
      await act?.()
      return objects.put(key, body, options)
    }
    const { engine, snapshots } = await world(4, { target: wrapTarget(objects, { put }) })
    const plan = await engine.planForget({ retention: { keepLast: 1 } })
    meanwhile = () => engine.annotate(snapshots[0]!.id, { addHold: { reason: 'late' } })
    const { forgotten, kept, warnings } = await carryOut(engine, plan)
    expect(forgotten).toEqual([snapshots[2]!.id, snapshots[1]!.id])
    expect({ kept, codes: warnings.map(({ code }) => code) }).toEqual({ kept: 2, codes: ['SNAPSHOT_HELD'] })
    expect((await engine.snapshot(snapshots[0]!.id)).holds).toEqual([{ reason: 'late' }])
    await engine.close()
  })

  it('may hide in notes that cannot be read', async () => {
    const { engine, target, snapshots } = await world(3)
    await engine.annotate(snapshots[0]!.id, { addHold: { reason: 'audit' } })
    await engine.close()
    const key = [...target.objects.keys()].find((name) => name.startsWith(`notes/${snapshots[0]!.id}/`))!
    await target.put(
      key,
      target.objects.get(key)!.map((byte, at) => (at === 90 ? byte ^ 1 : byte)),
    )
    await using other = await testEngine({ target, clock: fakeClock(new Date('2026-02-01')), sources: sources() })
    const plan = await other.planForget({ retention: { keepLast: 1 } })
    expect(plan.decisions[2]).toMatchObject({ keep: true, reasons: ['its notes cannot be read, it may be held'] })
    expect(plan.warnings).toMatchObject([{ code: 'SNAPSHOT_UNREADABLE', details: { snapshots: [snapshots[0]!.id] } }])
    expect(await codeOf(other.planForget({ snapshots: [snapshots[0]!.id] }))).toBe('HELD')
  })
})

describe('annotate', () => {
  it('changes name, description and tags, and gives them back', async () => {
    const { engine, snapshots } = await world(1)
    const id = snapshots[0]!.id
    const first = await engine.annotate(id, { name: 'before the move', description: 'x', addTags: ['b', 'c'] })
    expect(first).toMatchObject({ name: 'before the move', description: 'x', tags: ['even', 'b', 'c'] })
    const second = await engine.annotate('latest', { name: '', removeTags: ['even', 'b'], addTags: ['d'] })
    expect(second.name).toBeUndefined()
    expect(second).toMatchObject({ description: 'x', tags: ['c', 'd'], checksum: snapshots[0]!.checksum })
    expect(await engine.snapshot(id)).toEqual(second)
    const many = await Promise.all(['1', '2', '3', '4'].map((tag) => engine.annotate(id, { addTags: [tag] })))
    expect(many).toHaveLength(4)
    expect([...(await engine.snapshot(id)).tags].sort()).toEqual(['1', '2', '3', '4', 'c', 'd'])
    await engine.close()
  })

  it('refuses what makes no sense', async () => {
    const { engine, target } = await world(1)
    const keys = [...target.objects.keys()]
    const past = new Date('2020-01-01')
    for (const change of [
      {},
      { addTags: [] },
      { addTags: ['a'], removeTags: ['a'] },
      { addTags: Array.from({ length: 64 }, (_, n) => `t${n}`) },
      { addHold: { reason: '' } },
      { addHold: { reason: 'x', expires: past } },
      { addHold: { reason: 'x', until: past } },
      { removeHold: 'no such' },
      { nome: 'x' },
    ])
      expect(await codeOf(engine.annotate('latest', change as object)), JSON.stringify(change)).toBe('INVALID_OPTIONS')
    expect(await codeOf(engine.annotate('no-such-one', { name: 'x' }))).toBe('SNAPSHOT_NOT_FOUND')
    expect([...target.objects.keys()]).toEqual(keys)
    await engine.close()
  })
})

describe('forgetting by name', () => {
  it('warns of groups that end, and of proofs that are lost', async () => {
    const { engine, snapshots } = await world(2)
    await engine.verify({ snapshots: ['latest'], level: 'data' })
    const plan = await engine.planForget({ snapshots: snapshots.map(({ id }) => id) })
    expect(keeps(plan)).toEqual([false, false])
    expect(plan.warnings).toMatchObject([
      { code: 'LAST_VERIFIED', details: { kept: false } },
      { code: 'GROUP_EMPTY', details: { kept: false } },
    ])
    expect((await engine.planForget({ snapshots: [snapshots[0]!.id] })).warnings).toEqual([])
    await engine.close()
  })
})
