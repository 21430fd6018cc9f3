/** Worker service 'verify': walks trees for what they name, and reads whole packs to prove what they hold. */
import { sha256Hex } from '../crypto/hash.ts'
import { BackupError } from '../errors.ts'
import { readMeta } from '../model/entry.ts'
import { CHUNK_ROW_BYTES, decodeDirectory, MAX_DIRECTORY_BYTES, type PackDirectory, readFooter } from '../model/pack.ts'
import { decodeInner, fingerprintPageBytes, openLeaf, type PageRef, type TreeRoot } from '../model/page.ts'
import { type ChunkRef, readStreams } from '../model/streams.ts'
import { ByteReader, MalformedBytes } from '../util/bytes.ts'
import { latin1ToUser } from '../util/paths.ts'
import { ChunkIndex, type ChunkTablePlain } from './chunk-index.ts'
import { ChunkReader, openSegment } from './chunk-reader.ts'
import { guard } from './page-cursor.ts'
import type { Host, Service } from './rpc.ts'
import { createVault, type Vault, type VaultPlain } from './vault.ts'

export interface VerifyInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
}

/** Something that a tree names and that cannot be had. */
export interface TreeProblem {
  code: string
  message: string
  /** Entry it costs; absent where a page is damaged and its entries are unknown. */
  path?: string
  entries: number
  bytes: number
}

export interface WalkAnswer {
  problems: TreeProblem[]
  /** Problems beyond the first of them, by number only. */
  more: number
  entries: number
  /** Packs that the source needs, by name. */
  packs: string[]
}

export interface PackProblem {
  code: string
  message: string
  /** Ids, in hex, of chunks that cannot be had from here. */
  chunks: string[]
}

const MAX_PROBLEMS = 1000

export async function createVerify(init: VerifyInit, host: Host): Promise<Service> {
  return new VerifyService(await createVault(init.vault), init, host)
}

class VerifyService implements Service {
  private readonly vault: Vault
  private readonly host: Host
  private readonly reader: ChunkReader
  /** Pages of other snapshots that were found sound; the packs they need have been named. */
  private readonly soundPages = new Set<string>()
  private bad = new Set<string>()

  constructor(vault: Vault, init: VerifyInit, host: Host) {
    this.vault = vault
    this.host = host
    this.reader = new ChunkReader(vault, new ChunkIndex(init.tables), host)
  }

  call(method: string, args: unknown): unknown {
    if (method === 'walk') return this.walk(args as { root: TreeRoot; badPacks: readonly string[] })
    if (method === 'pack') return this.pack(args as { name: string; bytes: Uint8Array })
    if (method === 'bad') return this.setBad(args as string[])
    throw new BackupError('INTERNAL', `verify has no method ${method}`, { origin: 'repository' })
  }

  /** Chunks, in hex, that reading packs has shown to be lost: walks from now on report what they cost. */
  private setBad(chunks: readonly string[]): void {
    this.bad = new Set(chunks)
    this.soundPages.clear()
  }

  private async walk({ root, badPacks }: { root: TreeRoot; badPacks: readonly string[] }): Promise<WalkAnswer> {
    const walk = new TreeWalk(this.reader, new Set(badPacks), this.bad, this.soundPages, this.host)
    await walk.page(root, root.level)
    return walk.answer()
  }

  private pack({ name, bytes }: { name: string; bytes: Uint8Array }): PackProblem[] {
    if (sha256Hex(bytes) === name) return this.insidePack(name, bytes)
    // Named by its hash, so one bit anywhere is noticed; what is inside tells which chunks that costs.
    const inside = this.insidePack(name, bytes)
    const message = `Pack ${name} is not what was stored: its SHA-256 differs from its name.`
    return [{ code: 'OBJECT_CORRUPT', message, chunks: inside.flatMap(({ chunks }) => chunks) }]
  }

  private insidePack(name: string, bytes: Uint8Array): PackProblem[] {
    try {
      const directory = this.directory(bytes)
      const chunks = this.damagedChunks(name, bytes, directory)
      return chunks.length === 0
        ? []
        : [{ code: 'OBJECT_CORRUPT', message: `Pack ${name} holds ${chunks.length} damaged chunks.`, chunks }]
    } catch (error) {
      if (!BackupError.is(error)) throw error
      return [{ code: error.code, message: `Pack ${name}: ${error.message}`, chunks: [] }]
    }
  }

  private directory(bytes: Uint8Array): PackDirectory {
    try {
      const { offset } = readFooter(bytes)
      const { raw } = this.vault.opener.open(bytes, offset, { cls: 'index', maxRawBytes: MAX_DIRECTORY_BYTES })
      return decodeDirectory(raw)
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      throw new BackupError('OBJECT_CORRUPT', `it cannot be read: ${error.message}`, { origin: 'repository' })
    }
  }

