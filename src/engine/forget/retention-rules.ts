/** The keep rules, one by one: which snapshots of a group each wants, and for which slot. */
import type { Retention } from '../types/retention.ts'
import type { Snapshot } from '../types/snapshot.ts'
import type { Calendar, LocalTime } from './retention-calendar.ts'

/** What retention asks of a snapshot. */
export type Candidate = Pick<Snapshot, 'id' | 'createdAt' | 'host' | 'tags' | 'complete' | 'kind' | 'holds'> & {
  readonly sources: readonly { readonly name: string }[]
  readonly schedule?: string
  readonly lastVerified?: Pick<NonNullable<Snapshot['lastVerified']>, 'level' | 'sound'>
}

/** A candidate with its place in the calendar. */
export interface Placed {
  readonly snapshot: Candidate
  readonly local: LocalTime
}

/** Newest first, in two classes: what can be relied on, and the rest. */
export interface Members {
  readonly whole: readonly Placed[]
  readonly partial: readonly Placed[]
}

/** By id: the rules that want it, as people read them. */
export type Wanted = Map<string, string[]>

/** Incomplete ones, and ones that were found damaged, must not push out a better one. */
export function isWhole({ complete, lastVerified }: Candidate): boolean {
  return complete && (lastVerified?.sound ?? true)
}

interface SlotRule {
  readonly option: keyof Retention
  readonly name: string
  slot(local: LocalTime): string
}

const SLOT_RULES: readonly SlotRule[] = [
  { option: 'keepHourly', name: 'hourly', slot: ({ hour }) => hour },
  { option: 'keepDaily', name: 'daily', slot: ({ date }) => date },
  { option: 'keepWeekly', name: 'weekly', slot: ({ week }) => week },
  { option: 'keepMonthly', name: 'monthly', slot: ({ date }) => date.slice(0, 7) },
  { option: 'keepQuarterly', name: 'quarterly', slot: ({ year, month }) => `${year}-Q${Math.ceil(month / 3)}` },
  { option: 'keepYearly', name: 'yearly', slot: ({ year }) => String(year) },
]

export function wantedBy(policy: Retention, members: Members, calendar: Calendar): Wanted {
  const wanted: Wanted = new Map()
  if (policy.keepLast !== undefined) wantLast(policy.keepLast, members, wanted)
  for (const rule of SLOT_RULES) {
    const count = policy[rule.option] as number | undefined
    if (count !== undefined) wantSlots(rule, count, members, wanted)
  }
  if (policy.keepWithin !== undefined) wantWithin(policy.keepWithin, members, calendar, wanted)
  return wanted
}

function wantLast(count: number, { whole, partial }: Members, wanted: Wanted): void {
  const picked = whole.slice(0, count)
  const beside = partial.slice(0, count).filter((each) => addsTo(picked, count, each))
  for (const list of [picked, beside]) {
    for (const [at, { snapshot }] of list.entries()) want(wanted, snapshot, `last ${at + 1}`)
  }
}

/**
 * Each class fills slots of its own, so that no number of partial ones ever pushes a whole one out. A partial one is only
 * wanted where the slot holds no whole one, and is not older than all that the rule has.
 */
function wantSlots(rule: SlotRule, count: number, { whole, partial }: Members, wanted: Wanted): void {
  const filled = fillSlots(rule, count, whole)
  const picked = [...filled.values()]
  for (const [slot, { snapshot }] of filled) want(wanted, snapshot, `${rule.name} ${slot}`)
  for (const [slot, each] of fillSlots(rule, count, partial)) {
    if (!filled.has(slot) && addsTo(picked, count, each)) want(wanted, each.snapshot, `${rule.name} ${slot}`)
  }
}

/** The newest of each slot, of so many slots. Slots may come back: some zones set their clocks back over midnight. */
function fillSlots({ slot }: SlotRule, count: number, newestFirst: readonly Placed[]): Map<string, Placed> {
  const filled = new Map<string, Placed>()
  for (const each of newestFirst) {
    const name = slot(each.local)
    if (filled.has(name)) continue
    if (filled.size === count) break
    filled.set(name, each)
  }
  return filled
}

/** A rule that has all that it wants needs nothing older. */
function addsTo(picked: readonly Placed[], count: number, { snapshot }: Placed): boolean {
  const oldest = picked.at(-1)
  return picked.length < count || oldest === undefined || snapshot.createdAt >= oldest.snapshot.createdAt
}

/** Whole ones are measured from the newest whole one: it may be older than the window, and partial ones all that is new. */
function wantWithin(
  span: NonNullable<Retention['keepWithin']>,
  members: Members,
  calendar: Calendar,
  wanted: Wanted,
): void {
  const reason = `within ${typeof span === 'number' ? `${span} ms` : span}`
  const newestWhole = members.whole[0]?.snapshot.createdAt
  const newestPartial = members.partial[0]?.snapshot.createdAt
  const since = (newest: Date): Date => calendar.add(newest, span, -1)
  const wantSince = (list: readonly Placed[], oldest: Date): void => {
    for (const { snapshot } of list) if (snapshot.createdAt >= oldest) want(wanted, snapshot, reason)
  }
  if (newestWhole) wantSince(members.whole, since(newestWhole))
  if (newestPartial)
    wantSince(members.partial, since(newestWhole && newestWhole > newestPartial ? newestWhole : newestPartial))
}

function want(wanted: Wanted, snapshot: Candidate, rule: string): void {
  const reason = isWhole(snapshot) ? rule : `${rule}, ${snapshot.complete ? 'though damaged' : 'though incomplete'}`
  const reasons = wanted.get(snapshot.id)
  if (reasons) reasons.push(reason)
  else wanted.set(snapshot.id, [reason])
}
