/** The chunk index of an open repository as the main thread keeps it: which fragments are loaded, and their shared tables. */
import { BackupError } from '../errors.ts'
import type { ObjectInfo, Target } from '../targets/target.ts'
import { mapBounded } from '../util/concurrency.ts'
import { ChunkIndex, ChunkTable, type ChunkTablePlain, type IndexedSegment } from '../workers/chunks/chunk-index.ts'
import type { DamagedFragment, StoredFragment } from '../workers/chunks/index-build.ts'
import type { Session } from '../workers/threads/rpc.ts'
import { NO_CACHE, type ObjectCache } from './cache/object-cache.ts'
import { PagesAhead } from './cache/pages-ahead.ts'
import { PREFIX } from './keys-layout.ts'

/** Many small tables make look-ups slow (each is a probe of its own); beyond this they are built anew as one. */
const MAX_TABLES = 12
const LIST_AGAIN = 3
/** Of fragments at once on their way, and as much again in the worker. */
const FETCHED_BYTES = 16 * 1024 * 1024

export class IndexSet {
  private readonly target: Target
  private readonly near: ObjectCache
  private tables: ChunkTable[] = []
  private readonly loaded = new Set<string>()
  private readonly absent = new Set<string>()
  private readonly condemned = new Set<string>()
  private damagedFragments: DamagedFragment[] = []
  /** Reads pages that are not near. */
  readonly pages: PagesAhead

  /** Without `near` every fragment is read from the target. */
  constructor(target: Target, near: ObjectCache = NO_CACHE) {
    this.target = target
    this.near = near
    this.pages = new PagesAhead(near, (pack) => this.treeSegments(pack))
  }

  private treeSegments(name: string): IndexedSegment[] | undefined {
    for (const table of this.tables) {
      for (let pack = 0; pack < table.packCount; pack++) {
        if (table.packIsTree(pack) && table.packName(pack) === name) return table.segmentsOf(pack)
      }
    }
    return undefined
  }

  /** Tables for a worker session; shared memory, nothing is copied. */
  get plain(): ChunkTablePlain[] {
    return this.tables.map((table) => table.plain)
  }

  get index(): ChunkIndex {
    return new ChunkIndex(this.plain)
  }

  get damaged(): readonly DamagedFragment[] {
    return this.damagedFragments
  }

  /** True, once, if fragments were sealed under keys that were not known: the next refresh reads them again. */
  forgetNewEpochs(): boolean {
    const unread = this.damagedFragments.filter(({ isNewEpoch }) => isNewEpoch)
    for (const { key } of unread) this.loaded.delete(key)
    this.damagedFragments = this.damagedFragments.filter(({ isNewEpoch }) => !isNewEpoch)
    return unread.length > 0
  }

  get fragments(): number {
    return this.loaded.size
  }

  get chunks(): number {
    return this.tables.reduce((sum, table) => sum + table.chunks, 0)
  }

  get sizeBytes(): number {
    return this.tables.reduce((sum, table) => sum + table.sizeBytes, 0)
  }

  get packCount(): number {
    return this.tables.reduce((sum, table) => sum + table.packCount, 0)
  }

  /** Packs by name, absent ones left out. */
  packs(): Map<string, number> {
    const packs = new Map<string, number>()
    for (const table of this.tables) {
      for (let pack = 0; pack < table.packCount; pack++) {
        if (!table.packIsAbsent(pack)) packs.set(table.packName(pack), table.packSize(pack))
      }
    }
    return packs
  }

  /** Takes packs that are dead out of use, now and for tables yet to come. */
  markAbsent(names: ReadonlySet<string>): void {
    for (const name of names) this.absent.add(name)
    for (const table of this.tables) table.markAbsent(names)
  }

  /**
   * The same for packs that a prune has named and may still let live: writers pass them by, readers need not. For as long
   * as this is in use: a run that is under way relies on it, and what is passed by in vain is only stored once more.
   */
  markCondemned(names: ReadonlySet<string>): void {
    for (const name of names) this.condemned.add(name)
    for (const table of this.tables) table.markCondemned(names)
  }

  /** Tables of packs that this process stored, and the fragments that say so. */
  add(tables: readonly ChunkTablePlain[], fragmentKeys: readonly string[]): void {
    for (const table of tables) this.tables.push(this.marked(table))
    for (const key of fragmentKeys) this.loaded.add(key)
  }

  private marked(plain: ChunkTablePlain): ChunkTable {
    return this.mark(new ChunkTable(plain))
  }

  private mark(table: ChunkTable): ChunkTable {
    if (this.absent.size > 0) table.markAbsent(this.absent)
    if (this.condemned.size > 0) table.markCondemned(this.condemned)
    return table
  }

  /** Reads what is new in `index/`. A fragment that is gone was merged into another: list again. */
  async refresh(builder: () => Promise<Session>, signal?: AbortSignal): Promise<void> {
    if (this.tables.length > MAX_TABLES) await this.rebuild(builder, signal)
    else await this.load(builder, signal)
  }

  /** Beside the old tables, which others look things up in meanwhile, and which stay if this fails. */
  private async rebuild(builder: () => Promise<Session>, signal?: AbortSignal): Promise<void> {
    const before = this.tables
    const next = new IndexSet(this.target, this.near)
    next.markAbsent(this.absent)
    next.markCondemned(this.condemned)
    await next.load(builder, signal)
    // What came in the meantime stays, with its keys; its packs may be in the new table as well, which does no harm.
    const added = this.tables.filter((table) => !before.includes(table))
    this.tables = [...next.tables, ...added]
    for (const table of this.tables) this.mark(table)
    this.damagedFragments = next.damagedFragments
    if (added.length === 0) this.loaded.clear()
    for (const key of next.loaded) this.loaded.add(key)
  }

