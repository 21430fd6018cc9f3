/** What there will be at a later time, if the policy is applied after each backup. */
import { throwIfAborted } from '../../util/abort.ts'
import { invalidOption } from '../options/index.ts'
import { compareAge } from '../snapshots/filter.ts'
import type { Retention, Simulation } from '../types/retention.ts'
import { applyRetention, DEFAULT_GROUPS, type Judged, type JudgeOptions } from './retention.ts'
import { Calendar } from './retention-calendar.ts'
import { groupNames } from './retention-groups.ts'
import type { Candidate } from './retention-rules.ts'

export interface Simulated {
  readonly at: Date
  /** Snapshots that were thought up on the way. */
  readonly made: ReadonlySet<string>
  /** Those that are there then, newest first. */
  readonly kept: readonly Judged[]
}

/** More than an hourly backup makes in ten years. */
export const MAX_SIMULATED = 100_000
/** Between two looks at the signal, and turns of everybody else. */
const STEPS_AT_ONCE = 50

export async function simulate(
  snapshots: readonly Candidate[],
  policy: Retention,
  simulation: Simulation,
  options: JudgeOptions & { signal?: AbortSignal | undefined },
): Promise<Simulated> {
  const calendar = new Calendar(policy.timeZone, policy.weekStart)
  const at = simulation.until ?? calendar.add(options.now, `${simulation.inDays ?? 0}d`, 1)
  if (at <= options.now) throw invalidOption('simulate.until', 'a time to come', at, 'planForget')
  const templates = newestOfGroups(snapshots, policy, options.now)
  const times = timesUntil(at, simulation, options.now, calendar, templates.length)
  const made = new Set<string>()
  const backup = (time: Date): Candidate[] => templates.map((template) => thinkUp(template, time, made))
  if (policy.maxCount === undefined) {
    // What a rule wants at the end it wants all the way, so to forget on the way changes nothing.
    const all = [...snapshots, ...times.flatMap(backup)]
    return { at, made, kept: keptOf(all, policy, { ...options, now: at }) }
  }
  let there = snapshots
  for (const [step, time] of times.entries()) {
    if (step % STEPS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
    throwIfAborted(options.signal)
    there = keptOf([...there, ...backup(time)], policy, { ...options, now: time }).map(({ snapshot }) => snapshot)
  }
  return { at, made, kept: keptOf(there, policy, { ...options, now: at }) }
}

function keptOf(snapshots: readonly Candidate[], policy: Retention, options: JudgeOptions): Judged[] {
  return applyRetention(snapshots, policy, options).judged.filter(({ keep }) => keep)
}

/** What the next backup of a group will look like. Groups of the future have no part in this. */
function newestOfGroups(snapshots: readonly Candidate[], policy: Retention, now: Date): Candidate[] {
  const name = groupNames(policy.groupBy ?? DEFAULT_GROUPS)
  const newest = new Map<string, Candidate>()
  for (const snapshot of snapshots) {
    const group = name(snapshot)
    const before = newest.get(group)
    if (snapshot.createdAt <= now && (!before || compareAge(before, snapshot) < 0)) newest.set(group, snapshot)
  }
  return [...newest.values()]
}

function timesUntil(at: Date, { every }: Simulation, now: Date, calendar: Calendar, groups: number): Date[] {
  const times: Date[] = []
  if (every === undefined || groups === 0) return times
  for (let n = 1; ; n++) {
    const time = calendar.add(now, every, n)
    if (time > at) return times
    times.push(time)
    if (times.length * groups > MAX_SIMULATED)
      throw invalidOption(
        'simulate.every',
        `so long that it makes at most ${MAX_SIMULATED} snapshots`,
        every,
        'planForget',
      )
  }
}

function thinkUp(template: Candidate, createdAt: Date, made: Set<string>): Candidate {
  const { host, tags, kind, sources, schedule } = template
  const id = `simulated-${String(made.size + 1).padStart(6, '0')}`
  made.add(id)
  return {
    id,
    createdAt,
    host,
    tags,
    kind,
    sources,
    complete: true,
    holds: [],
    ...(schedule !== undefined && { schedule }),
  }
}
