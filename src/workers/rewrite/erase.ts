/**
 * Worker service 'erase': looks through trees for entries that are to be erased, and for others that hold the same content.
 * Snapshots share most pages: each is looked at once, and what was found below it is remembered.
 */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, TYPE_SCRIPT, TYPE_TABLE } from '../../model/entry.ts'
import { decodeInner, type PageRef, type TreeRoot } from '../../model/page.ts'
import type { StreamRefs } from '../../model/streams.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { EntrySelector, type SelectorPlain } from '../browse/entry-selector.ts'
import { metaAt, streamsAt } from '../browse/listed-entry.ts'
import { EntryCursor, guard } from '../browse/page-cursor.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { createVault, type VaultPlain } from '../segments/vault.ts'
import type { Host, Service } from '../threads/rpc.ts'

/** The main thread answers 'range' (bytes of a pack) and 'walked' (entries that were looked at). */
export interface EraseInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  /** Which entries are to be erased. */
  drop: SelectorPlain
  /** So many paths are listed, of each kind. */
  listed: number
}

export interface EraseJob {
  source: string
  root: TreeRoot
}

/** Of one tree. */
export interface EraseCount {
  entries: number
  /** Of content. */
  bytes: number
  /** Some of them are no files: a database needs all its parts. */
  hasParts: boolean
}

export interface SharedPath {
  /** With the source before it. */
  path: string
  /** Of its content, those that are in what is to be erased as well. */
  bytes: number
  /** Another name of a file that is to be erased. */
  linked: boolean
}

/** What was found in all trees so far. */
export interface EraseFindings {
  /** The first of those to be erased. */
  paths: string[]
  /** How many there are. */
  distinctPaths: number
  shared: SharedPath[]
  distinctShared: number
}

export async function createErase(init: EraseInit, host: Host): Promise<Service> {
  const vault = await createVault(init.vault)
  const reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
  const survey = new EraseSurvey(reader, init)
  return {
    async call(method, args) {
      if (method === 'count') return await survey.count(args as EraseJob)
      if (method === 'share') return await survey.share(args as EraseJob)
      if (method === 'findings') return survey.findings
      throw new BackupError('INTERNAL', `erase has no method ${method}`, { origin: 'repository' })
    },
  }
}

const NOTHING: EraseCount = { entries: 0, bytes: 0, hasParts: false }
/** Of an id: enough to tell chunks apart. */
const KEY_BYTES = 16

class EraseSurvey {
  private readonly reader: ChunkReader
  private readonly init: EraseInit
  private readonly selectors = new Map<string, EntrySelector>()
  private readonly counts = new Map<string, EraseCount>()
  private readonly looked = new Set<string>()
  private readonly content = new Set<string>()
  private readonly links = new Set<string>()
  private readonly paths = new Set<string>()
  private readonly shared = new Map<string, SharedPath>()

  constructor(reader: ChunkReader, init: EraseInit) {
    this.reader = reader
    this.init = init
  }

  get findings(): EraseFindings {
    const first = <T>(items: Iterable<T>): T[] => [...items].slice(0, this.init.listed)
    return {
      paths: first(this.paths),
      distinctPaths: this.paths.size,
      shared: first(this.shared.values()),
      distinctShared: this.shared.size,
    }
  }

  async count({ source, root }: EraseJob): Promise<EraseCount> {
    return await this.countPage(source, root, root.level)
  }

  private async countPage(source: string, ref: PageRef, level: number): Promise<EraseCount> {
    const key = keyOf(source, ref)
    const known = this.counts.get(key)
    if (known) return known
    const total = { ...NOTHING }
    const add = ({ entries, bytes, hasParts }: EraseCount): void => {
      total.entries += entries
      total.bytes += bytes
      total.hasParts ||= hasParts
    }
    if (level > 0)
      for (const child of await this.children(ref, level)) add(await this.countPage(source, child, level - 1))
    else {
      await this.eachEntry(ref, async (meta, streams) => {
        if (this.selects(source, meta)) add(await this.note(source, meta, streams))
      })
    }
    this.counts.set(key, total)
    return total
  }

  private async note(source: string, meta: EntryMeta, streams: readonly StreamRefs[]): Promise<EraseCount> {
    const { path, type, sizeBytes = 0, linkGroup } = meta
    this.paths.add(`${source}/${latin1ToUser(path)}`)
    if (linkGroup !== undefined) this.links.add(`${source}/${linkGroup}`)
    for (const { refs, level } of streams) {
      for await (const { id } of this.reader.contentRefs(refs, level)) if (id) this.content.add(idOf(id))
    }
    return { entries: 1, bytes: sizeBytes, hasParts: type === TYPE_TABLE || type === TYPE_SCRIPT }
  }

  /** After everything was counted. */
  async share({ source, root }: EraseJob): Promise<void> {
    if (this.content.size > 0) await this.sharePage(source, root, root.level)
  }

  private async sharePage(source: string, ref: PageRef, level: number): Promise<void> {
    const key = keyOf(source, ref)
    if (this.looked.has(key)) return
    this.looked.add(key)
    if (level > 0) for (const child of await this.children(ref, level)) await this.sharePage(source, child, level - 1)
    else {
      await this.eachEntry(ref, async (meta, streams) => {
        if (!this.selects(source, meta)) await this.compare(source, meta, streams)
      })
    }
  }

  private async compare(source: string, { path, linkGroup }: EntryMeta, streams: readonly StreamRefs[]): Promise<void> {
    let bytes = 0
    for (const { refs, level } of streams) {
      for await (const { id, sizeBytes } of this.reader.contentRefs(refs, level))
        if (id && this.content.has(idOf(id))) bytes += sizeBytes
    }
    if (bytes === 0) return
    const name = `${source}/${latin1ToUser(path)}`
    const linked = linkGroup !== undefined && this.links.has(`${source}/${linkGroup}`)
    const before = this.shared.get(name)
    if (!before || before.bytes < bytes) this.shared.set(name, { path: name, bytes, linked })
  }

  private async children(ref: PageRef, level: number): Promise<PageRef[]> {
    const page = await this.reader.chunk(ref.id, ref.pageBytes)
    return guard('page', () => decodeInner(page, level))
  }

  private async eachEntry(
    leaf: PageRef,
    visit: (meta: EntryMeta, streams: readonly StreamRefs[]) => Promise<void>,
  ): Promise<void> {
    this.reader.host.throwIfAborted()
    const cursor = new EntryCursor(this.reader, { ...leaf, level: 0 })
    while (await cursor.next()) await visit(metaAt(cursor), streamsAt(cursor))
    await this.reader.host.call('walked', leaf.entries)
  }

  /** Leaves come in any order: a selector finds its folders again. */
  private selects(source: string, meta: EntryMeta): boolean {
    let selector = this.selectors.get(source)
    if (!selector) {
      selector = new EntrySelector(source, this.init.drop)
      this.selectors.set(source, selector)
    }
    return selector.selects(meta)
  }
}

function keyOf(source: string, { id }: PageRef): string {
  return `${source}/${Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')}`
}

function idOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, KEY_BYTES).toString('latin1')
}
