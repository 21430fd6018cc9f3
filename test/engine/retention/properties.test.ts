/** What holds of every policy and every list of snapshots. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyRetention } from '../../../src/engine/forget/retention.ts'
import { type Candidate, isWhole } from '../../../src/engine/forget/retention-rules.ts'
import { simulate } from '../../../src/engine/forget/retention-simulate.ts'
import type { Retention } from '../../../src/engine/types/index.ts'
import { DAY, HOUR, snapshot } from './lists.ts'

const NOW = new Date('2026-11-02T12:00:00Z')
/** Of each list some are young and many old, some at the same time, and some in the future. */
const age = fc.oneof(
  fc.integer({ min: -30, max: 100 }).map((half) => half * HOUR * 0.5),
  fc.integer({ min: 0, max: 60 }).map((days) => days * DAY),
  fc.integer({ min: 0, max: 40 }).map((months) => months * 30.4 * DAY),
)
const often = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 4 }, { arbitrary: fc.constantFrom(...others), weight: 1 })
const facts = fc.record({
  age,
  host: often('a', 'b'),
  complete: often(true, false),
  proof: often<string | undefined>(undefined, 'structure', 'data', 'bad'),
  hold: often<string | undefined>(undefined, 'for ever', 'over'),
})

const list = fc.array(facts, { maxLength: 40 }).map((all): Candidate[] =>
  all.map(({ age: ms, host, complete, proof, hold }, n) =>
    snapshot(NOW.getTime() - ms, {
      id: `s${String((n * 7919) % 1000).padStart(3, '0')}-${n}`,
      host,
      complete,
      holds: hold === undefined ? [] : [{ reason: hold, ...(hold === 'over' && { expires: new Date('2026-01-01') }) }],
      ...(proof !== undefined && {
        lastVerified: { level: proof === 'structure' ? 'structure' : 'data', sound: proof !== 'bad' },
      }),
    }),
  ),
)

const count = fc.integer({ min: 1, max: 8 })
const duration = fc.constantFrom('90m', '12h', '1d', '9d', '3w', '1mo', '1y', 5 * HOUR) as fc.Arbitrary<
  NonNullable<Retention['maxAge']>
>
const optional = {
  keepHourly: count,
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  keepQuarterly: count,
  keepYearly: count,
  keepLast: count,
  keepWithin: duration,
}
const keeps = fc.record(optional, { requiredKeys: [] }).filter((policy) => Object.keys(policy).length > 0)
const where = fc.record(
  {
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Pacific/Apia'),
    weekStart: fc.constantFrom('monday', 'sunday'),
    groupBy: fc.constantFrom([], ['host']),
    allowEmptyGroup: fc.boolean(),
    allowDropVerified: fc.boolean(),
  },
  { requiredKeys: [] },
)
const limits = fc.record({ maxAge: duration, maxCount: count }, { requiredKeys: [] })
const policy = fc.tuple(keeps, where, limits).map((parts): Retention => Object.assign({}, ...parts))

function kept(snapshots: readonly Candidate[], retention: Retention, now = NOW): string[] {
  const { judged } = applyRetention(snapshots, retention, { now })
  return judged.flatMap(({ snapshot: { id }, keep }) => (keep ? [id] : []))
}
const only = (snapshots: readonly Candidate[], ids: readonly string[]): Candidate[] =>
  snapshots.filter(({ id }) => ids.includes(id))

const check = (property: fc.IProperty<unknown[]>): void => fc.assert(property, { numRuns: 400 })

