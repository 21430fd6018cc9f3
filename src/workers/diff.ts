/** Worker service 'diff': two trees, or a tree and a scan, merged in path order. Pages that are equal are never opened. */
import { BackupError } from '../errors.ts'
import { type EntryMeta, readMeta } from '../model/entry.ts'
import { type EntryBatch, FLAG_CONTENT } from '../model/entry-batch.ts'
import type { TreeRoot } from '../model/page.ts'
import { ByteReader } from '../util/bytes.ts'
import { comparePaths } from '../util/paths.ts'
import { ChunkIndex, type ChunkTablePlain } from './chunk-index.ts'
import { ChunkReader } from './chunk-reader.ts'
import { EntrySelector, type SelectorPlain } from './entry-selector.ts'
import { EntryCursor, guard } from './page-cursor.ts'
import type { Host, Service } from './rpc.ts'
import { createVault, type Vault, type VaultPlain } from './vault.ts'

export interface DiffInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  source: string
  base: TreeRoot | null
  /** Absent: the head comes as scanned batches. */
  head?: TreeRoot | null
  select: SelectorPlain
}

export type DiffType = 'added' | 'modified' | 'deleted' | 'metadata' | 'type-changed'

export interface DiffRow {
  type: DiffType
  before?: EntryMeta
  after?: EntryMeta
}

export interface DiffAnswer {
  rows: DiffRow[]
  done: boolean
}

const ROWS = 512

interface Side {
  path: string
  meta: EntryMeta
  metaBytes: Uint8Array
  /** Absent for a live entry. */
  streams?: Uint8Array
  fingerprintEquals?: (other: Uint8Array, at: number) => boolean
}

export async function createDiff(init: DiffInit, host: Host): Promise<Service> {
  return new DiffService(await createVault(init.vault), init, host)
}

class DiffService implements Service {
  private readonly host: Host
  private readonly base: EntryCursor | undefined
  private readonly head: EntryCursor | undefined
  private readonly beforeSelector: EntrySelector
  private readonly afterSelector: EntrySelector
  private started = false

  constructor(vault: Vault, init: DiffInit, host: Host) {
    const reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
    this.host = host
    this.base = init.base ? new EntryCursor(reader, init.base, { fingerprints: init.head === undefined }) : undefined
    this.head = init.head ? new EntryCursor(reader, init.head) : undefined
    this.beforeSelector = new EntrySelector(init.source, init.select)
    this.afterSelector = new EntrySelector(init.source, init.select)
  }

  call(method: string, args: unknown): Promise<DiffAnswer> {
    if (method === 'next') return this.next()
    if (method === 'live') return this.live(args as { batch: EntryBatch; last: boolean })
    throw new BackupError('INTERNAL', `diff has no method ${method}`, { origin: 'repository' })
  }

  private async next(): Promise<DiffAnswer> {
    const rows: DiffRow[] = []
    const { base, head } = this
    await this.start()
    while (rows.length < ROWS && (base?.path !== undefined || head?.path !== undefined)) {
      this.host.throwIfAborted()
      const order = compareSides(base?.path, head?.path)
      const before = order <= 0 ? side(base!) : undefined
      const after = order >= 0 ? side(head!) : undefined
      this.emit(rows, before, after)
      if (before) await base!.next()
      if (after) await head!.next()
    }
    return { rows, done: base?.path === undefined && head?.path === undefined }
  }

  private async start(): Promise<void> {
    if (this.started) return
    this.started = true
    await this.base?.next()
    await this.head?.next()
  }

  private async live({ batch, last }: { batch: EntryBatch; last: boolean }): Promise<DiffAnswer> {
    const rows: DiffRow[] = []
    const { base } = this
    await this.start()
    const input = new ByteReader(batch.metas)
    for (let i = 0; i < batch.count; i++) {
      const metaBytes = input.raw(input.u32())
      const meta = readMeta(new ByteReader(metaBytes))
      await this.deletedBefore(rows, meta.path)
      const after: Side = { path: meta.path, meta, metaBytes }
      const before = base?.path === meta.path ? side(base) : undefined
      if (!before || !isSameLive(base!, before, after, batch, i)) this.emit(rows, before, after, true)
      if (before) await base!.next()
    }
    if (last) await this.deletedBefore(rows, undefined)
    return { rows, done: last }
  }

  private async deletedBefore(rows: DiffRow[], path: string | undefined): Promise<void> {
    const { base } = this
    while (base?.path !== undefined && (path === undefined || comparePaths(base.path, path) < 0)) {
      this.emit(rows, side(base), undefined)
      await base.next()
    }
  }

  private emit(rows: DiffRow[], before: Side | undefined, after: Side | undefined, live = false): void {
    const beforeTaken = before && this.beforeSelector.selects(before.meta)
    const afterTaken = after && this.afterSelector.selects(after.meta)
    if (!beforeTaken && !afterTaken) return
    const type = typeOf(before, after, live)
    if (type) rows.push({ type, ...(before && { before: before.meta }), ...(after && { after: after.meta }) })
  }
}

function side(cursor: EntryCursor): Side {
  const { page, metaStart, metaEnd, streamsStart, recordEnd } = cursor
  return {
    path: cursor.path!,
    meta: guard('page', () => readMeta(new ByteReader(page, metaStart, metaEnd))),
    metaBytes: page.subarray(metaStart, metaEnd),
    streams: page.subarray(streamsStart, recordEnd),
  }
}

function compareSides(before: string | undefined, after: string | undefined): number {
  if (before === undefined) return 1
  if (after === undefined) return -1
  return before === after ? 0 : comparePaths(before, after)
}

function isSameLive(base: EntryCursor, before: Side, after: Side, batch: EntryBatch, i: number): boolean {
  if (Buffer.compare(before.metaBytes, after.metaBytes) !== 0) return false
  return (batch.flags[i]! & FLAG_CONTENT) === 0 || base.fingerprintEquals(batch.fingerprints, i * 16)
}

/** Undefined: nothing differs that a snapshot keeps. */
function typeOf(before: Side | undefined, after: Side | undefined, live: boolean): DiffType | undefined {
  if (!before) return 'added'
  if (!after) return 'deleted'
  if (before.meta.type !== after.meta.type) return 'type-changed'
  if (isContentChanged(before, after, live)) return 'modified'
  return Buffer.compare(before.metaBytes, after.metaBytes) === 0 ? undefined : 'metadata'
}

function isContentChanged(before: Side, after: Side, live: boolean): boolean {
  if (before.meta.linkTarget !== after.meta.linkTarget) return true
  if (before.streams && after.streams) return Buffer.compare(before.streams, after.streams) !== 0
  if (!live || before.meta.sizeBytes === undefined) return false
  return before.meta.sizeBytes !== after.meta.sizeBytes || before.meta.mtimeNs !== after.meta.mtimeNs
}
