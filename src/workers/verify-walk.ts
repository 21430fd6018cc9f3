/** Walks pages and chunk lists, and says what they name that cannot be had and what that costs. */
import { BackupError } from '../errors.ts'
import { type EntryMeta, readMeta, TYPE_FILE } from '../model/entry.ts'
import { decodeInner, fingerprintPageBytes, openLeaf, type PageRef } from '../model/page.ts'
import { type ChunkRef, readStreams, type StreamRefs, streamBytes } from '../model/streams.ts'
import { ByteReader } from '../util/bytes.ts'
import { latin1ToUser } from '../util/paths.ts'
import { type ChunkReader, corruptRecord, packKey } from './chunk-reader.ts'
import { guard } from './page-cursor.ts'
import type { Host } from './rpc.ts'
import type { ChunkTrouble, SoundIndex } from './sound-index.ts'

/** One thing that is wrong, and all that it costs: however many entries a lost pack holds, it is one of these. */
export interface TreeProblem {
  code: string
  /** Key of the stored object; absent where no object can be named. */
  object?: string
  message: string
  entries: number
  bytes: number
  /** The first few entries (of damaged pages: where they begin), relative to their source. */
  paths: string[]
}

export interface WalkAnswer {
  problems: TreeProblem[]
}

const MAX_PATHS = 5
/** Entries between two signs of life. */
const REPORT_EVERY = 4096

const MESSAGES: Readonly<Record<ChunkTrouble['why'], (pack?: string) => string>> = {
  unknown: () => 'Chunks that a snapshot names are in no pack that the index knows.',
  pack: (pack) => `Pack ${pack} is missing or not whole.`,
  damaged: (pack) => `Pack ${pack} holds damaged chunks.`,
  length: (pack) => `Chunks in pack ${pack} have another length than what refers to them says.`,
}

export class TreeWalk {
  private readonly reader: ChunkReader
  private readonly index: SoundIndex
  /** Ids (latin1) of pages and lists that were found sound with all below them: other snapshots share most of them. */
  private readonly sound: Set<string>
  private readonly host: Host
  private readonly problems = new Map<string, TreeProblem>()
  /** Grows with every problem, so that a page knows whether there was one below it. */
  private troubles = 0
  private unreported = 0

  constructor(reader: ChunkReader, index: SoundIndex, sound: Set<string>, host: Host) {
    this.reader = reader
    this.index = index
    this.sound = sound
    this.host = host
  }

  answer(): WalkAnswer {
    return { problems: [...this.problems.values()] }
  }

  async pages(refs: readonly PageRef[], level: number): Promise<void> {
    for (const ref of refs) await this.page(ref, level)
    await this.report()
  }

  /** The pages below one, for others to walk. Empty where it cannot be had: that is a problem then. */
  async children(ref: PageRef, level: number): Promise<PageRef[]> {
    return (await this.costing(ref, () => this.inner(ref, level))) ?? []
  }

  /** A chunk that a snapshot names itself. */
  async single(id: Uint8Array, rawBytes: number): Promise<void> {
    await this.costing({ firstPath: '', entries: 0, contentBytes: 0 }, () => this.read(id, rawBytes))
  }

  private async page(ref: PageRef, level: number): Promise<void> {
    const key = keyOf(ref.id)
    if (this.sound.has(key)) return this.count(ref.entries)
    const before = this.troubles
    if (level === 0) await this.leafOf(ref)
    else for (const child of await this.children(ref, level)) await this.page(child, level - 1)
    if (this.troubles === before) this.sound.add(key)
  }

  private async inner(ref: PageRef, level: number): Promise<PageRef[]> {
    const children = guard('page', () => decodeInner(bufferOf(page), level))
    const entries = children.reduce((sum, child) => sum + child.entries, 0)
    if (entries !== ref.entries) throw corruptRecord('page', new Error('it holds another number of entries'))
    return children
  }
}
