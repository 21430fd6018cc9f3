/** erase: each snapshot gets a successor without the entries, and goes for good. A prune frees what they held. */
import { requireFeatures } from '../../model/config.ts'
import { timeOfId } from '../../model/ids.ts'
import { trashKey } from '../../repository/keys-layout.ts'
import { Notes } from '../../repository/notes.ts'
import { eraseSnapshot } from '../../repository/prune/forget.ts'
import type { Records } from '../../repository/records.ts'
import { findTrash } from '../../repository/trash.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import type { Lease } from '../../workers/threads/pool.ts'
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
  const records = repository.records.through(repeatedTarget(engine, run))
  const lease = await engine.repository.lease()
  try {
    const erasure = new Erasure(engine, plan, run, lease, records, loaded)
    await erasure.snapshots()
    await erasure.forgotten()
    warnOfNewer(await loadRecords(engine, run.signal), plan, run)
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
  private readonly loaded: Loaded
  private readonly drop: SelectorPlain
  private readonly successors: ReadonlyMap<string, string>

  constructor(engine: EngineContext, plan: ErasePlan, run: RunContext, lease: Lease, records: Records, loaded: Loaded) {
    this.engine = engine
    this.plan = plan
    this.run = run
    this.lease = lease
    this.records = records
    // As the target has them, and not as they lie near.
    this.notes = new Notes(records)
    this.loaded = loaded
    const all = loaded.snapshots.map(({ info }) => info.record)
    this.drop = dropOf(plan.request, all)
    this.successors = successorsOf(all)
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

  private async one({ snapshot: from, entries, bytes }: ErasePlan['snapshots'][number]): Promise<void> {
    const origin = this.loaded.snapshots.find(({ info }) => info.id === from)?.info
    if (!origin) return
    if (await this.isHeld(from)) return
    const { engine, run, lease, drop } = this
    const before = this.successors.get(from)
    const judge = { kind: 'selected', drop } as const
    const request = { origin, why: 'erase', judge, listed: 0 } as const
    const to = before ?? (await rewriteSnapshot(engine, run, lease, request))?.snapshot.id
    if (to === undefined) return
    // A call that was cut short may not have come to this.
    if (before !== undefined) await carryNotes(engine, run, from, before)
    await eraseSnapshot(this.forgetting(from))
    this.result.erased.push({ from, to })
    this.result.entries += entries
    this.result.bytes += bytes
  }

  private forgetting(id: string): Parameters<typeof eraseSnapshot>[0] {
    return { records: this.records, id, now: this.engine.clock.now(), by: this.run.runId, signal: this.run.signal }
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
    const { plan, records, run } = this
    const { signal } = run
    for (const { snapshot: id, entries, bytes } of plan.forgotten) {
      throwIfAborted(signal)
      if ((await findTrash(records, id, { signal })) === undefined) continue
      await records.target.delete([trashKey(id)], { signal })
      this.result.dropped.push(id)
      this.result.entries += entries
      this.result.bytes += bytes
    }
  }
}

/** Ids begin with the time. Successors are new as well, and have been looked through. */
function warnOfNewer({ snapshots }: Loaded, { createdAt }: ErasePlan, run: RunContext): void {
  const planned = Date.parse(createdAt)
  const newer = snapshots.filter(
    ({ info: { id, record } }) => (timeOfId(id) ?? 0) >= planned && record.rewrittenFrom?.why !== 'erase',
  )
  if (newer.length === 0) return
  const ids = newer.map(({ info }) => info.id)
  run.warn({
    code: 'ERASE_AGAIN',
    message: `${ids.length} snapshots came after the plan, and may hold the entries: make another plan`,
    details: { count: ids.length, snapshots: ids.slice(0, 20) },
  })
}
