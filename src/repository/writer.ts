/**
 * The main thread's part of writing: sessions in the workers, packs to the target, index fragments behind them. The
 * order is the protocol's: packs, then fragments, and only the caller's commit makes them count.
 */
import { hex } from '../crypto/hash.ts'
import { BackupError } from '../errors.ts'
import type { PackFacts } from '../model/fragment.ts'
import { packBytesFor } from '../model/pack.ts'
import type { Target } from '../targets/target.ts'
import { type LinkedAbort, linkAbort, onAbort, throwIfAborted } from '../util/abort.ts'
import { packStored, type StoreCounters, type StorePlain } from '../workers/chunks/chunk-store.ts'
import { IdTable } from '../workers/chunks/id-table.ts'
import type { FinishedPack } from '../workers/ingest/pack-builder.ts'
import type { RangeRequest } from '../workers/segments/segment-open.ts'
import type { VaultPlain } from '../workers/segments/vault.ts'
import { type Handlers, Moved, type Session, type Thread } from '../workers/threads/rpc.ts'
import { keepTree } from './cache/keep-tree.ts'
import { type ObjectCache, rangeThrough } from './cache/object-cache.ts'
import { confirmStored } from './confirm-stored.ts'
import { FragmentWriter } from './fragment-writer.ts'
import type { IndexSet } from './index-set.ts'
import { PREFIX, packKey } from './keys-layout.ts'
import { readPack } from './pack-bytes.ts'
import { storedTooMuch } from './stored-limit.ts'

export interface WriterOptions {
  target: Target
  /** Gets copies of fragments and pages, so that the next process need not ask for them. */
  cache: ObjectCache
  vault: VaultPlain
  index: IndexSet
  threads: readonly Thread[]
  runId: string
  onUnreadable: 'fail' | 'skip'
  /** LIMIT_EXCEEDED once more than this would be stored. */
  maxStoredBytes?: number | undefined
  signal: AbortSignal
  onStored(bytes: number): void
  /** Bytes of a large file that is still being read. */
  onRead(bytes: number): void
}

/** Entries that are not taken are never touched and cost address space; slots are, all over the table. */
const FIRST_CLAIMS = 1 << 20
const CLAIMS_GROWTH = 2
/** Room that a table still has when the next one begins: two packs of tiny files have as many. */
const CLAIMS_LEFT = 1 << 18

export class RepositoryWriter {
  private readonly options: WriterOptions
  private readonly packs: Pick<PackFacts, 'name' | 'packBytes'>[] = []
  private claims: IdTable[] = []
  private sessions: Session[] = []
  private storedBytes = 0
  tree!: Session
  ingest: Session[] = []
  private readonly added: Session[] = []
  private fragments: FragmentWriter | undefined
  private unlink: () => void = () => undefined
  /** Of the run's signal, and of a failure: no put begins after it. */
  private readonly stop: LinkedAbort
  private readonly puts = new Set<Promise<unknown>>()

  private constructor(options: WriterOptions) {
    this.options = options
    this.stop = linkAbort(options.signal)
    this.claims.push(IdTable.create(FIRST_CLAIMS))
  }

  static async open(options: WriterOptions): Promise<RepositoryWriter> {
    const writer = new RepositoryWriter(options)
    try {
      await writer.start()
      return writer
    } catch (error) {
      await writer.close(error)
      throw error
    }
  }

  private async start(): Promise<void> {
    const { threads, vault, onUnreadable } = this.options
    const store = this.storePlain()
    const last = threads.at(-1)!
    const opening = [
      this.openSession(last, 'tree', { vault, store }),
      this.openSession(threads[0]!, 'index', { vault }),
      ...threads.map((thread) => this.openSession(thread, 'ingest', { vault, store, onUnreadable })),
    ]
    this.unlink = onAbort(this.options.signal, (reason) => this.abort(reason))
    // All of them, so that after a failure none is opened behind the back of `close`.
    await Promise.allSettled(opening)
    const [tree, indexer, ...ingest] = await Promise.all(opening)
    this.tree = tree!
    this.fragments = this.fragmentWriter(indexer!)
    this.ingest = ingest
  }

  private fragmentWriter(indexer: Session): FragmentWriter {
    const { target, cache, runId } = this.options
    return new FragmentWriter({ target, cache, runId, indexer, put: (key, bytes) => this.put(key, bytes) })
  }

  private storePlain(): StorePlain {
    const { target, index } = this.options
    const claims = this.claims.map(({ plain }) => plain)
    return { tables: index.plain, claims, packBytes: packBytesFor(target) }
  }

  /** One more session that fills packs of this run. Its `finish` is called with that of the others. */
  async add(service: string, init: object): Promise<Session> {
    const { vault, threads } = this.options
    const session = await this.openSession(threads[0]!, service, { ...init, vault, store: this.storePlain() })
    this.added.push(session)
    return session
  }

  private async openSession(thread: Thread, service: string, init: unknown): Promise<Session> {
    const session = await thread.open(service, init, this.handlers())
    this.sessions.push(session)
    const { signal } = this.stop
    if (signal.aborted) session.abort(signal.reason)
    return session
  }

