/** Worker service 'browse': entries of a snapshot's sources, and the content of one, without the main thread decoding any. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, isContainer, TYPE_DIRECTORY } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { comparePaths, latin1ToUser } from '../../util/paths.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { type ContentClaim, type ContentProof, claimAt, proofOf } from '../ingest/content-proof.ts'
import { SegmentWindows } from '../segments/segment-windows.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { contentPieces } from './content-pieces.ts'
import { type ContentsAnswer, type ContentsRequest, listContents } from './listed-contents.ts'
import { mainStream, metaAt, streamsAt } from './listed-entry.ts'
import { EntryCursor } from './page-cursor.ts'

export interface BrowseInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  /** Of pages and chunk lists; 1 MiB each. */
  cachedSegments?: number
}

export interface ListRequest {
  root: TreeRoot
  source: string
  /** latin1; '' = the source itself. Entries below it are listed; one that holds none is listed itself. */
  folder: string
  /** Also what lies in folders below. */
  recursive: boolean
  /** latin1; where to begin (see `behindEntry`, `behindFolder`). Absent: at the beginning. */
  from?: string | undefined
  /** Lower-case; only entries whose `<source>/<path>` holds it. */
  search?: string | undefined
  limit: number
}

export interface ListAnswer {
  entries: EntryMeta[]
  /** `from` of the next request; absent at the end. */
  next?: string
  /** False if there is no such entry and nothing below it. Only said where the request has no `from`. */
  found: boolean
}

export interface FoundEntry {
  meta: EntryMeta
  /** Where its content is; null for what has none. */
  stream: StreamRefs | null
}

export interface ContentRequest {
  stream: StreamRefs
  /** Bytes [start, end). */
  start: number
  end: number
}

export interface ClaimsAnswer {
  claims: ContentClaim[]
  /** `from` of the next request; absent at the end. */
  next?: string
}

/** Claims that one call gives. */
const MAX_CLAIMS = 1000
/** Entries that one call looks at: an abort, and the host's own work where there are no threads, get in after them. */
const MAX_VISITS = 16_384

export async function createBrowse(init: BrowseInit, host: Host): Promise<Service> {
  return new BrowseService(await createVault(init.vault), init, host)
}

class BrowseService implements Service {
  private readonly vault: Vault
  private readonly reader: ChunkReader
  private readonly host: Host
  private pieces: AsyncGenerator<Uint8Array<ArrayBuffer>> | undefined

  constructor(vault: Vault, init: BrowseInit, host: Host) {
    this.vault = vault
    this.reader = new ChunkReader(vault, new ChunkIndex(init.tables), host, init.cachedSegments)
    this.host = host
  }

  call(method: string, args: unknown): Promise<unknown> | unknown {
    if (method === 'list') return this.list(args as ListRequest)
    if (method === 'find') return this.find(args as { root: TreeRoot; path: string })
    if (method === 'content') return this.openContent(args as ContentRequest)
    if (method === 'piece') return this.piece()
    if (method === 'chunk') return this.chunk(args as { id: Uint8Array; bytes: number })
    if (method === 'claims') return this.claims(args as { root: TreeRoot; from?: string })
    if (method === 'contents') return this.contents(args as ContentsRequest)
    if (method === 'prove') return this.prove(args as { root: TreeRoot; path: string })
    throw new BackupError('INTERNAL', `browse has no method ${method}`, { origin: 'repository' })
  }

  private list(request: ListRequest): Promise<ListAnswer> {
    const open = (from: string): EntryCursor => new EntryCursor(this.reader, request.root, { from })
    return new Lister(request, new SkippingWalk(open, request.from ?? request.folder), this.host).run()
  }

  private async find({ root, path }: { root: TreeRoot; path: string }): Promise<FoundEntry | null> {
    const cursor = new EntryCursor(this.reader, root, { from: path })
    while (await cursor.next()) {
      const order = comparePaths(cursor.path!, path)
      if (order < 0) continue
      return order > 0 ? null : { meta: metaAt(cursor), stream: mainStream(streamsAt(cursor)) ?? null }
    }
    return null
  }

  private openContent({ stream, start, end }: ContentRequest): void {
    this.pieces = this.piecesOf(stream, start, end)
  }

  private piecesOf(stream: StreamRefs, start: number, end: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const windows = new SegmentWindows(this.vault, this.reader.index, this.host)
    return contentPieces(this.reader, windows, stream, start, end)
  }

  /** What entries say of their content, from a place on. */
  private async claims({ root, from = '' }: { root: TreeRoot; from?: string }): Promise<ClaimsAnswer> {
    const cursor = new EntryCursor(this.reader, root, { from })
    const claims: ContentClaim[] = []
    for (let visits = 0; await cursor.next(); ) {
      this.host.throwIfAborted()
      const path = cursor.path!
      if (comparePaths(path, from) < 0) continue
      const claim = claimAt(cursor)
      if (claim) claims.push(claim)
      if (claims.length >= MAX_CLAIMS || ++visits >= MAX_VISITS) return { claims, next: behindEntry(path) }
    }
    return { claims }
  }

