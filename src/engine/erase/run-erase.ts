/** erase: each snapshot gets a successor without the entries, and goes for good. A prune frees what they held. */
import { requireFeatures } from '../../model/config.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import { Notes } from '../../repository/notes.ts'
import { eraseSnapshot, isErased } from '../../repository/prune/erased.ts'
import type { Records } from '../../repository/records.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { findTrash } from '../../repository/trash.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { damageWarnings } from '../forget/forget-warnings.ts'
import { stateOf } from '../forget/plan-forget.ts'
import { holdsOf } from '../forget/retention.ts'
import { requirePlan, stale } from '../plan-digest.ts'
import { carryNotes } from '../rewrite/carry-notes.ts'
import { repeatedTarget } from '../rewrite/repeated-target.ts'
import { rewriteSnapshot } from '../rewrite/rewrite-snapshot.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { type Loaded, loadRecords } from '../snapshots/load.ts'
import type { EngineContext } from '../types/context.ts'
import type { EraseOptions, ErasePlan, EraseResult } from '../types/erase.ts'
import { warnOfOthers } from './look-again.ts'
import { successorsOf } from './plan-erase.ts'
import { dropOf } from './survey.ts'

/** So that packs of which next to nothing is dead are rewritten as well, and segments sealed anew. */
const EVERY_BYTE = { minDeadShare: 1e-15 }

export function erase(engine: EngineContext, plan: ErasePlan, options: EraseOptions): Promise<EraseResult> {
  const call = {
    verb: 'erase' as const,
    options,
    exclusive: ['erase'],
    // No path: reports stay, and a path may be what is to be erased.
    describe: { patterns: plan.request.paths.length, snapshots: plan.snapshots.length },
    summarize: ({ erased, dropped, entries, bytes }: BodyResult<'erase'>) => ({
      counts: { erased: erased.length, dropped: dropped.length, entries, bytes },
    }),
  }
  return withRun(engine, call, (run) => runErase(engine, plan, options, run))
}

async function runErase(
  engine: EngineContext,
  plan: ErasePlan,
  { confirm }: EraseOptions,
  run: RunContext,
): Promise<BodyResult<'erase'>> {
  const { repository } = engine.repository
  requirePlan(plan, engine.repository.id, confirm)
  for (const warning of engine.warnings) run.warn(warning)
  await repository.keys.refreshSince(run.startedAt, run.signal)
  requireFeatures(repository.config, 'write')
  const loaded = await loadRecords(engine, run.signal)
  requireUnchanged(plan, loaded)
  for (const warning of damageWarnings(loaded)) run.warn(warning)
  const records = repository.records.through(repeatedTarget(engine, run))
  const lease = await engine.repository.lease()
  try {
    const erasure = new Erasure(engine, plan, run, lease, records, loaded)
    await erasure.snapshots()
    await erasure.forgotten()
    await erasure.lookAgain()
    return { ...erasure.result, prune: { ...EVERY_BYTE } }
  } finally {
    lease.release()
  }
}

/** Those that are gone do not matter: a plan that was carried out in part can be carried out to its end. */
function requireUnchanged({ snapshots, request }: ErasePlan, loaded: Loaded): void {
  const views = new Map(loaded.snapshots.map(({ view }) => [view.id, view]))
  for (const { snapshot: id, state } of snapshots) {
    const view = views.get(id)
    if (view && stateOf(view) !== state) throw stale(`Snapshot ${id} has other tags, holds or proofs.`)
    if (view && !request.includeHeld && loaded.unreadableNotes.has(id))
      throw stale(`The notes of snapshot ${id} cannot be read, and may hold it.`)
  }
}

class Erasure {
  readonly result: Omit<BodyResult<'erase'>, 'prune'> = { erased: [], dropped: [], held: [], entries: 0, bytes: 0 }
  private readonly engine: EngineContext
  private readonly plan: ErasePlan
  private readonly run: RunContext
  private readonly lease: Lease
  private readonly records: Records
  private readonly notes: Notes
  private readonly drop: SelectorPlain
  private readonly there: ReadonlyMap<string, SnapshotInfo>
  private readonly successors: ReadonlyMap<string, string>
  /** Snapshots that cannot be read: they stay, and so do their copies. */
  private readonly damaged: ReadonlySet<string>
  /** Snapshots in which nothing of it is, or that have been named. */
  private readonly looked: Set<string>