  private handlers(): Handlers {
    return {
      pack: (pack: FinishedPack) => this.store(pack),
      range: (request: RangeRequest) => this.range(request),
      progress: ({ bytes }: { bytes: number }) => this.options.onRead(bytes),
    }
  }

  private async range(request: RangeRequest): Promise<Moved> {
    const { target, cache, index, signal } = this.options
    const fetch = ({ pack, start, end }: RangeRequest): Promise<Uint8Array<ArrayBuffer>> =>
      readPack(target, pack, { range: { start, end }, signal })
    const bytes = await rangeThrough(cache, request, fetch, index.pages.eager)
    return new Moved(bytes, [bytes.buffer])
  }

  private async store(pack: FinishedPack): Promise<Moved> {
    const { maxStoredBytes, onStored } = this.options
    this.storedBytes += pack.packBytes
    if (maxStoredBytes !== undefined && this.storedBytes > maxStoredBytes) throw storedTooMuch(maxStoredBytes)
    const sha256 = hex(pack.name)
    await this.put(packKey(sha256), pack.bytes, sha256)
    const { name, packBytes } = pack
    this.packs.push({ name, packBytes })
    this.fragments!.note(pack)
    await keepTree(this.options.cache, sha256, pack)
    onStored(packBytes)
    this.growClaims()
    return packStored(pack.bytes)
  }

  /** Known while it is under way, so that nothing is stored after `close`. */
  private async put(key: string, bytes: Uint8Array<ArrayBuffer>, sha256?: string): Promise<void> {
    const { signal } = this.stop
    throwIfAborted(signal)
    const put = this.options.target.put(key, bytes, { signal, sha256 })
    this.puts.add(put)
    try {
      await put
    } finally {
      this.puts.delete(put)
    }
  }

  /** Names of the packs that this run has stored. */
  get storedPacks(): string[] {
    return this.packs.map(({ name }) => hex(name))
  }

  /** A full table would only cost some duplicates; a new one comes before that. */
  private growClaims(): void {
    const newest = this.claims.at(-1)!
    if (newest.count < newest.capacity - CLAIMS_LEFT) return
    const next = IdTable.create(newest.capacity * CLAIMS_GROWTH)
    this.claims.push(next)
    // Not awaited: a worker takes it after the job that now waits for this pack. Too late costs duplicates only.
    for (const session of [this.tree, ...this.ingest]) void session.call('claims', next.plain).catch(() => undefined)
  }

  /** Everything is durable and recorded once this resolves; the index of this process knows it too. */
  async finish(): Promise<StoreCounters> {
    const counters = await Promise.all(
      [this.tree, ...this.ingest, ...this.added].map((each) => each.call<StoreCounters>('finish', null)),
    )
    await this.fragments!.finish()
    return {
      newChunks: counters.reduce((sum, each) => sum + each.newChunks, 0),
      newBytes: counters.reduce((sum, each) => sum + each.newBytes, 0),
      storedBytes: this.storedBytes,
    }
  }

  /**
   * After the commit. Lets later runs of this process find what was stored, without reading the fragments back, and takes
   * those away whose union is there: anybody may do that at any time.
   */
  async publish(): Promise<void> {
    if (this.packs.length === 0) return
    const { keys, superseded } = this.fragments!
    this.options.index.add(await this.fragments!.tables(), [...keys, ...superseded])
    if (superseded.length > 0) await this.options.target.delete(superseded, { signal: this.options.signal })
  }

  private abort(reason: unknown): void {
    for (const session of this.sessions) session.abort(reason)
  }

  /** Looks at everything this run stored, as the target has it now. */
  async confirm(): Promise<void> {
    const { target, signal, index, runId } = this.options
    const packs = this.packs.map(({ name, packBytes }) => ({ key: packKey(hex(name)), bytes: packBytes }))
    await confirmStored(target, packs, { prefix: PREFIX.packs, others: index.packCount, runId, signal })
    await this.confirmFragments().catch(async (error: unknown) => {
      if (!BackupError.is(error) || error.code !== 'TARGET_PROTOCOL') throw error
      // A prune that has ended meanwhile may have merged them into one whose name is not known here.
      await this.fragments!.sayAgain()
      await this.confirmFragments()
    })
  }

  private confirmFragments(): Promise<void> {
    const { target, signal, index, runId } = this.options
    const others = index.fragments
    return confirmStored(
      target,
      this.fragments!.keys.map((key) => ({ key })),
      { prefix: PREFIX.index, others, runId, signal },
    )
  }

  /** Ends the sessions; after a failure or an abort their work is dropped. */
  async close(reason?: unknown): Promise<void> {
    if (reason !== undefined) {
      this.stop.abort(reason)
      this.abort(reason)
    }
    this.unlink()
    this.stop.dispose()
    await Promise.allSettled(this.sessions.map((session) => session.close()))
    await this.fragments?.settle()
    await Promise.allSettled(this.puts)
  }
}
