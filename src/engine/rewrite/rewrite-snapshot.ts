/**
 * A snapshot made anew without some of its entries, as a run of its own: it is committed as a backup is, beside any number of
 * others, and the one it is made from stays as it is. Whoever wants that gone forgets it then.
 */
import { newId } from '../../crypto/random.ts'
import { BackupError, type Json } from '../../errors.ts'
import type { TreeRoot } from '../../model/page.ts'
import { MAX_SNAPSHOT_BYTES, type SnapshotRecord, type SnapshotSourceRecord } from '../../model/snapshot.ts'
import { decodeSnapshotObject } from '../../model/tombstone.ts'
import { commitSnapshot } from '../../repository/commit.ts'
import { snapshotKey } from '../../repository/keys-layout.ts'
import { type Run, startRun } from '../../repository/runs.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { RepositoryWriter } from '../../repository/writer.ts'
import type { JudgePlain } from '../../workers/rewrite/judges.ts'
import type { DroppedEntry, RewriteAnswer, RewriteJob } from '../../workers/rewrite/service.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { moveLargeFacts } from '../backup/snapshot-record.ts'
import { warnOfCreateOnce } from '../create-once.ts'
import { stale } from '../plan-digest.ts'
import { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { loadFacts, type SourceFacts } from '../snapshots/source-facts.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import { requireReliable } from '../undo/reliable.ts'
import { carryNotes } from './carry-notes.ts'
import { repeatedTarget } from './repeated-target.ts'

export interface RewriteRequest {
  readonly origin: SnapshotInfo
  /** Kept in the new snapshot, as `rewrittenFrom.why`. */
  readonly why: 'repair' | 'erase'
  /** Which entries are left out. */
  readonly judge: JudgePlain
  /**
   * So many of the entries that are left out are listed, in the result and in the facts of the new snapshot's sources
   * (`holdfast.missing`). 0: their names are kept nowhere.
   */
  readonly listed: number
  /** More entries than that are not left out: PLAN_STALE. Default: any number. */
  readonly atMost?: number
}

export interface Dropped {
  readonly entries: number
  readonly bytes: number
  /** The first of each source, paths with the source before them. */
  readonly list: readonly DroppedEntry[]
}

export interface Rewritten {
  readonly snapshot: SnapshotInfo
  readonly dropped: Dropped
}

/** In the facts of a source: entries that a repair had to leave out. */
export const MISSING_FACT = 'holdfast.missing'

/**
 * Commits the new snapshot, and gives it the tags, holds and names of the old one's notes. Undefined: nothing is to be left
 * out, and nothing was committed. Leaves that stay whole are shared with the old one.
 * @throws BackupError PLAN_STALE: more would be left out than `atMost`, or the old one was forgotten meanwhile
 */
export async function rewriteSnapshot(
  engine: EngineContext,
  run: RunContext,
  lease: Lease,
  request: RewriteRequest,
): Promise<Rewritten | undefined> {
  const { repository } = engine.repository
  const { clock, host } = engine
  const options = { runId: newId(clock.now()), verb: run.verb, host, clock, signal: run.signal }
  const protocol = await startRun(repository, options)
  warnOfCreateOnce(engine, run)
  try {
    await engine.repository.refreshIndex(lease, run.signal, protocol)
    await requireKept(engine, run, lease, protocol, request)
    const rewritten = await new Rewrite(engine, run, lease, protocol, request).all()
    if (rewritten) await carryNotes(engine, run, request.origin.id, rewritten.snapshot.id)
    return rewritten
  } finally {
    await protocol.finish()
  }
}

/**
 * What stays is taken over, so it must be in no pack that a prune has named: rule 3 of the protocol. Asked only where there are
 * such packs. Of a repair, of whose origin something is nowhere, entry by entry.
 */
export async function requireKept(
  engine: EngineContext,
  run: RunContext,
  lease: Lease,
  { absent }: Run,
  { why, origin }: RewriteRequest,
): Promise<void> {
  if (why === 'erase' && absent.condemned.size > 0) await requireReliable(engine, lease, origin.record, run)
}

class Rewrite {
  private readonly engine: EngineContext
  private readonly run: RunContext
  private readonly lease: Lease
  private readonly protocol: Run
  private readonly request: RewriteRequest
  private readonly dropped = { entries: 0, bytes: 0, list: [] as DroppedEntry[] }
  private changed = false

  constructor(engine: EngineContext, run: RunContext, lease: Lease, protocol: Run, request: RewriteRequest) {
    this.engine = engine
    this.run = run
    this.lease = lease
    this.protocol = protocol
    this.request = request
  }

  async all(): Promise<Rewritten | undefined> {
    const writer = await this.openWriter()
    try {
      const sources: SnapshotSourceRecord[] = []
      for (const source of this.request.origin.record.sources) sources.push(await this.source(writer, source))
      this.requireAtMost()
      const committed = this.changed ? await this.commit(writer, sources) : undefined
      await writer.close()
      return committed && { snapshot: committed, dropped: this.dropped }
    } catch (error) {
      await writer.close(error)
      throw error
    }
  }

  private requireAtMost(): void {
    const { origin, atMost = Number.POSITIVE_INFINITY } = this.request
    if (this.dropped.entries > atMost) throw stale(`More of snapshot ${origin.id} is lost than when it was looked at.`)
  }

  /** What somebody forgets or erases meanwhile must not come back as another snapshot. */
  private async requireOrigin(): Promise<void> {
    const { repository } = this.engine.repository
    const { id } = this.request.origin
    const key = snapshotKey(id)
    const stored = await repository.records.find(key, { signal: this.run.signal })
    const opened = stored && repository.records.open('snapshots', key, stored, MAX_SNAPSHOT_BYTES)
    if (opened && 'snapshot' in decodeSnapshotObject(opened, key)) return
    throw stale(`Snapshot ${id} was forgotten meanwhile.`)
  }

  private openWriter(): Promise<RepositoryWriter> {
    const { engine, run } = this
    const { repository, index } = engine.repository
    return RepositoryWriter.open({
      target: repeatedTarget(engine, run),
      cache: repository.cache,
      vault: engine.repository.vault(),
      index,
      threads: this.lease.threads,
      runId: this.protocol.runId,
      onUnreadable: 'fail',
      signal: run.signal,
      onStored: (bytes) => run.progress.add({ storedBytes: bytes }),
      onRead: () => run.progress.touch(),
    })
  }

  private async source(writer: RepositoryWriter, record: SnapshotSourceRecord): Promise<SnapshotSourceRecord> {
    const root = treeRoot(record)
    if (!root) return this.withFacts(record, undefined)
    const { judge, listed } = this.request
    const job: RewriteJob = { source: record.name, root, judge, listed }
    const answer = await writer.tree.call<RewriteAnswer>('rewrite', job)
    this.run.progress.add({ items: record.entries })
    if (!answer.changed) return this.withFacts(record, undefined)
    this.changed = true
    this.count(record.name, answer)
    const { entries, contentBytes: bytes } = answer
    return this.withFacts({ ...record, root: rootRecord(answer.root), entries, bytes }, answer)
  }

  private count(source: string, { dropped }: RewriteAnswer): void {
    this.dropped.entries += dropped.entries
    this.dropped.bytes += dropped.bytes
    this.dropped.list.push(...dropped.list.map((each) => ({ ...each, path: `${source}/${each.path}` })))
  }

  /** Facts that are lost are left out, if that is what this is for. */
  private async withFacts(
    record: SnapshotSourceRecord,
    answer: RewriteAnswer | undefined,
  ): Promise<SnapshotSourceRecord> {
    const { why, listed } = this.request
    if (why !== 'repair') return record
    const found = await this.factsOf(record)
    const { factsRef, ...rest } = record
    if (found === undefined) this.changed = true
    else if (factsRef) await this.requireKeptFacts(record)
    if (found !== undefined && (answer === undefined || listed === 0)) return record
    const facts = { ...(found ?? {}), ...(answer && listed > 0 && { [MISSING_FACT]: missing(found, answer) }) }
    return { ...rest, facts }
  }

  private async requireKeptFacts(record: SnapshotSourceRecord): Promise<void> {
    const { engine, run, lease, protocol, request } = this
    if (protocol.absent.condemned.size === 0) return
    await requireReliable(engine, lease, { id: request.origin.id, sources: [{ ...record, root: null }] }, run)
  }

  private async factsOf(record: SnapshotSourceRecord): Promise<SourceFacts | undefined> {
    if (!record.factsRef) return record.facts
    const reading = new Reading(this.engine, { ...this.lease, release: () => undefined }, this.run.signal)
    try {
      return await loadFacts(reading, record)
    } catch (error) {
      if (isLoss(error)) return undefined
      throw error
    } finally {
      await reading.close()
    }
  }

  private async commit(writer: RepositoryWriter, sources: SnapshotSourceRecord[]): Promise<SnapshotInfo> {
    const { repository } = this.engine.repository
    const draft = await moveLargeFacts(this.record(sources), (bytes) => writer.tree.call('put', bytes))
    await writer.finish()
    await writer.confirm()
    await this.requireOrigin()
    const info = await commitSnapshot({
      records: repository.records,
      run: this.protocol,
      snapshot: draft,
      clock: this.engine.clock,
      cache: repository.cache,
      signal: this.run.signal,
    })
    // Durable by now: what fails here only costs reading the fragments back.
    await writer.publish().catch(() => undefined)
    return info
  }

  private record(sources: SnapshotSourceRecord[]): SnapshotRecord {
    const { origin, why } = this.request
    const { record } = origin
    const { entries = 0, bytes = 0 } = record.rewrittenFrom ?? {}
    const { dropped } = this
    return {
      ...record,
      id: this.protocol.runId,
      runId: this.run.runId,
      rewrittenFrom: {
        snapshot: origin.id,
        why,
        entries: entries + dropped.entries,
        bytes: bytes + dropped.bytes,
      },
      complete: record.complete && why !== 'repair',
      epoch: this.engine.repository.repository.keyring.newestEpoch,
      counts: { ...record.counts, entries: sum(sources, ({ entries }) => entries) },
      sources,
    }
  }
}

function rootRecord(root: TreeRoot | null): SnapshotSourceRecord['root'] {
  if (!root) return null
  return { id: Buffer.from(root.id).toString('base64url'), rawBytes: root.pageBytes, level: root.level }
}

/** What was left out by an earlier repair stays in the list. */
function missing(facts: SourceFacts | undefined, { dropped }: RewriteAnswer): Json {
  const before = facts?.[MISSING_FACT] as { entries?: number; bytes?: number; list?: Json[] } | undefined
  return {
    entries: (before?.entries ?? 0) + dropped.entries,
    bytes: (before?.bytes ?? 0) + dropped.bytes,
    list: [...(before?.list ?? []), ...dropped.list.map((each) => ({ ...each }))],
  }
}

function sum<T>(list: readonly T[], value: (each: T) => number): number {
  return list.reduce((total, each) => total + value(each), 0)
}

function isLoss(error: unknown): boolean {
  return BackupError.is(error) && error.origin === 'repository'
}
