/** forget: snapshots go, as planned. What they alone need is freed by a prune. */
import { newId } from '../../crypto/random.ts'
import { requireFeatures } from '../../model/config.ts'
import { MAX_FORGETS } from '../../model/run.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import { Notes } from '../../repository/notes.ts'
import { isPast } from '../../repository/pins.ts'
import { FORGET_BEAT_MS } from '../../repository/prune/announced.ts'
import { forgetSnapshot } from '../../repository/prune/forget.ts'
import { FORGET_VERB } from '../../repository/prune/wait.ts'
import type { Records } from '../../repository/records.ts'
import { announceRun, leaveRun } from '../../repository/runs.ts'
import { SURE_TO_LIVE_MS } from '../../repository/runs-heartbeat.ts'
import { isRetrying, retrying } from '../../targets/wrappers/retrying.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { ParsedForgetOptions } from '../options/prune.ts'
import { requirePlan, stale } from '../plan-digest.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import { loadRecords } from '../snapshots/load.ts'
import type { EngineContext } from '../types/context.ts'
import type { ForgetDecision, ForgetPlan, ForgetResult } from '../types/prune.ts'
import { stateOf } from './plan-forget.ts'
import { holdsOf } from './retention.ts'
import { requireStaying } from './staying.ts'

/** One at a time with prunes of this engine: only so that its own events and reports do not mix. */
export function forget(engine: EngineContext, plan: ForgetPlan, options: ParsedForgetOptions): Promise<ForgetResult> {
  const call = {
    verb: 'forget' as const,
    options,
    describe: describeOptions({ forget: idsOf(plan, false).length, ...options }),
    summarize: ({ forgotten, kept }: BodyResult<'forget'>) => ({ counts: { forgotten: forgotten.length, kept } }),
  }
  return withRun(engine, call, (run) => runForget(engine, plan, options, run))
}

async function runForget(
  engine: EngineContext,
  plan: ForgetPlan,
  { confirm, deadRunMs }: ParsedForgetOptions,
  run: RunContext,
): Promise<BodyResult<'forget'>> {
  const { repository } = engine.repository
  requirePlan(plan, engine.repository.id, confirm)
  await repository.keys.refreshSince(run.startedAt, run.signal)
  requireFeatures(repository.config, 'write')
  const there = await requireUnchanged(engine, plan, run.signal)
  const going = idsOf(plan, false).filter((id) => there.has(id))
  run.progress.phase('forget')
  run.progress.total({ items: going.length })
  const forgetting = new Forgetting(engine, plan, deadRunMs, run, newestOf(there.keys(), engine.clock.now()))
  await forgetting.all(going)
  const { forgotten, held } = forgetting
  return { forgotten, kept: idsOf(plan, true).length + held }
}

/**
 * Announces what is to go, then looks whether what is to stay does, then ends it. Of two who forget at once, each for the sake of
 * what the other forgets, the one that announces later sees what the other has announced, or both see it of each other.
 */
class Forgetting {
  readonly forgotten: string[] = []
  held = 0
  private readonly engine: EngineContext
  private readonly plan: ForgetPlan
  private readonly deadRunMs: number
  private readonly records: Records
  private readonly notes: Notes
  private readonly run: RunContext
  private readonly newest: string | undefined

  constructor(engine: EngineContext, plan: ForgetPlan, deadRunMs: number, run: RunContext, newest: string | undefined) {
    this.engine = engine
    this.newest = newest
    this.plan = plan
    this.deadRunMs = deadRunMs
    this.records = repeatedRecords(engine, run)
    // As the target has them: where it cannot create once, what lies near may be a note that another has taken the place of.
    this.notes = new Notes(this.records)
    this.run = run
  }

