/** What is lost for good is left out: only where that was asked for, and only what the plan has named. */
import { tombstoneRecord } from '../../model/tombstone.ts'
import { PREFIX, snapshotKey, trashKey } from '../../repository/keys-layout.ts'
import { eraseSnapshot } from '../../repository/prune/erased.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { stale } from '../plan-digest.ts'
import type { Reading } from '../reading/reading.ts'
import { carryNotes } from '../rewrite/carry-notes.ts'
import { repeatedTarget } from '../rewrite/repeated-target.ts'
import { rewriteSnapshot } from '../rewrite/rewrite-snapshot.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { RepairPlan, RepairResult } from '../types/repair.ts'
import type { Diagnosis } from './diagnose.ts'
import { damagedFragments } from './steps.ts'

/** Listed in the facts of a rewritten snapshot, for each source. */
const LISTED = 1000

export class Dropping {
  readonly rewritten: RepairResult['rewritten'] = []
  readonly dropped: string[] = []
  private readonly engine: EngineContext
  private readonly run: RunContext
  private readonly reading: Reading

  constructor(engine: EngineContext, run: RunContext, reading: Reading) {
    this.engine = engine
    this.run = run
    this.reading = reading
  }

  async all(plan: RepairPlan, diagnosis: Diagnosis, drop: 'entries' | 'snapshots'): Promise<void> {
    const { found, after, trash } = diagnosis
    requireNamed(plan, diagnosis)
    this.run.progress.phase('drop')
    for (const { snapshot } of after) {
      const info = found.snapshots.find(({ id }) => id === snapshot)!
      if (drop === 'entries') await this.rewrite(info, found.snapshots)
      else await this.end(info.id)
    }
    for (const id of found.unreadable) await this.endUnreadable(id)
    const target = repeatedTarget(this.engine, this.run)
    const gone = [...trash.map(trashKey), ...found.damagedTrash]
    if (found.stock.unknown.length > 0) gone.push(...damagedFragments(diagnosis))
    throwIfAborted(this.run.signal)
    if (gone.length > 0) await target.delete(gone, { signal: this.run.signal })
    this.dropped.push(...gone.flatMap((key) => (key.startsWith(PREFIX.trash) ? [key.slice(PREFIX.trash.length)] : [])))
  }

  /** The new one is there before the old one goes. One that a repair which was cut short has left is not made again. */
  private async rewrite(origin: SnapshotInfo, all: readonly SnapshotInfo[]): Promise<void> {
    const { engine, run, reading } = this
    const made = all.find(({ record }) => record.rewrittenFrom?.snapshot === origin.id)
    if (made) await carryNotes(engine, run, origin.id, made.id)
    else {
      const judge = { kind: 'lost' as const }
      const rewritten = await rewriteSnapshot(engine, run, reading.lease, {
        origin,
        why: 'repair',
        judge,
        listed: LISTED,
      })
      // Healed meanwhile, by a backup beside this.
      if (!rewritten) return
      const { entries, bytes } = rewritten.dropped
      this.rewritten.push({ snapshot: rewritten.snapshot.id, from: origin.id, entries, bytes })
    }
    await this.erase(origin.id)
  }

  private async end(id: string): Promise<void> {
    await this.erase(id)
    this.dropped.push(id)
  }

  /** Without a copy: what it needs is nowhere, and a copy would keep every prune from its work. */
  private async erase(id: string): Promise<void> {
    const { engine, run } = this
    const records = engine.repository.repository.records.through(repeatedTarget(engine, run))
    const { signal } = run
    await eraseSnapshot({ records, id, now: engine.clock.now(), signal })
  }

  /** A tombstone, since nobody knows when it was made, and whether it could still come back. */
  private async endUnreadable(id: string): Promise<void> {
    const { engine, run } = this
    throwIfAborted(run.signal)
    const records = engine.repository.repository.records.through(repeatedTarget(engine, run))
    const tombstone = { id, at: engine.clock.now(), reason: 'forgotten', by: run.runId } as const
    await records.put('snapshots', snapshotKey(id), tombstoneRecord.encode(tombstone), { signal: run.signal })
    this.dropped.push(id)
  }
}

/** Whoever agreed to lose some snapshots' entries has not agreed to lose others. */
function requireNamed({ losses }: RepairPlan, { found, after }: Diagnosis): void {
  const named = new Map(losses.snapshots.map((each) => [each.snapshot, each]))
  for (const { snapshot, entries } of after) {
    const known = named.get(snapshot)
    if (!known || (!known.unreadable && entries > known.entries)) {
      throw stale(`Snapshot ${snapshot} has lost more than this plan says.`)
    }
  }
  const unknown = found.unreadable.find((id) => !named.get(id)?.unreadable)
  if (unknown !== undefined) throw stale(`Snapshot ${unknown} cannot be read, which this plan does not say.`)
}
