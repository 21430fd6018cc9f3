/** What snapshots have lost, entry by entry. */
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { IdSet, type LossAnswer, type LossJob } from '../../workers/repair/losses.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { LostEntry, RepairLosses } from '../types/repair.ts'
import type { CheckWork } from '../verify/check-work.ts'
import type { Mirrors } from './mirrors.ts'
import { openRepair } from './stock.ts'
import type { Survey } from './survey.ts'

/** Of one source of one snapshot; looked for where they came from. */
const MAX_LISTED = 10_000
/** In a plan. */
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

  /** From now on these chunks, CHUNK_ROW_BYTES each, count as being there. */
  async save(rows: Uint8Array): Promise<void> {
    await this.session.call('saved', rows)
  }

  async of(record: SnapshotRecord): Promise<SnapshotLoss | undefined> {
    const bySource = new Map<string, LossAnswer>()
    const lostFacts: string[] = []
    let [entries, bytes] = [0, 0]
    for (const source of record.sources) {
      throwIfAborted(this.signal)
      if (source.factsRef && (await this.isLost(source.factsRef))) lostFacts.push(source.name)
      const root = treeRoot(source)
      if (!root) continue
      const job: LossJob = { source: source.name, root, listed: MAX_LISTED }
      const answer = await this.session.call<LossAnswer>('losses', job)
      if (answer.chunks.length === 0) continue
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

/** All chunks that are nowhere, each once, CHUNK_ROW_BYTES each. */
export function lostChunks(losses: readonly SnapshotLoss[]): Uint8Array {
  const seen = new IdSet()
  const rows: Uint8Array[] = []
  for (const { bySource } of losses) {
    for (const { chunks } of bySource.values()) {
      for (let at = 0; at < chunks.length; at += CHUNK_ROW_BYTES) {
        const row = chunks.subarray(at, at + CHUNK_ROW_BYTES)
        if (seen.add(row)) rows.push(row)
      }
    }
  }
  return Buffer.concat(rows)
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
