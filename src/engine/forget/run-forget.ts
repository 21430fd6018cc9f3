/** forget: snapshots go, as planned. What they alone need is freed by a prune. */
import { requireFeatures } from '../../model/config.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import { Notes } from '../../repository/notes.ts'
import { announceForgetting, endSnapshot, type GoingSnapshot, withdraw } from '../../repository/prune/forget.ts'
import type { Records } from '../../repository/records.ts'
import { isRetrying, retrying } from '../../targets/wrappers/retrying.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { loadRecords } from '../load-snapshots.ts'
import { requirePlan, stale } from '../plan-digest.ts'
import { type BodyResult, type RunContext, withRun } from '../run-context.ts'
import { describeOptions } from '../run-report.ts'
import type { EngineContext } from '../types-context.ts'
import type { ForgetDecision, ForgetOptions, ForgetPlan, ForgetResult } from '../types-prune.ts'
import { stateOf } from './plan-forget.ts'
import { holdsOf } from './retention.ts'
import { requireStaying } from './staying.ts'

/** One at a time with prunes of this engine: only so that its own events and reports do not mix. */
export function forget(engine: EngineContext, plan: ForgetPlan, options: ForgetOptions): Promise<ForgetResult> {
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
  { confirm }: ForgetOptions,
  run: RunContext,
): Promise<BodyResult<'forget'>> {
  const { repository } = engine.repository
  requireFeatures(repository.config, 'write')
  requirePlan(plan, engine.repository.id, confirm)
  await requireUnchanged(engine, plan, run.signal)
  const records = repeatedRecords(engine, run)
  const going = idsOf(plan, false)
  run.progress.phase('forget')
  run.progress.total({ items: going.length })
  const forgetting = new Forgetting(engine, plan, records, run)
  for (let at = 0; at < going.length; at += AT_ONCE) await forgetting.some(going.slice(at, at + AT_ONCE))
  const { forgotten, held } = forgetting
  return { forgotten, kept: idsOf(plan, true).length + held }
}

/** Announced and looked at together: a look costs a few listings. */
const AT_ONCE = 100
/** After so long it is announced and looked at anew: others count an announcement for an hour. */
const LOOK_AGAIN_MS = 10 * 60 * 1000

/**
 * Announces what is to go, then looks whether what is to stay does, then ends it. Of two who forget at once, each for the sake of
 * what the other forgets, the one that announces later sees what the other has announced, or both see it of each other.
 */
class Forgetting {
  readonly forgotten: string[] = []
  held = 0
  private readonly engine: EngineContext
  private readonly plan: ForgetPlan
  private readonly records: Records
  private readonly notes: Notes
  private readonly run: RunContext

  constructor(engine: EngineContext, plan: ForgetPlan, records: Records, run: RunContext) {
    this.engine = engine
    this.plan = plan
    this.records = records
    // As the target has them: where it cannot create once, what lies near may be a note that another has taken the place of.
    this.notes = new Notes(records)
    this.run = run
  }

  async some(ids: readonly string[]): Promise<void> {
    const { clock } = this.engine
    const announced = new Map<string, GoingSnapshot>()
    try {
      let sinceMs = clock.monotonicMs()
      await this.announce(ids, announced)
      for (const id of ids) {
        if (clock.monotonicMs() - sinceMs > LOOK_AGAIN_MS) {
          sinceMs = clock.monotonicMs()
          await this.announce([...announced.keys()], announced)
        }
        await this.end(id, announced)
        this.run.progress.add({ items: 1 })
      }
    } finally {
      for (const going of announced.values()) await withdraw(going, this.records)
    }
  }

  private async announce(ids: readonly string[], announced: Map<string, GoingSnapshot>): Promise<void> {
    const { engine, plan, records, run } = this
    for (const id of ids) {
      throwIfAborted(run.signal)
      const going = await announceForgetting(this.options(id))
      if (going) announced.set(id, going)
      else announced.delete(id)
    }
    await requireStaying({ engine, plan, records, signal: run.signal }, announced)
  }

  private async end(id: string, announced: Map<string, GoingSnapshot>): Promise<void> {
    throwIfAborted(this.run.signal)
    const going = announced.get(id)
    if (!going) return
    if (await isHeldNow(this.engine, this.notes, id, this.run)) {
      this.held++
      return
    }
    // Whatever becomes of this call, the copy stays: it may have happened.
    announced.delete(id)
    await endSnapshot(going, this.options(id))
    this.forgotten.push(id)
  }

  private options(id: string): Parameters<typeof endSnapshot>[1] {
    const { engine, records, run } = this
    return { records, id, now: engine.clock.now(), by: run.runId, signal: run.signal }
  }
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
 * matter, so that a plan that was carried out in part can be carried out to its end.
 */
async function requireUnchanged(engine: EngineContext, plan: ForgetPlan, signal: AbortSignal): Promise<void> {
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
