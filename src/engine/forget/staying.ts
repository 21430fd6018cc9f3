/** Whether what a plan keeps stays: somebody else may be forgetting it. */
import { announcedBy } from '../../repository/prune/forget.ts'
import type { Records } from '../../repository/records.ts'
import { stale } from '../plan-digest.ts'
import type { EngineContext } from '../types-context.ts'
import type { ForgetPlan } from '../types-prune.ts'

interface Staying {
  readonly engine: EngineContext
  readonly plan: ForgetPlan
  readonly records: Records
  readonly signal: AbortSignal
}

/**
 * Of the groups that something goes from, by this plan: another host's own snapshots are its own affair. Where snapshots were
 * named one by one there are no groups, and all that stays counts. Announcements first: what is ended was announced before.
 * @throws BackupError PLAN_STALE
 */
export async function requireStaying(
  { engine, plan, records, signal }: Staying,
  going: ReadonlyMap<string, unknown>,
): Promise<void> {
  const { decisions } = plan
  const groups = new Set(decisions.filter(({ snapshot }) => going.has(snapshot)).map(({ group }) => group))
  const staying = decisions.filter(({ keep, group }) => keep && groups.has(group)).map(({ snapshot }) => snapshot)
  const [leaving] = await announcedBy(records, new Set(staying), { now: engine.clock.now(), signal })
  if (leaving !== undefined)
    throw stale(`Snapshot ${leaving}, which this plan keeps, is being forgotten by another run.`)
  const { snapshots } = await engine.repository.repository.snapshots.list({ signal })
  const there = new Set(snapshots.map(({ id }) => id))
  const gone = staying.find((id) => !there.has(id))
  if (gone !== undefined) throw stale(`Snapshot ${gone}, which this plan keeps, is gone.`)
}
