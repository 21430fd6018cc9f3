/** Walks pages and chunk lists, and says what they name that cannot be had and what that costs. */
import { BackupError } from '../../errors.ts'
import { type EntryMeta, readMeta, TYPE_FILE } from '../../model/entry.ts'
import { decodeInner, fingerprintPageBytes, openLeaf, type PageRef } from '../../model/page.ts'
import { type ChunkRef, readStreams, type StreamRefs, streamBytes } from '../../model/streams.ts'
import { ByteReader } from '../../util/bytes.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { guard } from '../browse/page-cursor.ts'
import { type ChunkReader, corruptRecord } from '../chunks/chunk-reader.ts'
import type { ChunkTrouble, SoundIndex } from '../chunks/sound-index.ts'
import { packKey } from '../segments/segment-open.ts'
import type { Host } from '../threads/rpc.ts'
import { type Cost, TreeProblems } from './problems.ts'

/** Entries between two signs of life. */
const REPORT_EVERY = 4096
const NOTHING: Cost = { entries: 0, bytes: 0 }

const SAYS: Readonly<Record<ChunkTrouble['why'], (pack?: string) => string>> = {
  unknown: () => 'Chunks that a snapshot names are in no pack that the index knows.',
  pack: (pack) => `Pack ${pack} is missing or not whole.`,
  damaged: (pack) => `Pack ${pack} holds damaged chunks.`,
  length: (pack) => `Chunks in pack ${pack} have another length than what refers to them says.`,
}

export class TreeWalk {
  readonly problems = new TreeProblems()
  private readonly reader: ChunkReader
  private readonly index: SoundIndex
  /** Ids (latin1) of pages and lists found sound with all below them: other snapshots share most of them. */
  private readonly sound: Set<string>
  private readonly host: Host
  private unreported = 0

  constructor(reader: ChunkReader, index: SoundIndex, sound: Set<string>, host: Host) {
    this.reader = reader
    this.index = index
    this.sound = sound
    this.host = host
  }

  async pages(refs: readonly PageRef[], level: number): Promise<void> {
    for (const ref of refs) await this.page(ref, level)
    await this.host.call('walked', this.unreported)
    this.unreported = 0
  }

  /** The pages below one. None where it cannot be had: that is a problem then, and its siblings are walked all the same. */
  async children(ref: PageRef, level: number): Promise<PageRef[]> {
    return (await this.costing(costOf(ref), () => this.inner(ref, level))) ?? []
  }

  /** A chunk that a snapshot names itself. */
  async single(id: Uint8Array, rawBytes: number): Promise<void> {
    await this.costing(NOTHING, () => this.read(id, rawBytes))
  }

  private async page(ref: PageRef, level: number): Promise<void> {
    const before = this.problems.count
    const key = keyOf(ref.id)
    if (this.sound.has(key)) return this.report(ref.entries)
    if (level > 0) for (const child of await this.children(ref, level)) await this.page(child, level - 1)
    else await this.costing(costOf(ref), () => this.leaf(ref))
    if (this.problems.count === before) this.sound.add(key)
  }

  private async inner(ref: PageRef, level: number): Promise<PageRef[]> {
    const page = await this.read(ref.id, ref.pageBytes)
    const children = guard('page', () => decodeInner(page, level))
    const entries = children.reduce((sum, child) => sum + child.entries, 0)
    if (entries !== ref.entries) throw corruptRecord('page', new Error('it holds another number of entries'))
    return children
  }

  private async leaf(ref: PageRef): Promise<void> {
    const page = await this.read(ref.id, ref.pageBytes)
    const { records, entries } = guard('page', () => openLeaf(page))
    if (entries !== ref.entries) throw corruptRecord('page', new Error('it holds another number of entries'))
    // Lost fingerprints cost no entry: the next backup reads those files again.
    await this.costing(NOTHING, () => this.read(ref.fingerprintId, fingerprintPageBytes(entries)))
    for (let i = 0; i < entries; i++) {
      const { meta, streams } = guard('page', () => readRecord(records))
      // Hardly any entry has lists: only those are worth a promise.
      if (streams.some(({ level }) => level > 0)) await this.listedEntry(meta, streams)
      else this.entry(meta, streams)
    }
    await this.report(entries)
  }

  private entry(meta: EntryMeta, streams: readonly StreamRefs[]): void {
    const lost = new Set<string>()
    for (const { refs } of streams) this.look(refs, meta, lost)
    this.checkSize(meta, streams)
  }