  private async load(builder: () => Promise<Session>, signal?: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < LIST_AGAIN; attempt++) {
      const fresh: ObjectInfo[] = []
      for await (const info of this.target.list(PREFIX.index, { signal })) {
        if (!this.loaded.has(info.key)) fresh.push(info)
      }
      if (fresh.length === 0) return
      const found = await this.read(fresh, builder, signal)
      if (found === fresh.length) return
    }
    throw new BackupError('OBJECT_MISSING', 'Index fragments vanished again and again while they were read.', {
      origin: 'repository',
      retryable: true,
      hint: 'Try again.',
    })
  }

  /** Gives how many were there. Nothing of them is known before all are read. */
  private async read(
    fresh: readonly ObjectInfo[],
    builder: () => Promise<Session>,
    signal?: AbortSignal,
  ): Promise<number> {
    const session = await builder()
    await session.call('begin', { maxChunks: mostChunks(fresh) })
    const first = await this.feed(session, fresh, (info) => this.getNearest(info, signal), signal)
    // What lies near may be damaged where the target's is not.
    const doubtful = fresh.filter(({ key }) => first.near.has(key) && first.damaged.some((each) => each.key === key))
    const anew = await this.feed(session, doubtful, (info) => this.getAnew(info, signal), signal)
    for (const table of await session.call<ChunkTablePlain[]>('tables', null)) this.tables.push(this.marked(table))
    for (const key of [...first.keys, ...anew.keys]) this.loaded.add(key)
    this.damagedFragments.push(...first.damaged.filter(({ key }) => !first.near.has(key)), ...anew.damaged)
    return first.keys.length - doubtful.length + anew.keys.length
  }

  /** Gives them to the worker, few at a time: while it opens some the next are fetched. */
  private async feed(
    session: Session,
    infos: readonly ObjectInfo[],
    get: (info: ObjectInfo) => Promise<FetchedFragment | undefined>,
    signal?: AbortSignal,
  ): Promise<Fed> {
    const fed: Fed = { keys: [], near: new Set(), damaged: [] }
    let adding: Promise<DamagedFragment[]> = Promise.resolve([])
    for (const part of parts(infos)) {
      const fetched = await this.fetch(part, get, signal)
      fed.damaged.push(...(await adding))
      for (const { key, isNear } of fetched) {
        fed.keys.push(key)
        if (isNear) fed.near.add(key)
      }
      const fragments = fetched.map(({ key, bytes }): StoredFragment => ({ key, bytes }))
      const transfer = fragments.map(({ bytes }) => bytes.buffer as ArrayBuffer)
      adding = session.call<DamagedFragment[]>('fragments', fragments, transfer)
      adding.catch(() => undefined)
    }
    fed.damaged.push(...(await adding))
    return fed
  }

  private async fetch(
    infos: readonly ObjectInfo[],
    get: (info: ObjectInfo) => Promise<FetchedFragment | undefined>,
    signal?: AbortSignal,
  ): Promise<FetchedFragment[]> {
    const fetched: FetchedFragment[] = []
    for await (const fragment of mapBounded(infos, this.target.traits.maxConcurrency, get, signal)) {
      if (fragment) fetched.push(fragment)
    }
    return fetched
  }

  private async getNearest({ key, size }: ObjectInfo, signal?: AbortSignal): Promise<FetchedFragment | undefined> {
    const near = await this.near.get({ key, bytes: size })
    if (near !== undefined) return { key, bytes: near, isNear: true }
    const bytes = await getOrUndefined(this.target, key, signal)
    if (bytes === undefined) return undefined
    await this.near.put({ key, bytes: bytes.byteLength }, bytes)
    return { key, bytes, isNear: false }
  }

  private async getAnew({ key, size }: ObjectInfo, signal?: AbortSignal): Promise<FetchedFragment | undefined> {
    await this.near.drop({ key, bytes: size })
    const bytes = await getOrUndefined(this.target, key, signal)
    return bytes && { key, bytes, isNear: false }
  }
}

interface FetchedFragment extends StoredFragment {
  isNear: boolean
}

interface Fed {
  keys: string[]
  near: Set<string>
  damaged: DamagedFragment[]
}

/** Of about so many bytes, or one fragment. */
function* parts(infos: readonly ObjectInfo[]): Generator<ObjectInfo[]> {
  let part: ObjectInfo[] = []
  let bytes = 0
  for (const info of infos) {
    if (part.length > 0 && bytes + info.size > FETCHED_BYTES) {
      yield part
      part = []
      bytes = 0
    }
    part.push(info)
    bytes += info.size
  }
  if (part.length > 0) yield part
}

/** An id is 32 bytes that cannot be compressed. */
function mostChunks(infos: readonly ObjectInfo[]): number {
  return Math.ceil(infos.reduce((sum, { size }) => sum + size, 0) / 32)
}

export async function getOrUndefined(
  target: Target,
  key: string,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await target.get(key, { signal })
  } catch (error) {
    if (BackupError.is(error) && error.code === 'TARGET_OBJECT_NOT_FOUND') return undefined
    throw error
  }
}