  constructor(engine: EngineContext, plan: ErasePlan, run: RunContext, lease: Lease, records: Records, loaded: Loaded) {
    this.engine = engine
    this.plan = plan
    this.run = run
    this.lease = lease
    this.records = records
    // As the target has them, and not as they lie near.
    this.notes = new Notes(records)
    const all = loaded.snapshots.map(({ info }) => info.record)
    this.drop = dropOf(plan.request, all)
    this.there = new Map(loaded.snapshots.map(({ info }) => [info.id, info]))
    this.successors = successorsOf(all)
    this.damaged = new Set(loaded.damaged.map(({ key }) => key.slice(PREFIX.snapshots.length)))
    this.looked = new Set(plan.looked)
  }

  /** Oldest first: successors come in the same order, and each is there before what it replaces goes. */
  async snapshots(): Promise<void> {
    const { plan, run } = this
    run.progress.phase('rewrite')
    run.progress.total({ items: plan.snapshots.length })
    for (const planned of plan.snapshots) {
      throwIfAborted(run.signal)
      await this.one(planned)
      run.progress.add({ items: 1 })
    }
  }

  private async one(planned: ErasePlan['snapshots'][number]): Promise<void> {
    const { snapshot: from } = planned
    const origin = this.there.get(from)
    if (!origin) return this.gone(planned)
    if (await this.isHeld(from)) return
    const to = await this.successor(origin)
    if (to === undefined) return
    this.looked.add(to)
    // It took its time to make that.
    if (await this.isHeld(from)) return
    await this.end(from)
    this.result.erased.push({ from, to })
    this.count(planned)
  }

  /** Undefined: nothing is to be left out. */
  private async successor(origin: SnapshotInfo): Promise<string | undefined> {
    const before = this.there.get(this.successors.get(origin.id) ?? '')
    if (!before) return this.rewrite(origin)
    // A call that was cut short may not have come to this.
    await carryNotes(this.engine, this.run, origin.id, before.id)
    const isPlanned = this.plan.snapshots.some(({ snapshot }) => snapshot === before.id)
    if (isPlanned || this.isClean(before.id) || (await this.isHeld(before.id))) return before.id
    // It may be of an erasure of other paths.
    const to = await this.rewrite(before)
    if (to === undefined) return before.id
    await this.end(before.id)
    return to
  }

  private isClean(id: string): boolean {
    return this.looked.has(id) && !this.plan.others.includes(id)
  }

  private async rewrite(origin: SnapshotInfo): Promise<string | undefined> {
    const { engine, run, lease, drop } = this
    const judge = { kind: 'selected', drop } as const
    const made = await rewriteSnapshot(engine, run, lease, { origin, why: 'erase', judge, listed: 0 })
    return made?.snapshot.id
  }

  private end(id: string): Promise<void> {
    return eraseSnapshot({ records: this.records, id, now: this.engine.clock.now(), signal: this.run.signal })
  }

  private count({ entries, bytes }: { entries: number; bytes: number }): void {
    this.result.entries += entries
    this.result.bytes += bytes
  }

  /** Asked right before each goes: a long plan takes its time. */
  private async isHeld(id: string): Promise<boolean> {
    if (this.plan.request.includeHeld) return false
    const { note, damaged } = await this.notes.of(id, { signal: this.run.signal })
    const [held] = note ? holdsOf(note, this.engine.clock.now()) : []
    const why = damaged.length > 0 ? 'its notes cannot be read any more, and may hold it' : held
    if (why === undefined) return false
    this.result.held.push(id)
    this.run.warn({ code: 'SNAPSHOT_HELD', message: `Snapshot ${id} stays: ${why}`, details: { snapshot: id } })
    return true
  }

  /** What could be brought back would bring the entries back with it. */
  async forgotten(): Promise<void> {
    for (const planned of this.plan.forgotten) {
      throwIfAborted(this.run.signal)
      if (!this.there.has(planned.snapshot)) await this.gone(planned)
    }
  }

  /** Forgotten before the plan was made or since, or erased, if its end is not known. */
  private async gone(planned: { snapshot: string; entries: number; bytes: number }): Promise<void> {
    const { records } = this
    const { snapshot: id } = planned
    const { signal } = this.run
    if (this.damaged.has(id)) return
    const trash = await findTrash(records, id, { signal })
    if (trash === undefined && (await isErased(records, id, { signal }))) return
    await this.end(id)
    if (trash === undefined) return
    this.result.dropped.push(id)
    this.count(planned)
  }

  /** Once all that was named has ended: nothing that comes from now on has a parent with the entries. */
  lookAgain(): Promise<void> {
    const { engine, plan, run, lease, looked } = this
    return warnOfOthers({ engine, request: plan.request, run, lease, looked })
  }
}
