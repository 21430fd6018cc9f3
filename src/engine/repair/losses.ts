/** What snapshots have lost, entry by entry. */
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { FoundChunks } from '../../workers/repair/heal.ts'
import type { LossAnswer, LossJob, LostPathLists, LostRows } from '../../workers/repair/losses.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { LostEntry, RepairLosses } from '../types/repair.ts'
import type { CheckWork } from '../verify/check-work.ts'
import type { Mirrors } from './mirrors.ts'
import { openRepair } from './stock.ts'
import type { Survey } from './survey.ts'

/** In a plan; of each source of each snapshot as many are asked for. */
export const MAX_ENTRIES = 1000

export interface SnapshotLoss {
  readonly snapshot: string
  readonly entries: number
  readonly bytes: number
  /** By source. */
  readonly bySource: ReadonlyMap<string, LossAnswer>
  /** Facts of sources that are chunks of their own, and lost. */
  readonly lostFacts: readonly string[]
}

export class Losses {
  private readonly session: Session
  private readonly reading: Reading
  private readonly signal: AbortSignal

  private constructor(session: Session, reading: Reading, signal: AbortSignal) {
    this.session = session
    this.reading = reading
    this.signal = signal
  }

  static async open(work: CheckWork, reading: Reading, mirrors: Mirrors, found: Survey): Promise<Losses> {
    const { inventory } = found.stock
    const over = { ...work, engine: { ...work.engine, target: mirrors.over(work.engine.target) } }
    const session = await openRepair(over, reading, inventory.tables)
    const gone = found.bad.filter(({ missing }) => missing)
    await session.call('bad', inventory.badPlaces(gone, found.lost))
    return new Losses(session, reading, work.signal)
  }

  /** From now on these chunks count as being there. False: what some of them name is not known before they are stored. */
  save(found: FoundChunks): Promise<boolean> {
    return this.session.call<boolean>('saved', found)
  }

  /** Those of the snapshots that have lost something, and only of these what was missed and where. */
  async all(...lists: readonly (readonly SnapshotRecord[])[]): Promise<SnapshotLoss[][]> {
    await this.session.call('begin', null)
    const lost: SnapshotLoss[][] = []
    for (const records of lists) {
      const losses: SnapshotLoss[] = []
      for (const record of records) {
        const loss = await this.of(record)
        if (loss) losses.push(loss)
      }
      lost.push(losses)
    }
    return lost
  }

  lostRows(): Promise<LostRows> {
    return this.session.call<LostRows>('lost rows', null)
  }

  lostPaths(): Promise<LostPathLists> {
    return this.session.call<LostPathLists>('lost paths', null)
  }

  private async of(record: SnapshotRecord): Promise<SnapshotLoss | undefined> {
    const bySource = new Map<string, LossAnswer>()
    const lostFacts: string[] = []
    let [entries, bytes] = [0, 0]
    for (const source of record.sources) {
      throwIfAborted(this.signal)
      if (source.factsRef && (await this.isLost(source.factsRef))) lostFacts.push(source.name)
      const root = treeRoot(source)
      if (!root) continue
      const job: LossJob = { source: source.name, root, listed: MAX_ENTRIES }
      const answer = await this.session.call<LossAnswer>('losses', job)
      if (answer.missed === 0 && answer.entries === 0) continue
      bySource.set(source.name, answer)
      entries += answer.entries
      bytes += answer.bytes
    }
    if (bySource.size === 0 && lostFacts.length === 0) return undefined
    return { snapshot: record.id, entries, bytes, bySource, lostFacts }
  }

  private isLost({ id, rawBytes }: { id: string; rawBytes: number }): Promise<boolean> {
    const bytes = new Uint8Array(Buffer.from(id, 'base64url'))
    return this.session.call<boolean>('lost', { id: bytes, bytes: rawBytes })
  }

  async close(): Promise<void> {
    await this.reading.end(this.session)
  }
}

/** For a plan: one line for each entry, whatever number of snapshots have lost it. */
export function planLosses(losses: readonly SnapshotLoss[], unreadable: readonly string[]): RepairLosses {
  const byEntry = new Map<string, { path: string; entries: number; bytes: number; snapshots: string[] }>()
  for (const { snapshot, bySource } of losses) {
    for (const [source, { list }] of bySource) {
      for (const { path, entries, bytes } of list) {
        const key = `${source}/${path} ${entries} ${bytes}`
        const known = byEntry.get(key)
        if (known) known.snapshots.push(snapshot)
        else if (byEntry.size < MAX_ENTRIES) {
          byEntry.set(key, { path: `${source}/${path}`, entries, bytes, snapshots: [snapshot] })
        }
      }
    }
  }
  const readable = losses.map(({ snapshot, entries, bytes }) => ({ snapshot, entries, bytes, unreadable: false }))
  const lost = unreadable.map((snapshot) => ({ snapshot, entries: 0, bytes: 0, unreadable: true }))
  return {
    snapshots: [...readable, ...lost].sort((a, b) => (a.snapshot < b.snapshot ? -1 : 1)),
    entries: [...byEntry.values()].sort(byPath) satisfies LostEntry[],
    total: {
      entries: losses.reduce((sum, { entries }) => sum + entries, 0),
      bytes: losses.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  }
}

function byPath(a: LostEntry, b: LostEntry): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : b.bytes - a.bytes
}
