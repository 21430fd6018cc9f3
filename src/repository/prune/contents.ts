/** The main thread's part of looking into a repository's contents for a prune: the index, and what snapshots need of it. */
import { BackupError } from '../../errors.ts'
import type { PageRef, TreeRoot } from '../../model/page.ts'
import type { SnapshotRecord, SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { Target } from '../../targets/target.ts'
import { onAbort } from '../../util/abort.ts'
import { mapBounded } from '../../util/concurrency.ts'
import { PruneMarks, type PruneMarksPlain } from '../../workers/prune/marks.ts'
import type { NeededRange, TableTally } from '../../workers/prune/tally.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import type { VaultPlain } from '../../workers/segments/vault.ts'
import { type Handlers, Moved, type Session, type Thread } from '../../workers/threads/rpc.ts'
import type { ObjectCache } from '../cache/object-cache.ts'
import { rangeThrough } from '../cache/object-cache.ts'
import { IndexSet } from '../index-set.ts'
import { readPack } from '../pack-bytes.ts'

export interface ContentsOptions {
  target: Target
  near: ObjectCache
  vault: VaultPlain
  /**
   * The same with all keys that there are now: others may rotate them meanwhile. Asked after a listing, so that it has the
   * keys of whatever was listed. Default: `vault`.
   */
  renew?: (() => Promise<VaultPlain>) | undefined
  threads: readonly Thread[]
  signal: AbortSignal
  /** A pack is rewritten when so much of it is needed by nobody: above 0, up to 1. */
  minDeadShare: number
  /** Entries that have been walked. */
  onWalked(entries: number): void
}

/** A place of a pack in the index; one pack may be in several tables. */
export interface PackPlace {
  table: number
  pack: number
}

export interface KnownPack {
  readonly name: string
  readonly bytes: number
  readonly places: PackPlace[]
}

export async function currentVault({ vault, renew }: Pick<ContentsOptions, 'vault' | 'renew'>): Promise<VaultPlain> {
  return (await renew?.()) ?? vault
}

function isSame({ keyring: a }: VaultPlain, { keyring: b }: VaultPlain): boolean {
  return a.epochs.length === b.epochs.length
}

/** Trees walked at once, so that one which waits for a page does not keep the others back. */
const TREES_AT_ONCE = 4

export class PruneContents {
  readonly index: IndexSet
  private readonly options: ContentsOptions
  private vault: VaultPlain
  private marks: PruneMarksPlain[] = []
  /** The tables that they are of. */
  private marked: SharedArrayBuffer[] = []
  private sessions: Session[] = []
  private next = 0
  private readonly unlink: () => void

  constructor(options: ContentsOptions) {
    this.options = options
    this.vault = options.vault
    this.unlink = onAbort(options.signal, (reason) => this.abort(reason))
    this.index = new IndexSet(options.target, options.near)
  }

  /**
   * Reads what is new in the index. Marks that were made stay.
   * @throws BackupError OBJECT_CORRUPT, FORMAT_UNSUPPORTED: what an unreadable fragment says could be all that is known of
   * chunks that are needed
   */
  async load(): Promise<void> {
    await this.endSessions()
    const { threads, signal } = this.options
    let session: Session | undefined
    const builder = async (): Promise<Session> => {
      const vault = await currentVault(this.options)
      if (session !== undefined && isSame(vault, this.vault)) return session
      this.vault = vault
      session = this.track(await threads[0]!.open('index', { vault }, {}))
      return session
    }
    await this.index.refresh(builder, signal)
    await this.endSessions()
    refuseDamaged(this.index)
    const { plain } = this.index
    this.requireSameTables(plain)
    for (const { ids } of plain.slice(this.marks.length)) this.marks.push(PruneMarks.create(ids.capacity).plain)
    for (const thread of threads) this.track(await thread.open('prune', this.init(), this.handlers()))
  }

  /** Marks belong to their tables: were those built anew, the marks would say nothing true. */
  private requireSameTables(plain: IndexSet['plain']): void {
    const isSame = this.marks.every(
      ({ chunks }, i) => plain[i]?.ids.buffer === this.marked[i] && chunks === plain[i]?.ids.capacity,
    )
    if (!isSame) throw new BackupError('INTERNAL', 'the index was built anew under its marks', { origin: 'repository' })
    this.marked = plain.map(({ ids }) => ids.buffer)
  }

  /** All marks, for a walk from the start. `load` has to follow. */
  forget(): void {
    this.marks = []
  }

  /** What a service needs that looks at the marks. */
  init(): { vault: VaultPlain; tables: IndexSet['plain']; marks: PruneMarksPlain[]; minDeadShare: number } {
    const { vault } = this
    const { minDeadShare } = this.options
    return { vault, tables: this.index.plain, marks: this.marks, minDeadShare }
  }

  /** Every pack of the index that is not absent. */
  packs(): Map<string, KnownPack> {
    const packs = new Map<string, KnownPack>()
    for (const [table, known] of this.index.index.tables.entries()) {
      for (let pack = 0; pack < known.packCount; pack++) {
        if (known.packIsAbsent(pack)) continue
        const name = known.packName(pack)
        const place = { table, pack }
        const there = packs.get(name)
        if (there) there.places.push(place)
        else packs.set(name, { name, bytes: known.packSize(pack), places: [place] })
      }
    }
    return packs
  }

  /** Marks all that these need. OBJECT_MISSING: some of it is nowhere; the marks are worth nothing then. */
  async walk(roots: readonly SnapshotRecord[]): Promise<void> {
    const sources = roots.flatMap((record) => record.sources)
    const walk = (source: SnapshotSourceRecord): Promise<void> => this.walkSource(source)
    // The newest one alone: the others share most pages with it.
    const [first, ...others] = sources
    if (first) await walk(first)
    for await (const _ of mapBounded(others, TREES_AT_ONCE, walk, this.options.signal));
  }

  /** The same, but what is nowhere is passed by. After all that is to be walked without that. */
  async walkWhatIsThere(roots: readonly SnapshotRecord[]): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.call('tolerate', true)))
    await this.walk(roots)
    await Promise.all(this.sessions.map((session) => session.call('tolerate', false)))
  }

  private async walkSource({ root, factsRef, entries, bytes }: SnapshotSourceRecord): Promise<void> {
    if (factsRef) await this.anySession().call('single', { id: idOf(factsRef.id), rawBytes: factsRef.rawBytes })
    if (!root) return
    const { level } = root
    const page: TreeRoot = {
      id: idOf(root.id),
      pageBytes: root.rawBytes,
      level,
      firstPath: '',
      fingerprintId: new Uint8Array(32),
      entries,
      contentBytes: bytes,
    }
    if (level === 0) return this.anySession().call('walk', { pages: [page], level })
    const pages = await this.anySession().call<PageRef[]>('children', { pages: [page], level })
    const shares = this.sessions.map((session, i) => ({
      session,
      pages: pages.filter((_, at) => at % this.sessions.length === i),
    }))
    await Promise.all(
      shares
        .filter((share) => share.pages.length > 0)
        .map(({ session, pages }) => session.call('walk', { pages, level: level - 1 })),
    )
  }

  /** Of each table of the index. */
  choose(): Promise<TableTally[]> {
    return this.sessions[0]!.call('choose', null)
  }

  /** Of each of these places. */
  ranges(places: readonly PackPlace[]): Promise<NeededRange[][]> {
    return this.sessions[0]!.call('ranges', places)
  }

  /** Of these packs, those that hold a chunk which is needed and is nowhere else. */
  async rescue(condemned: ReadonlySet<string>): Promise<string[]> {
    const { tables } = this.index.index
    const flags = tables.map((table) => {
      const flag = new Uint8Array(table.packCount)
      for (let pack = 0; pack < flag.length; pack++) if (condemned.has(table.packName(pack))) flag[pack] = 1
      return flag
    })
    const rescued = await this.sessions[0]!.call<number[][]>('rescue', flags)
    return [...new Set(rescued.flatMap((packs, table) => packs.map((pack) => tables[table]!.packName(pack))))]
  }

  private anySession(): Session {
    this.next = (this.next + 1) % this.sessions.length
    return this.sessions[this.next]!
  }

  private handlers(): Handlers {
    const { target, near, signal, onWalked } = this.options
    return {
      range: async (request: RangeRequest) => {
        const { pack, start, end } = request
        const fetch = (): Promise<Uint8Array<ArrayBuffer>> => readPack(target, pack, { range: { start, end }, signal })
        const bytes = await rangeThrough(near, request, fetch)
        return new Moved(bytes, [bytes.buffer])
      },
      walked: onWalked,
    }
  }

  private track(session: Session): Session {
    this.sessions.push(session)
    const { signal } = this.options
    if (signal.aborted) session.abort(signal.reason)
    return session
  }

  /** Ends what workers are doing. */
  private abort(reason: unknown): void {
    for (const session of this.sessions) session.abort(reason)
  }

  private async endSessions(): Promise<void> {
    const ending = this.sessions
    this.sessions = []
    await Promise.allSettled(ending.map((session) => session.close()))
  }

  async close(reason?: unknown): Promise<void> {
    this.unlink()
    if (reason !== undefined) this.abort(reason)
    await this.endSessions()
  }
}

function idOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}

function refuseDamaged({ damaged }: IndexSet): void {
  const first = damaged[0]
  if (first === undefined) return
  throw new BackupError('OBJECT_CORRUPT', `Nothing is pruned: the index cannot be read. ${first.message}`, {
    origin: 'repository',
    details: { key: first.key, damaged: damaged.length },
    hint: 'Run verify, and restore the fragment from a copy of the repository; then prune.',
  })
}