  async all(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += MAX_FORGETS) {
      let rest = ids.slice(at, at + MAX_FORGETS)
      while (rest.length > 0) rest = await this.some(rest)
    }
  }

  /** Announced and looked at together: a look costs a few listings. Gives those that have to be announced anew. */
  private async some(forgets: readonly string[]): Promise<string[]> {
    const { engine, plan, records, run, deadRunMs } = this
    const { clock, host } = engine
    const self = newId(clock.now())
    const { signal } = run
    const how = { runId: self, verb: FORGET_VERB, host, clock, signal, heartbeatMs: FORGET_BEAT_MS, forgets }
    const presence = await announceRun(records, how)
    // After a longer silence others may have taken this for dead.
    const isSure = (): boolean => presence.heartbeat.longestSilenceMs <= SURE_TO_LIVE_MS
    try {
      await requireStaying({ engine, plan, records, run, self, deadRunMs }, new Set(forgets))
      for (const [at, id] of forgets.entries()) if (!(await this.end(id, isSure))) return forgets.slice(at)
      return []
    } finally {
      await leaveRun(records, self, presence)
    }
  }

  /** False: nothing was ended, since it is not sure that others still see the announcement. */
  private async end(id: string, isSure: () => boolean): Promise<boolean> {
    const { engine, records, run } = this
    const { signal } = run
    throwIfAborted(signal)
    if (await isHeldNow(engine, this.notes, id, run)) this.held++
    else {
      const now = engine.clock.now()
      const isNewest = id === this.newest
      const forgot = await forgetSnapshot({ records, id, now, by: run.runId, isSure, isNewest, signal })
      if (forgot === 'unsure') return false
      if (forgot === 'forgotten') this.forgotten.push(id)
    }
    run.progress.add({ items: 1 })
    return true
  }
}

/** Of those that are there. One that is dated in the future is no witness for the others. */
function newestOf(ids: Iterable<string>, now: Date): string | undefined {
  return [...ids].filter((id) => isPast(id, now)).reduce<string | undefined>((a, b) => (a && a > b ? a : b), undefined)
}

/** Far targets are repeated already. */
function repeatedRecords({ repository: { repository }, clock }: EngineContext, run: RunContext): Records {
  const { records, target } = repository
  if (isRetrying(target)) return records
  return records.through(retrying(target, { clock, onRetry: (notice) => run.emit('target:retry', notice) }))
}

/**
 * Whoever let one snapshot go because of another must not lose both, and what has changed might be decided otherwise. New
 * snapshots change nothing: to forget as planned leaves them and all that was to stay. Those that are gone already do not
 * matter, so that a plan that was carried out in part can be carried out to its end. Gives those that are there.
 */
async function requireUnchanged(
  engine: EngineContext,
  plan: ForgetPlan,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, unknown>> {
  const { snapshots, damaged, unreadableNotes } = await loadRecords(engine, signal)
  const views = new Map(snapshots.map(({ view }) => [view.id, view]))
  const hurt = new Set(damaged.map(({ key }) => key.slice(PREFIX.snapshots.length)))
  const check = ({ snapshot: id, keep, state }: ForgetDecision): string | undefined => {
    const view = views.get(id)
    if (hurt.has(id)) return `Snapshot ${id} cannot be read any more.`
    if (view === undefined) return keep ? `Snapshot ${id}, which this plan keeps, is gone.` : undefined
    if (!keep && unreadableNotes.has(id)) return `The notes of snapshot ${id} cannot be read, and may hold it.`
    if (stateOf(view) === state) return undefined
    const [held] = keep ? [] : holdsOf(view, engine.clock.now())
    return `Snapshot ${id} has ${held === undefined ? 'other tags, holds or proofs' : `got a ${held}`}.`
  }
  for (const decision of plan.decisions) {
    const why = check(decision)
    if (why !== undefined) throw stale(why)
  }
  return views
}

/** Asked right before each goes: a long plan takes its time. */
async function isHeldNow({ clock }: EngineContext, notes: Notes, id: string, run: RunContext): Promise<boolean> {
  const { note, damaged } = await notes.of(id, { signal: run.signal })
  const [held] = note ? holdsOf(note, clock.now()) : []
  const why = damaged.length > 0 ? 'its notes cannot be read any more, and may hold it' : held
  if (why === undefined) return false
  run.warn({ code: 'SNAPSHOT_HELD', message: `Snapshot ${id} stays: ${why}`, details: { snapshot: id } })
  return true
}

function idsOf({ decisions }: ForgetPlan, keep: boolean): string[] {
  return decisions.filter((decision) => decision.keep === keep).map(({ snapshot }) => snapshot)
}
