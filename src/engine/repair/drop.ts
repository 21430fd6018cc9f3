/** What is lost for good is left out: only where that was asked for, and only what the plan has named. */
import { tombstoneRecord } from '../../model/tombstone.ts'
import { PREFIX, snapshotKey, trashKey } from '../../repository/keys-layout.ts'
import { Notes } from '../../repository/notes.ts'
import { eraseSnapshot } from '../../repository/prune/erased.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { holdsOf } from '../forget/retention.ts'
import { stale } from '../plan-digest.ts'
import type { Reading } from '../reading/reading.ts'
import { carryNotes } from '../rewrite/carry-notes.ts'
import { repeatedTarget } from '../rewrite/repeated-target.ts'
import { rewriteSnapshot } from '../rewrite/rewrite-snapshot.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { RepairLosses, RepairPlan, RepairResult } from '../types/repair.ts'
import type { Diagnosis } from './diagnose.ts'
import type { SnapshotLoss } from './losses.ts'
import { damagedFragments, damagedNotes, MAX_OBJECTS } from './steps.ts'
import { stillDamaged } from './still-damaged.ts'

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
    const forgotten = [...trash.map(trashKey), ...found.damagedTrash]
    const others = [...damagedNotes(diagnosis), ...(found.stock.unknown.length > 0 ? damagedFragments(diagnosis) : [])]
    requireNamed(plan, diagnosis, [...forgotten, ...others])
    this.run.progress.phase('drop')
    for (const loss of after) {
      const info = found.snapshots.find(({ id }) => id === loss.snapshot)!
      // One that has lost nothing but fingerprints is whole for everybody but the next backup.
      const isWhole = loss.entries === 0 && loss.lostFacts.length === 0
      if (drop === 'entries' || isWhole) await this.rewrite(info, loss, diagnosis)
      else if (!(await this.isHeld(info.id))) await this.end(info.id)
    }
    for (const id of found.unreadable) await this.endUnreadable(id)
    await this.remove(forgotten, others)
  }

  private async remove(forgotten: readonly string[], others: readonly string[]): Promise<void> {
    const { engine, run } = this
    const { signal } = run
    const target = repeatedTarget(engine, run)
    const damaged = await stillDamaged(engine.repository.repository.records, others, { signal })
    const gone = [...forgotten, ...damaged]
    throwIfAborted(signal)
    if (gone.length > 0) await target.delete(gone, { signal })
    this.dropped.push(...forgotten.map((key) => key.slice(PREFIX.trash.length)))
  }

  /** What is left of it can still be read. */
  private async isHeld(id: string): Promise<boolean> {
    const { engine, run } = this
    const notes = new Notes(engine.repository.repository.records)
    const { note, damaged } = await notes.of(id, { signal: run.signal })
    const [held] = note ? holdsOf(note, engine.clock.now()) : []
    const why = damaged.length > 0 ? 'its notes cannot be read, and may hold it' : held
    if (why === undefined) return false
    run.warn({ code: 'SNAPSHOT_HELD', message: `Snapshot ${id} stays: ${why}`, details: { snapshot: id } })
    return true
  }

  /** The new one is there before the old one goes. One that a repair which was cut short has left is not made again. */
  private async rewrite(origin: SnapshotInfo, loss: SnapshotLoss, { found, after }: Diagnosis): Promise<void> {
    const { engine, run, reading } = this
    const made = found.snapshots.find((info) => isSuccessor(info, origin, loss))
    if (made && !after.some(({ snapshot }) => snapshot === made.id)) await carryNotes(engine, run, origin.id, made.id)
    else {
      const { entries: atMost } = loss
      const request = { origin, why: 'repair', judge: { kind: 'lost' }, listed: LISTED, atMost } as const
      const rewritten = await rewriteSnapshot(engine, run, reading.lease, request)
      // Healed meanwhile, by a backup beside this, or forgotten.
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

/** Made of it without what is lost now: one that was made when more was lost would lose that too. */
function isSuccessor({ record }: SnapshotInfo, origin: SnapshotInfo, { entries, bytes }: SnapshotLoss): boolean {
  const made = record.rewrittenFrom
  if (made?.snapshot !== origin.id || made.why !== 'repair') return false
  const before = origin.record.rewrittenFrom
  return made.entries === entries + (before?.entries ?? 0) && made.bytes === bytes + (before?.bytes ?? 0)
}

/** Whoever agreed to lose some snapshots' entries has not agreed to lose others. */
function requireNamed({ losses, steps }: RepairPlan, { found, after }: Diagnosis, removed: readonly string[]): void {
  const named = new Map(losses.snapshots.map((each) => [each.snapshot, each]))
  for (const loss of after) {
    const known = named.get(loss.snapshot)
    const said = steps.find(({ objects }) => objects[0] === snapshotKey(loss.snapshot))?.loses ?? ''
    const areFactsSaid = loss.lostFacts.every((source) => said.includes(source))
    if (!known || (!known.unreadable && !(areFactsSaid && isWithin(loss, known, losses)))) {
      throw stale(`Snapshot ${loss.snapshot} has lost more than this plan says, or something else.`)
    }
  }
  const unknown = found.unreadable.find((id) => !named.get(id)?.unreadable)
  if (unknown !== undefined) throw stale(`Snapshot ${unknown} cannot be read, which this plan does not say.`)
  const losing = steps.filter(({ loses }) => loses !== null)
  const keys = new Set(losing.flatMap(({ objects }) => objects))
  const areMore = losing.some(({ objects }) => objects.length === MAX_OBJECTS)
  const other = areMore ? undefined : removed.find((key) => !keys.has(key))
  if (other !== undefined) throw stale(`${other} would be removed, which this plan does not say.`)
}

/** Where the plan lists all that a snapshot has lost, it has to be one of these. */
function isWithin(loss: SnapshotLoss, known: RepairLosses['snapshots'][number], { entries }: RepairLosses): boolean {
  if (loss.entries > known.entries || loss.bytes > known.bytes) return false
  const listed = entries.filter(({ snapshots }) => snapshots.includes(loss.snapshot))
  if (listed.reduce((sum, each) => sum + each.entries, 0) < known.entries) return true
  const paths = new Set(listed.map(({ path }) => path))
  return [...loss.bySource].every(([source, { list }]) => list.every(({ path }) => paths.has(`${source}/${path}`)))
}
