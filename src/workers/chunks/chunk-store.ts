/**
 * The end of the write path in a worker: a chunk comes in, is known already or joins a segment; full segments are
 * sealed into packs, and packs leave for the main thread. Small files share segments, since 1 MiB compresses faster
 * and better than many small pieces do.
 */
import { looksIncompressible } from '../../chunking/entropy.ts'
import { CHUNK_ROW_BYTES, type PackKind, SEGMENT_BYTES } from '../../model/pack.ts'
import type { ChunkSink } from '../ingest/list-builder.ts'
import { type FinishedPack, PackBuilder } from '../ingest/pack-builder.ts'
import type { Vault } from '../segments/vault.ts'
import type { Host } from '../threads/rpc.ts'
import { Moved } from '../threads/rpc.ts'
import { allPlaces } from './all-places.ts'
import { ChunkIndex, type ChunkTablePlain } from './chunk-index.ts'
import { IdTable, type IdTablePlain } from './id-table.ts'

export interface StorePlain {
  tables: readonly ChunkTablePlain[]
  /** Ids that this run has claimed, shared by all its workers. Oldest first. */
  claims: readonly IdTablePlain[]
  /** No pack becomes larger. */
  packBytes: number
}

export interface StoreCounters {
  newChunks: number
  newBytes: number
  storedBytes: number
}

/** Packs that may wait for their upload before the worker does. */
const MAX_WAITING_PACKS = 1
/** In a segment. A row of the directory is larger than a tiny file, and the rows of one segment must fit into a pack. */
const MAX_SEGMENT_ROWS = 32_768

class Gatherer {
  readonly raw = Buffer.from(new ArrayBuffer(SEGMENT_BYTES))
  readonly compress: boolean
  readonly metadata: boolean
  length = 0
  rows = Buffer.from(new ArrayBuffer(256 * CHUNK_ROW_BYTES))
  rowBytes = 0

  constructor(compress: boolean, metadata: boolean) {
    this.compress = compress
    this.metadata = metadata
  }

  hasRoom(length: number): boolean {
    return this.length + length <= SEGMENT_BYTES && this.rowBytes < MAX_SEGMENT_ROWS * CHUNK_ROW_BYTES
  }

  addRow(id: Uint8Array, length: number): void {
    if (this.rowBytes === this.rows.length) {
      const rows = Buffer.from(new ArrayBuffer(this.rows.length * 2))
      rows.set(this.rows)
      this.rows = rows
    }
    this.rows.set(id, this.rowBytes)
    this.rows.writeUInt32LE(length, this.rowBytes + 32)
    this.rowBytes += CHUNK_ROW_BYTES
  }
}

/** Segments under way. Streams that are read side by side have each their own, or reading one back would fetch both. */
class Lane {
  readonly compressible: Gatherer
  readonly incompressible: Gatherer

  constructor(metadata = false) {
    this.compressible = new Gatherer(true, metadata)
    this.incompressible = new Gatherer(false, metadata)
  }
}

export class ChunkStore {
  readonly index: ChunkIndex
  readonly counters: StoreCounters = { newChunks: 0, newBytes: 0, storedBytes: 0 }
  private readonly vault: Vault
  private readonly host: Host
  private readonly claims: IdTable[]
  /** Claims of this worker that no shared table had room for. */
  private readonly ownClaims = new Set<string>()
  private readonly packs: PackBuilder
  private readonly common = new Lane()
  /** Whoever compares with this snapshot reads all lists, and no content: they would fetch a segment of it for each. */
  private readonly listLane = new Lane(true)
  readonly listSink: ChunkSink = { put: (buffer, start, end) => this.putIn(this.listLane, buffer, start, end) }
  private readonly lanes = [this.common, this.listLane]
  private readonly waiting = new Set<Promise<void>>()
  /** Packs in which something is lost: what only they have is stored again. */
  private readonly distrusted: ReadonlySet<string>
  private failure: unknown

  constructor(
    vault: Vault,
    plain: StorePlain,
    kind: PackKind,
    host: Host,
    distrusted: ReadonlySet<string> = new Set(),
    index = new ChunkIndex(plain.tables),
  ) {
    this.vault = vault
    this.distrusted = distrusted
    this.host = host
    this.index = index
    this.claims = plain.claims.map((claims) => new IdTable(claims))
    this.packs = new PackBuilder(vault, kind, (pack) => this.send(pack), plain.packBytes)
  }