  private damagedChunks(pack: string, bytes: Uint8Array, directory: PackDirectory): string[] {
    const damaged: string[] = []
    let row = 0
    for (const segment of directory.segments) {
      const end = row + segment.chunks * CHUNK_ROW_BYTES
      const rows = directory.chunkRows.subarray(row, end)
      row = end
      try {
        const raw = openSegment(this.vault, bytes, segment.offset, { pack, ...segment })
        damaged.push(...this.wrongChunks(raw, rows))
      } catch (error) {
        if (!BackupError.is(error)) throw error
        damaged.push(...idsOf(rows))
      }
    }
    return damaged
  }

  private wrongChunks(raw: Uint8Array, rows: Buffer): string[] {
    const wrong: string[] = []
    for (let at = 0, offset = 0; at < rows.length; at += CHUNK_ROW_BYTES) {
      const length = rows.readUInt32LE(at + 32)
      const id = this.vault.hasher.id(raw, offset, offset + length)
      if (rows.compare(id, 0, 32, at, at + 32) !== 0) wrong.push(rows.toString('hex', at, at + 32))
      offset += length
    }
    return wrong
  }
}

function idsOf(rows: Buffer): string[] {
  const ids: string[] = []
  for (let at = 0; at < rows.length; at += CHUNK_ROW_BYTES) ids.push(rows.toString('hex', at, at + 32))
  return ids
}

class TreeWalk {
  private readonly reader: ChunkReader
  private readonly badPacks: ReadonlySet<string>
  private readonly badChunks: ReadonlySet<string>
  private readonly sound: Set<string>
  private readonly host: Host
  private readonly problems: TreeProblem[] = []
  private readonly packs = new Set<string>()
  private more = 0
  private entries = 0

  constructor(
    reader: ChunkReader,
    badPacks: ReadonlySet<string>,
    badChunks: ReadonlySet<string>,
    sound: Set<string>,
    host: Host,
  ) {
    this.reader = reader
    this.badPacks = badPacks
    this.badChunks = badChunks
    this.sound = sound
    this.host = host
  }

  answer(): WalkAnswer {
    return { problems: this.problems, more: this.more, entries: this.entries, packs: [...this.packs] }
  }

  async page(ref: PageRef, level: number): Promise<void> {
    this.host.throwIfAborted()
    const key = Buffer.from(ref.id).toString('latin1')
    if (this.sound.has(key)) {
      this.entries += ref.entries
      return
    }
    const before = this.problems.length + this.more
    try {
      this.locate(ref.id)
      const page = await this.reader.chunk(ref.id, ref.pageBytes)
      if (level === 0) await this.leaf(ref, page)
      else for (const child of guard('page', () => decodeInner(page, level))) await this.page(child, level - 1)
      if (this.problems.length + this.more === before) this.sound.add(key)
    } catch (error) {
      this.report(error, ref.entries, ref.contentBytes)
    }
  }

  private async leaf(ref: PageRef, page: Uint8Array): Promise<void> {
    const { records, entries } = guard('page', () => openLeaf(page))
    this.entries += entries
    this.locate(ref.fingerprintId)
    await this.reader.chunk(ref.fingerprintId, fingerprintPageBytes(entries))
    for (let i = 0; i < entries; i++) await this.entry(records)
  }

  private async entry(records: ByteReader): Promise<void> {
    const { meta, streams } = guard('page', () => {
      const metaEnd = records.varint() + records.position
      const meta = readMeta(new ByteReader(records.bytes, records.position, metaEnd))
      records.position = metaEnd
      records.varint()
      return { meta, streams: readStreams(records) }
    })
    try {
      for (const { refs, level } of streams) await this.refs(refs, level)
    } catch (error) {
      this.report(error, 1, meta.sizeBytes ?? 0, latin1ToUser(meta.path))
    }
  }

  private async refs(refs: readonly ChunkRef[], level: number): Promise<void> {
    for (const ref of refs) {
      if (!ref.id) continue
      this.locate(ref.id)
      if (level > 0) await this.refs(await this.reader.list(ref, level - 1), level - 1)
    }
  }

  /** Notes the pack that a chunk needs; throws where there is none to be had. */
  private locate(id: Uint8Array): void {
    const location = this.reader.index.find(id)
    if (!location) throw lost('OBJECT_MISSING', id, 'is in no pack that the index knows')
    this.packs.add(location.pack)
    if (this.badPacks.has(location.pack))
      throw lost('OBJECT_MISSING', id, `is in pack ${location.pack}, which is missing or cut`)
    if (this.badChunks.size > 0 && this.badChunks.has(Buffer.from(id).toString('hex'))) {
      throw lost('OBJECT_CORRUPT', id, `is damaged in pack ${location.pack}`)
    }
  }

  private report(error: unknown, entries: number, bytes: number, path?: string): void {
    if (!BackupError.is(error) || error.origin !== 'repository') throw error
    if (this.problems.length >= MAX_PROBLEMS) this.more++
    else
      this.problems.push({
        code: error.code,
        message: error.message,
        entries,
        bytes,
        ...(path === undefined ? {} : { path }),
      })
  }
}

function lost(code: 'OBJECT_MISSING' | 'OBJECT_CORRUPT', id: Uint8Array, why: string): BackupError {
  return new BackupError(code, `Chunk ${Buffer.from(id).toString('hex')} ${why}.`, { origin: 'repository' })
}
