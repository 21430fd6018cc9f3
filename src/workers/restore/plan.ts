/** Worker service 'restore-plan': walks the chosen entries of a snapshot's source and gives windows of work. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, placedType, TYPE_DIRECTORY } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type ChunkRef, readStreams, type StreamRefs } from '../../model/streams.ts'
import { ByteReader } from '../../util/bytes.ts'
import { EntrySelector, type SelectorPlain } from '../browse/entry-selector.ts'
import { metaAt } from '../browse/listed-entry.ts'
import { EntryCursor, guard } from '../browse/page-cursor.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { type RestoreWindow, WindowBuilder } from './window.ts'

export interface RestorePlanInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  root: TreeRoot | null
  source: string
  select: SelectorPlain
  /** The target is: then a range that two windows need costs more than the memory of larger ones. */
  far: boolean
}

const MIB = 1024 * 1024
/** What a window holds at most. */
interface WindowLimits {
  readonly entries: number
  readonly bytes: number
}
const NEAR_WINDOW: WindowLimits = { entries: 4096, bytes: 64 * MIB }
const FAR_WINDOW: WindowLimits = { entries: 131_072, bytes: 2048 * MIB }
/** Files of several chunks, which may all be open at once. */
const MAX_PARTED_FILES = 2048

export async function createRestorePlan(init: RestorePlanInit, host: Host): Promise<Service> {
  return new RestorePlanner(await createVault(init.vault), init, host)
}

class RestorePlanner implements Service {
  private readonly reader: ChunkReader
  private readonly cursor: EntryCursor | undefined
  private readonly selector: EntrySelector
  private readonly host: Host
  private readonly firstOfGroup = new Map<string, string>()
  /** Directories whose times and modes are set when all they hold is there. */
  private readonly directories: EntryMeta[] = []
  private readonly limits: WindowLimits
  private window: WindowBuilder
  private files = 0
  private begun = new Set<number>()
  private complete: number[] = []
  private readonly windows: AsyncGenerator<RestoreWindow>

  constructor(vault: Vault, init: RestorePlanInit, host: Host) {
    this.host = host
    this.limits = init.far ? FAR_WINDOW : NEAR_WINDOW
    this.reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
    this.cursor = init.root ? new EntryCursor(this.reader, init.root) : undefined
    this.selector = new EntrySelector(init.source, init.select)
    this.window = new WindowBuilder(this.reader.index)
    this.windows = this.walk()
  }

  async call(method: string, args: unknown): Promise<unknown> {
    if (method === 'next') return this.next()
    if (method === 'directories') return this.takeDirectories(args as number)
    throw new BackupError('INTERNAL', `restore-plan has no method ${method}`, { origin: 'repository' })
  }

  private async next(): Promise<Moved> {
    const { value } = await this.windows.next()
    const window = value ?? new WindowBuilder(this.reader.index).build([], this.begun, true)
    return new Moved(
      window,
      window.jobs.map((job: { body: Uint8Array<ArrayBuffer> }) => job.body.buffer),
    )
  }

  /** Deepest first: the reverse of path order. */
  private takeDirectories(count: number): EntryMeta[] {
    return this.directories.splice(-count).reverse()
  }

  private async *walk(): AsyncGenerator<RestoreWindow> {
    const { cursor } = this
    while (cursor && (await cursor.next())) {
      this.host.throwIfAborted()
      const meta = metaAt(cursor)
      if (!this.selector.selects(meta)) continue
      for (const parent of this.selector.takeParents(meta)) this.addDirectory(parent)
      yield* this.add(meta, cursor)
      if (this.isFull()) yield this.take(false)
    }
    yield this.take(true)
  }

  private isFull(): boolean {
    const { entries, bytes, partedFiles } = this.window
    return entries >= this.limits.entries || bytes >= this.limits.bytes || partedFiles >= MAX_PARTED_FILES
  }

  private async *add(entry: EntryMeta, cursor: EntryCursor): AsyncGenerator<RestoreWindow> {
    const type = placedType(entry)
    const meta = type === entry.type ? entry : { ...entry, type }
    this.window.entries++
    if (meta.type === TYPE_DIRECTORY) {
      this.addDirectory(meta)
      return
    }
    if (this.isLink(meta)) return
    const streams = guard('page', () => readStreams(new ByteReader(cursor.page, cursor.streamsStart, cursor.recordEnd)))
    const main = streams.find(({ name }) => name === '')
    if (!main || main.refs.length === 0) this.window.simple.push(meta)
    else yield* this.addFile(meta, main)
  }

  private addDirectory(entry: EntryMeta): void {
    const meta = entry.type === TYPE_DIRECTORY ? entry : { ...entry, type: TYPE_DIRECTORY }
    this.window.directories++
    this.directories.push(meta)
  }

  /** The first name of a group carries the content; the others become links to it. */
  private isLink(meta: EntryMeta): boolean {
    if (meta.linkGroup === undefined) return false
    const first = this.firstOfGroup.get(meta.linkGroup)
    if (first === undefined) this.firstOfGroup.set(meta.linkGroup, meta.path)
    else this.window.links.push({ meta, to: first })
    return first !== undefined
  }

  private async *addFile(meta: EntryMeta, stream: StreamRefs): AsyncGenerator<RestoreWindow> {
    const file = this.files++
    this.window.openFile(file, meta, false)
    let position = 0
    for await (const ref of this.refs(stream)) {
      if (this.window.bytes >= this.limits.bytes) {
        this.window.markSplit(file)
        yield this.take(false)
        this.window.openFile(file, meta, true)
      }
      this.window.addRef(file, ref, position)
      position += ref.sizeBytes
    }
    if (position !== meta.sizeBytes) {
      throw new BackupError('OBJECT_CORRUPT', 'The content of an entry is not as long as the entry says.', {
        origin: 'repository',
      })
    }
    this.complete.push(file)
  }

  private refs(stream: StreamRefs): AsyncIterable<ChunkRef> | Iterable<ChunkRef> {
    return stream.level === 0 ? stream.refs : this.reader.contentRefs(stream.refs, stream.level)
  }

  private take(done: boolean): RestoreWindow {
    const built = this.window.build(this.complete, this.begun, done)
    for (const { file } of built.begins) this.begun.add(file)
    for (const file of this.complete) this.begun.delete(file)
    this.complete = []
    this.window = new WindowBuilder(this.reader.index)
    return built
  }
}
