/**
 * What level 'content' adds: entries that say what their content hashes to are read and hashed anew, and sources are asked
 * what they make of their snapshots. Content that several snapshots share is read once.
 */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { Source } from '../../sources/source.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ClaimsAnswer } from '../../workers/browse/service.ts'
import type { ContentClaim, ContentProof } from '../../workers/ingest/content-proof.ts'
import { fromPlugin } from '../plugin-errors.ts'
import { type Reading, withReading } from '../reading/reading.ts'
import { ContentLanes } from '../restore/content-lanes.ts'
import { Renames } from '../restore/renames.ts'
import { SnapshotReader } from '../restore/snapshot-reader.ts'
import { loadFacts } from '../snapshots/source-facts.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import type { CheckProgress } from './check-work.ts'
import { ContentFindings } from './content-findings.ts'

export interface ContentCheck {
  readonly engine: EngineContext
  readonly signal: AbortSignal
  readonly progress: CheckProgress
  /** Ids of snapshots that are known to be damaged: what cannot be read of them has been said. */
  readonly unsound: ReadonlySet<string>
}

export async function checkContents(check: ContentCheck, infos: readonly SnapshotInfo[]): Promise<ContentFindings> {
  const { engine, signal, progress } = check
  const findings = new ContentFindings()
  progress.phase('content')
  await withReading(engine, signal, async (reading) => {
    const contents = new ContentChecks(check, reading, findings)
    for (const info of infos) {
      for (const source of info.record.sources) {
        await contents.claims(info, source)
        await contents.askSource(info, source)
      }
    }
  })
  return findings
}

class ContentChecks {
  private readonly check: ContentCheck
  private readonly reading: Reading
  private readonly findings: ContentFindings
  private readonly lanes: ContentLanes
  /** By the key of a claim. */
  private readonly proofs = new Map<string, ContentProof | BackupError>()

  constructor(check: ContentCheck, reading: Reading, findings: ContentFindings) {
    this.check = check
    this.reading = reading
    this.findings = findings
    this.lanes = new ContentLanes(reading)
  }

  async claims({ id }: SnapshotInfo, source: SnapshotSourceRecord): Promise<void> {
    const root = treeRoot(source)
    if (!root) return
    const prove = (claim: ContentClaim): Promise<void> => this.claim(id, source.name, root, claim)
    const { threads } = this.reading.lease
    for await (const _ of mapBounded(this.listed(id, root), threads.length, prove, this.check.signal));
  }

  private async *listed(snapshot: string, root: TreeRoot): AsyncGenerator<ContentClaim> {
    const session = await this.reading.open('browse')
    let from: string | undefined
    do {
      const answer = await this.unless(snapshot, () => session.call<ClaimsAnswer>('claims', { root, from }))
      yield* answer?.claims ?? []
      from = answer?.next
    } while (from !== undefined)
    await this.reading.end(session)
  }

  private async claim(snapshot: string, source: string, root: TreeRoot, claim: ContentClaim): Promise<void> {
    const known = this.proofs.get(claim.key)
    const proof = known ?? (await this.prove(root, claim.path))
    if (!known) this.proofs.set(claim.key, proof)
    const path = `${source}/${latin1ToUser(claim.path)}`
    if (!(proof instanceof Error)) this.findings.compare(snapshot, path, claim, proof)
    else if (!this.check.unsound.has(snapshot)) this.findings.unreadable(snapshot, path, claim, proof)
  }

  private async prove(root: TreeRoot, path: string): Promise<ContentProof | BackupError> {
    const lane = await this.lanes.take()
    let isDone = false
    try {
      const proof = await lane.session.call<ContentProof>('prove', { root, path })
      isDone = true
      this.check.progress.touch()
      return proof
    } catch (error) {
      if (BackupError.is(error) && error.origin === 'repository' && !this.check.signal.aborted) return error
      throw error
    } finally {
      await (isDone ? this.lanes.give(lane) : this.lanes.end(lane))
    }
  }

  /** What the repository has lost of a snapshot that is known to be damaged has been said already. */
  private async unless<T>(snapshot: string, body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body()
    } catch (error) {
      if (BackupError.is(error) && error.origin === 'repository' && this.check.unsound.has(snapshot)) return undefined
      throw error
    }
  }

  async askSource(info: SnapshotInfo, record: SnapshotSourceRecord): Promise<void> {
    const { name, kind } = record
    const source = this.check.engine.sources.find((each) => each.name === name && each.kind === kind)
    if (!source?.check) return
    const found = await this.unless(info.id, () => this.ask(source, info, record))
    for (const finding of found ?? []) this.findings.ofSource(info.id, name, finding)
  }

  private async ask(source: Source, { id }: SnapshotInfo, record: SnapshotSourceRecord): Promise<Finding[]> {
    const { name } = record
    const { signal } = this.check
    const facts = await loadFacts(this.reading, record)
    const select = { include: [], exclude: [] }
    const options = { snapshot: id, source: name, root: treeRoot(record), select, renames: new Renames() }
    const reader = new SnapshotReader(this.reading, options)
    try {
      const check = () => source.check!({ signal, facts, reader })
      return await fromPlugin('source', 'SOURCE_UNREACHABLE', name, check)
    } finally {
      await reader.close()
    }
  }
}