describe('retention, properties', () => {
  it('decides about each snapshot once, with a reason', () => {
    check(
      fc.property(list, policy, (snapshots, retention) => {
        const { judged } = applyRetention(snapshots, retention, { now: NOW })
        expect(judged.map((each) => each.snapshot.id).sort()).toEqual(snapshots.map(({ id }) => id).sort())
        expect(judged.every(({ reasons }) => reasons.length > 0 && reasons.every(Boolean))).toBe(true)
      }) as fc.IProperty<unknown[]>,
    )
  })

  it('does not depend on the order', () => {
    check(
      fc.property(list, policy, fc.infiniteStream(fc.nat()), (snapshots, retention, keys) => {
        const shuffled = snapshots.map((each) => ({ each, key: keys.next().value as number }))
        const other = shuffled.sort((a, b) => a.key - b.key).map(({ each }) => each)
        expect(applyRetention(other, retention, { now: NOW }).judged).toEqual(
          applyRetention(snapshots, retention, { now: NOW }).judged,
        )
      }) as fc.IProperty<unknown[]>,
    )
  })

  it('forgets nothing more when it is asked again, also after a part was forgotten', () => {
    check(
      fc.property(list, policy, fc.infiniteStream(fc.boolean()), (snapshots, retention, coin) => {
        const first = kept(snapshots, retention)
        expect(kept(only(snapshots, first), retention)).toEqual(first)
        const half = snapshots.filter(({ id }) => first.includes(id) || coin.next().value)
        expect(kept(half, retention)).toEqual(first)
      }) as fc.IProperty<unknown[]>,
    )
  })

  it('forgets no more with one more keep rule, or with a larger one', () => {
    const one = fc.record(optional, { requiredKeys: [] })
    check(
      fc.property(
        list,
        keeps,
        one,
        where,
        fc.option(duration, { nil: undefined }),
        (snapshots, few, more, rest, maxAge) => {
          const base = { ...rest, ...(maxAge !== undefined && { maxAge }) }
          const grown: Retention = { ...more, ...few, ...base }
          const before = kept(snapshots, { ...few, ...base })
          expect(before.filter((id) => !kept(snapshots, grown).includes(id))).toEqual([])
          const larger = Object.fromEntries(
            Object.entries(few).map(([name, value]) => [name, typeof value === 'number' ? value + 1 : value]),
          )
          const after = kept(snapshots, { ...larger, ...base })
          expect(before.filter((id) => !after.includes(id))).toEqual([])
        },
      ) as fc.IProperty<unknown[]>,
    )
  })

  it('never drops what is held or dated in the future, and a hold changes nothing else', () => {
    check(
      fc.property(list, policy, fc.nat(), (snapshots, retention, at) => {
        const before = kept(snapshots, retention)
        for (const each of snapshots) {
          const mustStay =
            each.holds.some(({ reason }) => reason === 'for ever') || each.createdAt.getTime() > NOW.getTime() + HOUR
          if (mustStay) expect(before).toContain(each.id)
        }
        const chosen = snapshots[at % Math.max(1, snapshots.length)]
        if (chosen === undefined) return
        const held = snapshots.map((each) => (each === chosen ? { ...each, holds: [{ reason: 'new' }] } : each))
        const after = kept(held, { ...retention, allowEmptyGroup: true, allowDropVerified: true })
        const unguarded = kept(snapshots, { ...retention, allowEmptyGroup: true, allowDropVerified: true })
        expect(after.filter((id) => id !== chosen.id)).toEqual(unguarded.filter((id) => id !== chosen.id))
        expect(after).toContain(chosen.id)
      }) as fc.IProperty<unknown[]>,
    )
  })

  it('keeps something of each group, and the newest that was proved sound', () => {
    check(
      fc.property(list, policy, (snapshots, retention) => {
        const strict = { ...retention, groupBy: ['host'] as const, allowEmptyGroup: false, allowDropVerified: false }
        const there = new Set(kept(snapshots, strict))
        const past = snapshots.filter(({ createdAt }) => createdAt.getTime() <= NOW.getTime() + 600_000)
        for (const members of Map.groupBy(past, ({ host }) => host).values()) {
          expect(members.some(({ id }) => there.has(id))).toBe(true)
          const proved = members.filter(({ lastVerified }) => lastVerified?.sound)
          if (proved.length > 0) expect(proved.some(({ id }) => there.has(id))).toBe(true)
        }
      }) as fc.IProperty<unknown[]>,
    )
  })

  it('lets incomplete and damaged ones push nothing out', () => {
    check(
      fc.property(list, policy, (snapshots, retention) => {
        const whole = snapshots.filter(isWhole)
        const free = { ...retention, allowEmptyGroup: true, allowDropVerified: true }
        const alone = kept(whole, free)
        const together = kept(snapshots, free)
        expect(alone.filter((id) => !together.includes(id))).toEqual([])
      }) as fc.IProperty<unknown[]>,
    )
  })

  it('simulates what forgetting after each backup would leave', async () => {
    await fc.assert(
      fc.asyncProperty(list, policy, fc.constantFrom('7h', '1d', '40h'), async (snapshots, retention, every) => {
        const simulation = { inDays: 9, every: every as '7h' }
        const { maxCount: _, ...rest } = retention
        const quick = await simulate(snapshots, rest, simulation, { now: NOW })
        // A limit that refuses nothing makes it forget on the way.
        const slow = await simulate(snapshots, { ...rest, maxCount: 100_000 }, simulation, { now: NOW })
        const names = ({ kept: there }: typeof quick): string[] => there.map((each) => each.snapshot.id)
        expect(names(slow)).toEqual(names(quick))
      }),
      { numRuns: 40 },
    )
  })
})