  addClaims(plain: IdTablePlain): void {
    this.claims.push(new IdTable(plain))
  }

  /**
   * Stores `buffer[start, end)` unless it is there already, and gives its id. The bytes are copied or sealed before it
   * returns. Await `drain()` now and then: that is where the worker waits for uploads.
   */
  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    return this.putIn(this.common, buffer, start, end)
  }

  /** Puts into segments of its own. To be used again, for one stream after the other: it is never given back. */
  openLane(): ChunkSink {
    const lane = new Lane()
    this.lanes.push(lane)
    return { put: (buffer, start, end) => this.putIn(lane, buffer, start, end), listSink: this.listSink }
  }

  private putIn(lane: Lane, buffer: Uint8Array, start: number, end: number): Uint8Array {
    const id = this.vault.hasher.id(buffer, start, end)
    if (!this.isStored(id) && this.claim(id)) this.store(lane, id, buffer, start, end)
    return id
  }

  private isStored(id: Uint8Array): boolean {
    if (!this.index.has(id)) return false
    return this.distrusted.size === 0 || allPlaces(this.index, id).some(({ pack }) => !this.distrusted.has(pack))
  }

  private claim(id: Uint8Array): boolean {
    const newest = this.claims.length - 1
    for (let i = 0; i < newest; i++) if (this.claims[i]!.find(id) >= 0) return false
    const outcome = newest < 0 ? 'full' : this.claims[newest]!.claim(id)
    if (outcome !== 'full') return outcome === 'claimed'
    const key = Buffer.from(id.buffer, id.byteOffset, 32).toString('latin1')
    if (this.ownClaims.has(key)) return false
    this.ownClaims.add(key)
    return true
  }

  private store(lane: Lane, id: Uint8Array, buffer: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.counters.newChunks++
    this.counters.newBytes += length
    const gatherer = looksIncompressible(buffer, start, end) ? lane.incompressible : lane.compressible
    if (length >= SEGMENT_BYTES) {
      const row = Buffer.alloc(CHUNK_ROW_BYTES)
      row.set(id)
      row.writeUInt32LE(length, 32)
      this.counters.storedBytes += this.packs.add(buffer.subarray(start, end), row, gatherer.compress)
      return
    }
    if (!gatherer.hasRoom(length)) this.seal(gatherer)
    gatherer.raw.set(buffer.subarray(start, end), gatherer.length)
    gatherer.length += length
    gatherer.addRow(id, length)
  }

  private seal(gatherer: Gatherer): void {
    if (gatherer.rowBytes === 0) return
    const raw = gatherer.raw.subarray(0, gatherer.length)
    const rows = gatherer.rows.subarray(0, gatherer.rowBytes)
    this.counters.storedBytes += this.packs.add(raw, rows, gatherer.compress, gatherer.metadata || undefined)
    gatherer.length = 0
    gatherer.rowBytes = 0
  }

  /** Ends the segments under way, so that none holds chunks of two sources. */
  cut(): void {
    for (const { compressible, incompressible } of this.lanes) {
      this.seal(compressible)
      this.seal(incompressible)
    }
  }

  private send(pack: FinishedPack): void {
    const sent = this.host
      .call('pack', pack, [pack.bytes.buffer, pack.directory.buffer as ArrayBuffer])
      .then((buffer) => {
        if (buffer instanceof ArrayBuffer) this.packs.recycle(buffer)
      })
      .catch((error: unknown) => {
        this.failure ??= error
      })
    this.waiting.add(sent)
    void sent.then(() => this.waiting.delete(sent))
  }

  /** True: `drain` would wait, or fail. */
  get isBacklogged(): boolean {
    return this.waiting.size > MAX_WAITING_PACKS || this.failure !== undefined
  }

  /** Waits while too many packs are on their way, and fails if one could not be stored. */
  async drain(atMost = MAX_WAITING_PACKS): Promise<void> {
    while (this.waiting.size > atMost) await Promise.race(this.waiting)
    if (this.failure !== undefined) throw this.failure
  }

  /** Everything given so far is durable once this resolves. */
  async finish(): Promise<void> {
    this.cut()
    this.packs.finish()
    await this.drain(0)
  }
}

/** What the main thread answers to 'pack': the buffer goes home to be filled again. */
export function packStored(bytes: Uint8Array<ArrayBuffer>): Moved {
  return new Moved(bytes.buffer, [bytes.buffer])
}
