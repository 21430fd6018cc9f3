/**
 * Worker service 'tree': merges scanned entries with the parent snapshot's, says what must be read, and builds the pages
 * of the new snapshot. Everything stays in path order; batches wait here until their files have been read.
 */
import { ID_HEADROOM } from '../../crypto/chunk-id.ts'
import { BackupError } from '../../errors.ts'
import type { EntryBatch } from '../../model/entry-batch.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { LostPages } from '../browse/page-cursor.ts'
import { ChunkIndex } from '../chunks/chunk-index.ts'
import { ChunkReader, isLost } from '../chunks/chunk-reader.ts'
import { ChunkStore, type StorePlain } from '../chunks/chunk-store.ts'
import type { IdTablePlain } from '../chunks/id-table.ts'
import type { ReadJob, ReadResult } from '../ingest/service.ts'
import { type RewriteAnswer, type RewriteJob, TreeRewrite } from '../rewrite/service.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { PageBuilder } from './page-builder.ts'
import { ParentJoin } from './parent-join.ts'
import { SourceBuild, type TreeCounts } from './source-build.ts'

export interface TreeInit {
  vault: VaultPlain
  store: StorePlain
}

export interface SourceStart {
  name: string
  /** Root of the same source in the parent snapshot. */
  parent: TreeRoot | null
}

export interface SourceEnd {
  root: TreeRoot | null
  counts: TreeCounts
  /** Of the parent's pages. */
  lost: LostPages
}

/** What a batch still needs: the job's entries are those whose content must be read. */
export interface ScannedAnswer {
  batch: number
  job: ReadJob | null
  /** Content of the entries that are as the parent has them. */
  keptBytes: number
  /** latin1; for progress. */
  lastPath: string
}

export async function createTree(init: TreeInit, host: Host): Promise<Service> {
  return new TreeService(await createVault(init.vault), init, host)
}

class TreeService implements Service {
  private readonly vault: Vault
  private readonly store: ChunkStore
  private readonly reader: ChunkReader
  private source: SourceBuild | undefined
  private last: Promise<unknown> = Promise.resolve()

  constructor(vault: Vault, init: TreeInit, host: Host) {
    this.vault = vault
    const index = new ChunkIndex(init.store.tables)
    this.reader = new ChunkReader(vault, index, host)
    // A page that is made anew since the parent's is lost must not be taken for stored.
    this.store = new ChunkStore(vault, init.store, 'tree', host, this.reader.lostPacks, index)
  }

  call(method: string, args: unknown): Promise<unknown> {
    const next = this.last.then(() => this.run(method, args))
    this.last = next.catch(() => undefined)
    return next
  }

  private run(method: string, args: unknown): unknown {
    if (method === 'begin') return this.begin(args as SourceStart)
    if (method === 'scanned') return this.scanned(args as EntryBatch)
    if (method === 'completed') return this.completed(args as { batch: number; result: ReadResult })
    if (method === 'end') return this.end()
    if (method === 'claims') return this.store.addClaims(args as IdTablePlain)
    if (method === 'rewrite') return this.rewrite(args as RewriteJob)
    if (method === 'put') return this.put(args as Uint8Array)
    if (method === 'check') return this.check(args as { id: Uint8Array; bytes: number })
    if (method === 'finish') return this.finish()
    throw new BackupError('INTERNAL', `tree has no method ${method}`, { origin: 'repository' })
  }

  private begin({ name, parent }: SourceStart): void {
    this.source = new SourceBuild(
      name,
      new ParentJoin(this.reader, parent),
      new PageBuilder(this.store, this.vault.gear),
    )
  }

  private async scanned(batch: EntryBatch): Promise<ScannedAnswer | Moved> {
    const source = this.source!
    const pending = await source.join.merge(batch, source.name)
    const number = source.enqueue(pending)
    await this.store.drain()
    const { job, keptBytes } = pending
    const answer: ScannedAnswer = { batch: number, job, keptBytes, lastPath: source.join.last }
    return job ? new Moved(answer, [job.metas.buffer, job.fingerprints.buffer]) : answer
  }

  private async completed({ batch, result }: { batch: number; result: ReadResult }): Promise<void> {
    this.source!.complete(batch, result)
    await this.store.drain()
  }

  private async end(): Promise<SourceEnd> {
    const source = this.source!
    source.enqueue(await source.join.finish())
    this.source = undefined
    const root = source.finish()
    this.store.cut()
    await this.store.drain()
    return { root, counts: source.counts(), lost: source.join.lost }
  }

  /** A tree that is stored already, without some of its entries. */
  private async rewrite(job: RewriteJob): Promise<RewriteAnswer> {
    const builder = new PageBuilder(this.store, this.vault.gear)
    const answer = await new TreeRewrite(this.reader, builder, () => this.store.drain(), job).run()
    this.store.cut()
    await this.store.drain()
    return answer
  }

  /** A record of its own, such as facts too large for the snapshot. */
  private put(bytes: Uint8Array): Uint8Array {
    const padded = new Uint8Array(ID_HEADROOM + bytes.length)
    padded.set(bytes, ID_HEADROOM)
    return this.store.put(padded, ID_HEADROOM, padded.length)
  }

  /** Of a record of the parent that could not be read: so that the same is stored again. */
  private async check({ id, bytes }: { id: Uint8Array; bytes: number }): Promise<void> {
    await this.reader.chunk(id, bytes).catch((error: unknown) => {
      if (!isLost(error)) throw error
    })
  }

  private async finish(): Promise<ChunkStore['counters']> {
    await this.store.finish()
    return this.store.counters
  }
}