  private contents({ root, from, limit }: ContentsRequest): Promise<ContentsAnswer> {
    const cursor = new EntryCursor(this.reader, root, { from })
    return listContents(cursor, { from, limit }, () => this.host.throwIfAborted())
  }

  private async prove({ root, path }: { root: TreeRoot; path: string }): Promise<ContentProof> {
    const stream = (await this.find({ root, path }))?.stream
    const pieces = stream ? this.piecesOf(stream, 0, streamBytes(stream)) : none()
    return proofOf(pieces, () => this.host.throwIfAborted())
  }

  /** The next piece of the content that was opened; null at its end. May be asked for ahead. */
  private async piece(): Promise<Moved | null> {
    this.host.throwIfAborted()
    const { value } = await this.pieces!.next()
    return value ? new Moved(value, [value.buffer]) : null
  }

  /** A record that is a chunk of its own, such as facts too large for a snapshot. */
  private async chunk({ id, bytes }: { id: Uint8Array; bytes: number }): Promise<Uint8Array> {
    return new Uint8Array(await this.reader.chunk(id, bytes))
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

/** One request. */
class Lister {
  private readonly request: ListRequest
  private readonly walk: SkippingWalk
  private readonly host: Host
  private readonly below: string
  private readonly entries: EntryMeta[] = []
  private found: boolean
  /** The child listed last, so that a folder that has an entry of its own is not made up again. */
  private lastChild: string | undefined

  constructor(request: ListRequest, walk: SkippingWalk, host: Host) {
    this.request = request
    this.walk = walk
    this.host = host
    this.below = request.folder === '' ? '' : `${request.folder}/`
    this.found = request.folder === '' || request.from !== undefined
  }

  async run(): Promise<ListAnswer> {
    const { request, walk, entries } = this
    for (let visits = 0; entries.length < request.limit && visits < MAX_VISITS; visits++) {
      this.host.throwIfAborted()
      const path = await walk.next()
      if (path === undefined || !this.takeNext(path)) return { entries, found: this.found }
    }
    return { entries, next: walk.resume, found: this.found }
  }

  /** False at the end. */
  private takeNext(path: string): boolean {
    const { request, below, walk } = this
    if (path === request.folder) return this.takeSelf()
    if (!path.startsWith(below)) return false
    this.found = true
    const slash = request.recursive ? -1 : path.indexOf('/', below.length)
    const child = slash < 0 ? path : path.slice(0, slash)
    if (child !== this.lastChild) this.add(slash < 0 ? metaAt(walk.cursor) : { path: child, type: TYPE_DIRECTORY })
    this.lastChild = child
    if (slash >= 0) walk.skipTo(behindFolder(child))
    else walk.resume = request.recursive ? behindEntry(path) : behindFolder(path)
    return true
  }

  /** What was asked for by its own path. */
  private takeSelf(): boolean {
    const meta = metaAt(this.walk.cursor)
    this.found = true
    if (isContainer(meta)) return true
    this.add(meta)
    return false
  }

  private add(meta: EntryMeta): void {
    const { source, search } = this.request
    const matches = search === undefined || `${source}/${latin1ToUser(meta.path)}`.toLowerCase().includes(search)
    if (matches) this.entries.push(meta)
  }
}

/** Entries in order that can leave out a subtree, however large: what is left of a page is stepped over, then it seeks. */
class SkippingWalk {
  cursor: EntryCursor
  /** Where a later walk goes on after what was taken. */
  resume: string
  private readonly open: (from: string) => EntryCursor
  private from: string
  private isSkipping = true

  constructor(open: (from: string) => EntryCursor, from: string) {
    this.open = open
    this.from = from
    this.resume = from
    this.cursor = open(from)
  }

  skipTo(path: string): void {
    this.from = path
    this.resume = path
    this.isSkipping = true
  }

  async next(): Promise<string | undefined> {
    const start = this.cursor
    for (;;) {
      if (this.isSkipping && this.cursor === start && start.path !== undefined && start.needsLeaf) {
        this.cursor = this.open(this.from)
      }
      if (!(await this.cursor.next())) return undefined
      const path = this.cursor.path!
      if (this.isSkipping && comparePaths(path, this.from) < 0) continue
      this.isSkipping = false
      return path
    }
  }
}

/** The first place behind an entry itself; what lies below it comes after that. */
export function behindEntry(path: string): string {
  return `${path}/`
}

/** Behind everything below a folder, and before whatever follows it: '/' is the lowest of all bytes, NUL is in no path. */
export function behindFolder(path: string): string {
  return `${path}\0`
}
