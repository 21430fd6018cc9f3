/** Whether what a plan keeps stays: somebody else may be forgetting it. */
import { type Announced, announcedAbout, whoLives } from '../../repository/prune/announced.ts'
import { PRUNE_VERB } from '../../repository/prune/wait.ts'
import type { Records } from '../../repository/records.ts'
import { stale } from '../plan-digest.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { ForgetPlan } from '../types/prune.ts'

interface Staying {
  readonly engine: EngineContext
  readonly plan: ForgetPlan
  readonly records: Records
  readonly run: RunContext
  /** What has announced what is going. */
  readonly self: string
  /** One who gives no sign of life for so many milliseconds is passed by. */
  readonly deadRunMs: number
}

/** Between two looks at those who are waited for. */
const POLL_MS = 2_000

/**
 * Of the groups that something goes from, by this plan: another host's own snapshots are its own affair. Where snapshots were
 * named one by one there are no groups, and all that stays counts. Announcements first: what is ended was announced before.
 * One who has announced something that stays is waited for until it is known whether he lives, or until he is over. So is a prune
 * that takes away an old copy of what is going: it would take the new one.
 * @throws BackupError PLAN_STALE
 */
export async function requireStaying(by: Staying, going: ReadonlySet<string>): Promise<void> {
  const { engine, plan, records, run, self } = by
  const { signal } = run
  const { decisions } = plan
  const groups = new Set(decisions.filter(({ snapshot }) => going.has(snapshot)).map(({ group }) => group))
  const staying = new Set(
    decisions.filter(({ keep, group }) => keep && groups.has(group)).map(({ snapshot }) => snapshot),
  )
  const others = await announcedAbout(records, new Set([...staying, ...going]), { self, signal })
  const named = (each: Announced, ids: ReadonlySet<string>): boolean => [...each.ids].some((id) => ids.has(id))
  const prunes = others.filter((each) => each.verb === PRUNE_VERB && named(each, going))
  await wait(prunes, 'end', by)
  const rivals = others.filter((each) => each.verb !== PRUNE_VERB && named(each, staying))
  const [living] = await wait(rivals, 'life', by)
  if (living) {
    const kept = [...living.ids].find((id) => staying.has(id))
    throw stale(`Snapshot ${kept}, which this plan keeps, is being forgotten by another run.`)
  }
  const { snapshots } = await engine.repository.repository.snapshots.list({ signal })
  const there = new Set(snapshots.map(({ id }) => id))
  const gone = [...staying].find((id) => !there.has(id))
  if (gone !== undefined) throw stale(`Snapshot ${gone}, which this plan keeps, is gone.`)
}

async function wait(
  announced: readonly Announced[],
  until: 'life' | 'end',
  { engine: { clock }, records, run, deadRunMs: stillMs }: Staying,
): Promise<Announced[]> {
  if (announced.length === 0) return []
  run.progress.phase('wait for others')
  const onWait = (): void => run.progress.touch()
  const living = await whoLives(announced, {
    records,
    clock,
    signal: run.signal,
    stillMs,
    pollMs: POLL_MS,
    until,
    onWait,
  })
  run.progress.phase('forget')
  return living
}
