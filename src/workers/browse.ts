/** Worker service 'browse': entries of a snapshot's source, page by page, without the main thread decoding any. */
import { BackupError } from '../errors.ts'
import { type EntryMeta, readMeta, TYPE_DIRECTORY } from '../model/entry.ts'
import type { TreeRoot } from '../model/page.ts'
import { readStreams, type StreamRefs, streamBytes } from '../model/streams.ts'
import { ByteReader } from '../util/bytes.ts'
import { comparePaths, latin1ToUser } from '../util/paths.ts'
import { ChunkIndex, type ChunkTablePlain } from './chunk-index.ts'
import { ChunkReader } from './chunk-reader.ts'
import { EntryCursor, guard } from './page-cursor.ts'
import type { Host, Service } from './rpc.ts'
import { createVault, type Vault, type VaultPlain } from './vault.ts'

export interface BrowseInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
}

export interface ListRequest {
  root: TreeRoot
  /** latin1; '' = the source itself. Entries below it are listed. */
  folder: string
  recursive: boolean
  /** latin1; only entries behind this one. */
  after?: string | undefined
  /** Lower-case; only entries whose path holds it. */
  search?: string | undefined
  limit: number
}

export interface ListedEntry {
  meta: EntryMeta
  contentBytes: number
}

export interface ListAnswer {
  entries: ListedEntry[]
  done: boolean
}

export interface FoundEntry {
  meta: EntryMeta
  streams: StreamRefs[]
}

export async function createBrowse(init: BrowseInit, host: Host): Promise<Service> {
  return new BrowseService(await createVault(init.vault), init, host)
}

class BrowseService implements Service {
  private readonly reader: ChunkReader
  private readonly host: Host

  constructor(vault: Vault, init: BrowseInit, host: Host) {
    this.reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
    this.host = host
  }

  call(method: string, args: unknown): Promise<unknown> {
    if (method === 'list') return this.list(args as ListRequest)
    if (method === 'find') return this.find(args as { root: TreeRoot; path: string })
    throw new BackupError('INTERNAL', `browse has no method ${method}`, { origin: 'repository' })
  }

  private async list(request: ListRequest): Promise<ListAnswer> {
    const entries: ListedEntry[] = []
    const below = request.folder === '' ? '' : `${request.folder}/`
    const walk = new SkippingWalk((from) => this.cursor(request.root, from), behind(request.after) ?? below)
    for (let path = await walk.next(); path !== undefined; path = await walk.next()) {
      this.host.throwIfAborted()
      if (!path.startsWith(below)) break
      const slash = request.recursive ? -1 : path.indexOf('/', below.length)
      if (slash >= 0) {
        walk.skipTo(behindSubtree(path.slice(0, slash)))
        continue
      }
      if (matches(path, request.search)) entries.push(entryAt(walk.cursor))
      if (entries.length >= request.limit) return { entries, done: false }
    }
    return { entries, done: true }
  }

  private cursor(root: TreeRoot, from: string): EntryCursor {
    return new EntryCursor(this.reader, root, { from })
  }

  private async find({ root, path }: { root: TreeRoot; path: string }): Promise<FoundEntry | null> {
    const cursor = this.cursor(root, path)
    while (await cursor.next()) {
      const order = comparePaths(cursor.path!, path)
      if (order < 0) continue
      if (order > 0) return null
      const { meta } = entryAt(cursor)
      const streams = guard('page', () =>
        readStreams(new ByteReader(cursor.page, cursor.streamsStart, cursor.recordEnd)),
      )
      for (const stream of streams) for (const ref of stream.refs) ref.id = ref.id && new Uint8Array(ref.id)
      return { meta, streams }
    }
    return null
  }
}

/** Entries in order that can leave out a subtree, however large: what is left of a page is stepped over, then it seeks. */
class SkippingWalk {
  cursor: EntryCursor
  private readonly open: (from: string) => EntryCursor
  private from: string
  private mustSeek = false

  constructor(open: (from: string) => EntryCursor, from: string) {
    this.open = open
    this.from = from
    this.cursor = open(from)
  }

  skipTo(path: string): void {
    this.from = path
    this.mustSeek = true
  }

  async next(): Promise<string | undefined> {
    for (;;) {
      if (this.mustSeek && this.cursor.needsLeaf) {
        await this.cursor.close()
        this.cursor = this.open(this.from)
        this.mustSeek = false
      }
      if (!(await this.cursor.next())) return undefined
      const path = this.cursor.path!
      if (comparePaths(path, this.from) < 0) continue
      this.mustSeek = false
      return path
    }
  }
}

/** The first place behind an entry itself; what lies below it comes after that. */
function behind(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `${path}/`
}

/** Sorts behind everything below the directory, and before whatever follows it: '/' is the lowest byte of all. */
function behindSubtree(path: string): string {
  return `${path}\0`
}

function entryAt(cursor: EntryCursor): ListedEntry {
  return guard('page', () => {
    const meta = readMeta(new ByteReader(cursor.page, cursor.metaStart, cursor.metaEnd))
    const streams = readStreams(new ByteReader(cursor.page, cursor.streamsStart, cursor.recordEnd))
    const main = streams.find(({ name }) => name === '')
    return { meta, contentBytes: meta.type === TYPE_DIRECTORY || !main ? 0 : streamBytes(main) }
  })
}

function matches(path: string, search: string | undefined): boolean {
  return search === undefined || latin1ToUser(path).toLowerCase().includes(search)
}
