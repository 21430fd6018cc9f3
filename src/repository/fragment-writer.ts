/**
 * The index fragments of a run. What its packs hold lies with a session in a worker, which seals it and makes tables of it: half
 * of a pack of tiny files is directory, and each copy of all of them in this thread was tens of megabytes for good.
 */
import { hex } from '../crypto/hash.ts'
import { randomBytes } from '../crypto/random.ts'
import type { PackFacts } from '../model/fragment.ts'
import type { Target } from '../targets/target.ts'
import type { ChunkTablePlain } from '../workers/chunks/chunk-index.ts'
import type { NotedSeal } from '../workers/chunks/index-build.ts'
import type { Session } from '../workers/threads/rpc.ts'
import type { ObjectCache } from './cache/object-cache.ts'
import { indexKey } from './keys-layout.ts'

export interface FragmentWriterOptions {
  target: Target
  cache: ObjectCache
  runId: string
  /** Of the service 'index', which nobody else uses. */
  indexer: Session
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
}

/** Packs between two checkpoints: an interrupted run uploads at most these again, or what took `CHECKPOINT_MS`. */
const CHECKPOINT_PACKS = 6
/** Or so much that they say: packs of tiny files are mostly directory, and a fragment is made in memory. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024
/** The least time between two on a far target, where each of them is a request more. */
const CHECKPOINT_MS = 30_000
/** A run with more fragments than this leaves their union in their place, so that whoever opens next asks for few. */
const MAX_FRAGMENTS = 2
/** Of what a fragment of many packs says. A reader takes twice as much. */
const UNION_BYTES = 16 * 1024 * 1024

export class FragmentWriter {
  private readonly options: FragmentWriterOptions
  /** Of the directory of each pack, in the order in which the worker has them. */
  private readonly sizes: number[] = []
  /** So many packs are in a fragment, or in one that is under way. */
  private recorded = 0
  private unrecordedBytes = 0
  private checkpoints: Promise<void> = Promise.resolve()
  private failure: unknown
  private checkpointedAt = performance.now()
  keys: string[] = []
  /** Fragments whose facts are in others as well. */
  superseded: string[] = []

  constructor(options: FragmentWriterOptions) {
    this.options = options
  }

  /** Of a pack that is stored. Its directory goes to the worker. */
  note({ name, packBytes, directory }: PackFacts): void {
    this.sizes.push(directory.length)
    this.unrecordedBytes += directory.length
    const facts: PackFacts = { name, packBytes, directory }
    this.options.indexer
      .call('note', facts, [directory.buffer as ArrayBuffer])
      .catch((error: unknown) => this.fail(error))
    if (this.isDue()) this.checkpoint()
  }

  private isDue(): boolean {
    if (this.unrecordedBytes < CHECKPOINT_BYTES && this.sizes.length - this.recorded < CHECKPOINT_PACKS) return false
    return !this.options.target.traits.remote || performance.now() - this.checkpointedAt >= CHECKPOINT_MS
  }

  /** Says in the repository where the chunks stored so far are. Runs behind the uploads; `finish` waits for it. */
  private checkpoint(): void {
    const [from, to] = [this.recorded, this.sizes.length]
    if (from === to) return
    this.recorded = to
    this.unrecordedBytes = 0
    this.checkpointedAt = performance.now()
    this.checkpoints = this.checkpoints
      .then(() => this.putFragment(from, to))
      .catch((error: unknown) => this.fail(error))
  }

  private fail(error: unknown): void {
    this.failure ??= error
  }

  private async putFragment(from: number, to: number): Promise<void> {
    const { indexer, runId, put, cache } = this.options
    const key = indexKey(hex(randomBytes(32)))
    const seal: NotedSeal = { key, runId, from, to }
    const sealed = await indexer.call<Uint8Array<ArrayBuffer>>('sealNoted', seal)
    await put(key, sealed)
    await cache.put({ key, bytes: sealed.byteLength }, sealed)
    this.keys.push(key)
  }

  /** All facts are stored once this resolves, in few fragments. The others stay until the commit: they are as true. */
  async finish(): Promise<void> {
    this.checkpoint()
    await this.checkpoints
    if (this.failure !== undefined) throw this.failure
    if (this.keys.length > MAX_FRAGMENTS) await this.sayAgain()
  }

  /** All facts, in fragments of new names. */
  async sayAgain(): Promise<void> {
    this.superseded.push(...this.keys)
    this.keys = []
    for (const { from, to } of portions(this.sizes, UNION_BYTES)) await this.putFragment(from, to)
  }

  /** All facts as tables of the index. The last thing to ask for: the worker has none of them afterwards. */
  tables(): Promise<ChunkTablePlain[]> {
    return this.options.indexer.call<ChunkTablePlain[]>('notedTables', null)
  }

  /** Nothing is under way any more once this resolves. */
  async settle(): Promise<void> {
    await this.checkpoints
  }
}

/** Of about so many bytes each. */
function* portions(sizes: readonly number[], maxBytes: number): Generator<{ from: number; to: number }> {
  let [from, bytes] = [0, 0]
  for (const [at, size] of sizes.entries()) {
    if (at > from && bytes + size > maxBytes) {
      yield { from, to: at }
      ;[from, bytes] = [at, 0]
    }
    bytes += size
  }
  if (from < sizes.length) yield { from, to: sizes.length }
}
