/** Worker service 'diff': two trees of one source merged in path order, or a tree and what the source holds now. */
import { BackupError } from '../../errors.ts'
import type { TreeRoot } from '../../model/page.ts'
import { comparePaths } from '../../util/paths.ts'
import { EntrySelector, type SelectorPlain } from '../browse/entry-selector.ts'
import { metaAt } from '../browse/listed-entry.ts'
import { align, MergeSide } from '../browse/merge-side.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import type { HashResult } from '../ingest/hash.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { compareStored, haveSameRecord, isSelected } from './compare.ts'
import { type LiveBatch, LiveDiff, type LiveInit } from './live.ts'
import { type DiffRow, type RowBatch, RowWriter } from './rows.ts'

export interface DiffInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  select: SelectorPlain
}

export interface TreesInit {
  source: string
  base: TreeRoot | null
  head: TreeRoot | null
  /** latin1; only what is at this path or behind it. '' = all. */
  from: string
}

export interface DiffAnswer {
  batch: RowBatch
  /** Entries dealt with since the last answer, on both sides together. */
  passed: number
  done: boolean
}

const MAX_ROWS = 1024
/** Entries that one call looks at: an abort, and the host's own work where there are no threads, get in after them. */
const MAX_PASSED = 32_768

export async function createDiff(init: DiffInit, host: Host): Promise<Service> {
  return new DiffService(await createVault(init.vault), init, host)
}

class DiffService implements Service {
  private readonly reader: ChunkReader
  private readonly select: SelectorPlain
  private readonly host: Host
  private trees: TreesDiff | undefined
  private live: LiveDiff | undefined
  private last: Promise<unknown> = Promise.resolve()

  constructor(vault: Vault, init: DiffInit, host: Host) {
    this.reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
    this.select = init.select
    this.host = host
  }

  /** Calls may be sent ahead; they run one after the other. */
  call(method: string, args: unknown): Promise<unknown> {
    const next = this.last.then(() => this.run(method, args))
    this.last = next.catch(() => undefined)
    return next
  }

  private run(method: string, args: unknown): unknown {
    this.host.throwIfAborted()
    if (method === 'trees') return this.beginTrees(args as TreesInit)
    if (method === 'next') return this.trees!.next()
    if (method === 'begin-live') return this.beginLive(args as LiveInit)
    if (method === 'live') return this.live!.take(args as LiveBatch)
    if (method === 'more') return this.live!.run()
    if (method === 'hashed') return this.live!.settle(args as { number: number; result: HashResult })
    throw new BackupError('INTERNAL', `diff has no method ${method}`, { origin: 'repository' })
  }

  private beginTrees(init: TreesInit): void {
    this.trees = new TreesDiff(this.reader, init, new EntrySelector(init.source, this.select), this.host)
  }

  private beginLive(init: LiveInit): void {
    this.live = new LiveDiff(this.reader, init, new EntrySelector(init.source, this.select), this.host)
  }
}

/** Two stored trees. */
export class TreesDiff {
  private readonly base: MergeSide
  private readonly head: MergeSide
  private readonly selector: EntrySelector
  private readonly host: Host
  private readonly rows = new RowWriter()

  constructor(reader: ChunkReader, { base, head, from }: TreesInit, selector: EntrySelector, host: Host) {
    this.base = new MergeSide(reader, base, from)
    this.head = new MergeSide(reader, head, from)
    this.selector = selector
    this.host = host
  }

  async next(): Promise<Moved> {
    const { base, head, rows } = this
    let passed = 0
    let done = false
    while (!done && rows.count < MAX_ROWS && passed < MAX_PASSED) {
      this.host.throwIfAborted()
      if (base.needsPage || head.needsPage) passed += await align(base, head)
      done = base.path === undefined && head.path === undefined
      if (!done) passed += this.mergeOne()
    }
    const answer: DiffAnswer = { batch: rows.take(), passed, done }
    return new Moved(answer, [answer.batch.rows.buffer])
  }

  /** The entry that comes first, or the two of one path. Gives how many that were. */
  private mergeOne(): number {
    const { base, head } = this
    const order = compareSides(base.path, head.path)
    if (order !== 0 || !haveSameRecord(base.cursor, head.cursor)) this.emit(order)
    if (order <= 0) base.advance()
    if (order >= 0) head.advance()
    return order === 0 ? 2 : 1
  }

  private emit(order: number): void {
    const { base, head, selector } = this
    const type = order < 0 ? 'deleted' : order > 0 ? 'added' : compareStored(base.cursor, head.cursor)
    if (!type) return
    const row: DiffRow = { type }
    if (order <= 0) row.before = metaAt(base.cursor)
    if (order >= 0) row.after = metaAt(head.cursor)
    if (isSelected(selector, row)) this.rows.add(row)
  }
}

function compareSides(before: string | undefined, after: string | undefined): number {
  if (before === undefined) return 1
  if (after === undefined) return -1
  return before === after ? 0 : comparePaths(before, after)
}
