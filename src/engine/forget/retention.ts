/** A retention policy applied to a list of snapshots: pure, and the same whatever the list's order. */

import { compareAge } from '../snapshots/filter.ts'
import type { Retention, RetentionGroup } from '../types/retention.ts'
import { Calendar } from './retention-calendar.ts'
import { groupNames } from './retention-groups.ts'
import { type Guarded, guard } from './retention-guards.ts'
import { type Candidate, isWhole, type Members, type Placed, type Wanted, wantedBy } from './retention-rules.ts'

export interface Judged {
  readonly snapshot: Candidate
  readonly keep: boolean
  readonly reasons: readonly string[]
  readonly group: string
}

export interface Judgement {
  /** Newest first. */
  readonly judged: readonly Judged[]
  /** Ids; kept, and counted nowhere. */
  readonly future: readonly string[]
  /** What only a guard kept, and what would have been guarded but for the policy. */
  readonly guarded: readonly Guarded[]
}

export interface JudgeOptions {
  readonly now: Date
  /** Ids of those that may be held, since their notes cannot be read. */
  readonly unreadable?: ReadonlySet<string>
}

/** Clocks of hosts differ by so much without being wrong. */
const CLOCK_SKEW_MS = 10 * 60_000
export const DEFAULT_GROUPS: readonly RetentionGroup[] = ['host', 'sources']

export function applyRetention(snapshots: readonly Candidate[], policy: Retention, options: JudgeOptions): Judgement {
  const calendar = new Calendar(policy.timeZone, policy.weekStart)
  const groups = Map.groupBy(snapshots, groupNames(policy.groupBy ?? DEFAULT_GROUPS))
  const all = [...groups].map(([group, members]) => judgeGroup(group, members, policy, calendar, options))
  return {
    judged: all.flatMap(({ judged }) => judged).sort((a, b) => compareAge(b.snapshot, a.snapshot)),
    future: all.flatMap(({ future }) => future),
    guarded: all.flatMap(({ guarded }) => guarded),
  }
}

function judgeGroup(
  group: string,
  snapshots: readonly Candidate[],
  policy: Retention,
  calendar: Calendar,
  options: JudgeOptions,
): Judgement {
  const latest = options.now.getTime() + CLOCK_SKEW_MS
  const isFuture = ({ createdAt }: Candidate): boolean => createdAt.getTime() > latest
  const present = snapshots.filter((snapshot) => !isFuture(snapshot)).sort((a, b) => compareAge(b, a))
  const wanted = wantedBy(policy, membersOf(present, calendar), calendar)
  const refused = limit(policy, present, wanted, calendar, options.now)
  const decided = present.map((snapshot) => decide(snapshot, group, wanted, refused, options))
  const { judged, guarded } = guard(decided, policy)
  const future = snapshots.filter(isFuture)
  const kept = future.map((snapshot) => ({ snapshot, keep: true, reasons: ['dated in the future'], group }))
  return { judged: [...kept, ...judged], future: future.map(({ id }) => id), guarded }
}

function membersOf(newestFirst: readonly Candidate[], calendar: Calendar): Members {
  const placed = newestFirst.map((snapshot): Placed => ({ snapshot, local: calendar.at(snapshot.createdAt) }))
  return {
    whole: placed.filter(({ snapshot }) => isWhole(snapshot)),
    partial: placed.filter(({ snapshot }) => !isWhole(snapshot)),
  }
}

/** Which of the wanted ones the limits refuse, and why. Both classes are counted apart, as by the rules. */
function limit(
  { maxAge, maxCount }: Retention,
  newestFirst: readonly Candidate[],
  wanted: Wanted,
  calendar: Calendar,
  now: Date,
): Map<string, string> {
  const refused = new Map<string, string>()
  const oldest = maxAge === undefined ? undefined : calendar.add(now, maxAge, -1)
  const counts = { whole: 0, partial: 0 }
  for (const snapshot of newestFirst) {
    if (!wanted.has(snapshot.id)) continue
    const count = ++counts[isWhole(snapshot) ? 'whole' : 'partial']
    if (oldest !== undefined && snapshot.createdAt < oldest) refused.set(snapshot.id, `older than maxAge (${maxAge})`)
    else if (maxCount !== undefined && (count > maxCount || isPast(snapshot, counts, maxCount)))
      refused.set(snapshot.id, `more than maxCount (${maxCount})`)
  }
  return refused
}

/** A partial one that is older than all whole ones that may stay. */
function isPast(snapshot: Candidate, { whole }: { whole: number }, maxCount: number): boolean {
  return !isWhole(snapshot) && whole >= maxCount
}

function decide(
  snapshot: Candidate,
  group: string,
  wanted: Wanted,
  refused: ReadonlyMap<string, string>,
  { now, unreadable }: JudgeOptions,
): Judged {
  const rules = wanted.get(snapshot.id) ?? []
  const limited = refused.get(snapshot.id)
  const held = holdsOf(snapshot, now)
  if (unreadable?.has(snapshot.id)) held.push('its notes cannot be read, it may be held')
  if (rules.length > 0 && limited === undefined) return { snapshot, keep: true, reasons: [...rules, ...held], group }
  const against = limited === undefined ? 'no rule wants it' : `${limited}, though ${rules.join('; ')}`
  if (held.length > 0) return { snapshot, keep: true, reasons: held, group }
  return { snapshot, keep: false, reasons: [against], group }
}

/** Those that hold now. */
export function holdsOf({ holds }: Pick<Candidate, 'holds'>, now: Date): string[] {
  return holds
    .filter(({ expires }) => expires === undefined || expires > now)
    .map(({ reason, author, expires }) => {
      const facts = [author && `by ${author}`, expires && `until ${expires.toISOString()}`].filter(Boolean)
      return `hold: ${reason}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`
    })
}