  private async listedEntry(meta: EntryMeta, streams: readonly StreamRefs[]): Promise<void> {
    const lost = new Set<string>()
    for (const { refs, level } of streams) await this.refs(refs, level, meta, lost)
    this.checkSize(meta, streams)
  }

  private async refs(refs: readonly ChunkRef[], level: number, meta: EntryMeta, lost: Set<string>): Promise<void> {
    this.look(refs, meta, lost)
    if (level === 0) return
    for (const ref of refs) if (ref.id) await this.list(ref, level - 1, meta, lost)
  }

  private async list(ref: ChunkRef, level: number, meta: EntryMeta, lost: Set<string>): Promise<void> {
    const before = this.problems.count
    const key = keyOf(ref.id!)
    if (this.sound.has(key)) return
    if (this.index.trouble(ref.id!, ref.chunkBytes) !== undefined) return
    await this.costing(costOfEntry(meta), async () => {
      const refs = await this.reader.list(ref, level)
      if (streamBytes({ name: '', level, refs }) !== ref.sizeBytes) {
        throw corruptRecord('chunk list', new Error('it stands for another number of bytes'))
      }
      await this.refs(refs, level, meta, lost)
    })
    if (this.problems.count === before && lost.size === 0) this.sound.add(key)
  }

  /** An entry counts once for each object that it needs and that is bad. */
  private look(refs: readonly ChunkRef[], meta: EntryMeta, lost: Set<string>): void {
    for (const { id, chunkBytes } of refs) {
      const trouble = id && this.index.trouble(id, chunkBytes)
      if (!trouble) continue
      const object = trouble.pack ?? ''
      if (!lost.has(object)) this.problems.add(errorOf(trouble), costOfEntry(meta))
      lost.add(object)
    }
  }

  private checkSize({ type, sizeBytes, path }: EntryMeta, streams: readonly StreamRefs[]): void {
    if (type !== TYPE_FILE || sizeBytes === undefined) return
    const main = streams.find(({ name }) => name === '')
    if ((main ? streamBytes(main) : 0) === sizeBytes) return
    const error = corruptRecord('file entry', new Error('its content has another size than it says'))
    this.problems.add(error, { entries: 1, bytes: sizeBytes, path: latin1ToUser(path) })
  }

  private async read(id: Uint8Array, bytes: number): Promise<Uint8Array> {
    const trouble = this.index.trouble(id, bytes)
    if (trouble) throw errorOf(trouble)
    return this.reader.chunk(id, bytes)
  }

  /** Runs the body; what it finds wrong is noted with what it costs, and the walk goes on. */
  private async costing<T>(cost: Cost, body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await body()
    } catch (error) {
      if (!BackupError.is(error) || error.origin !== 'repository') throw error
      this.problems.add(error, cost)
      return undefined
    }
  }

  /** Says how far the walk is; rejects once it was aborted. */
  private async report(entries: number): Promise<void> {
    this.host.throwIfAborted()
    this.unreported += entries
    if (this.unreported < REPORT_EVERY) return
    const walked = this.unreported
    this.unreported = 0
    await this.host.call('walked', walked)
  }
}

function readRecord(records: ByteReader): { meta: EntryMeta; streams: StreamRefs[] } {
  const metaBytes = records.varint()
  const metaAt = records.take(metaBytes)
  const meta = readMeta(new ByteReader(records.bytes, metaAt, records.position))
  const streamsBytes = records.varint()
  const streamsAt = records.take(streamsBytes)
  return { meta, streams: readStreams(new ByteReader(records.bytes, streamsAt, records.position)) }
}

function errorOf({ why, pack }: ChunkTrouble): BackupError {
  const missing = why === 'unknown' || why === 'pack'
  return new BackupError(missing ? 'OBJECT_MISSING' : 'OBJECT_CORRUPT', SAYS[why](pack), {
    origin: 'repository',
    details: pack === undefined ? {} : { object: packKey(pack) },
  })
}

function costOf({ entries, contentBytes, firstPath }: PageRef): Cost {
  return { entries, bytes: contentBytes, ...(firstPath !== '' && { path: latin1ToUser(firstPath) }) }
}

function costOfEntry({ path, sizeBytes }: EntryMeta): Cost {
  return { entries: 1, bytes: sizeBytes ?? 0, path: latin1ToUser(path) }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')
}
