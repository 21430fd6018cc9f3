/** Content that is still where it came from, cut as a backup cuts it: of its chunks those are stored that are missed. */
import { ID_HEADROOM } from '../../crypto/chunk-id.ts'
import type { EntryMeta } from '../../model/entry.ts'
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { ByteWriter } from '../../util/bytes.ts'
import type { ChunkStore } from '../chunks/chunk-store.ts'
import { ContentWriter } from '../ingest/content-writer.ts'
import { type FileContext, readFileInto } from '../ingest/file-ingest.ts'
import type { ChunkSink } from '../ingest/list-builder.ts'
import { Lane, type StreamPiece, type StreamTail } from '../ingest/stream-ingest.ts'
import type { Vault } from '../segments/vault.ts'
import type { Host } from '../threads/rpc.ts'
import { IdSet, type LostRows, MAX_KEPT_BYTES } from './losses.ts'

export interface FileHeal {
  /** Absolute. */
  path: string
  follow: boolean
}

/** A page or a list. */
export interface FoundRecord {
  id: Uint8Array
  bytes: Uint8Array
}

/** What was wanted and is found: CHUNK_ROW_BYTES each, and what of it names other chunks. */
export interface FoundChunks {
  rows: Uint8Array
  named: FoundRecord[]
  /** False: there were too many to keep. */
  areAllNamed: boolean
}

export class Healing {
  private readonly vault: Vault
  private readonly wanted: IdSet
  private readonly store: ChunkStore | undefined
  private readonly host: Host
  private readonly naming: IdSet
  private readonly found = new IdSet()
  private readonly named: FoundRecord[] = []
  private namedBytes = 0
  private readonly rows = new ByteWriter(CHUNK_ROW_BYTES * 64)
  /** These hold windows of some MiB: one for all that come one after the other. */
  private files: ContentWriter | undefined
  private streamed: ContentWriter | undefined

  /** Without `store` nothing is stored: only what could be is told. */
  constructor(vault: Vault, { rows, naming }: LostRows, store: ChunkStore | undefined, host: Host) {
    this.vault = vault
    this.wanted = IdSet.of(rows)
    this.naming = IdSet.of(naming)
    this.store = store
    this.host = host
  }

  private readonly sink: ChunkSink = {
    put: (buffer, start, end) => {
      const id = this.vault.hasher.id(buffer, start, end)
      if (!this.wanted.has(id)) return id
      this.store?.put(buffer, start, end)
      if (this.found.add(id)) {
        this.rows.raw(id)
        this.rows.u32(end - start)
        if (this.naming.has(id)) this.keep(id, buffer.subarray(start, end))
      }
      return id
    },
  }

  private keep(id: Uint8Array, bytes: Uint8Array): void {
    this.namedBytes += bytes.length
    if (this.namedBytes > MAX_KEPT_BYTES) return
    this.named.push({ id: new Uint8Array(id), bytes: new Uint8Array(bytes) })
  }

  private readonly lane = new Lane(this.sink)

  /** One that cannot be read, or is no file any more, heals nothing. */
  async file({ path, follow }: FileHeal): Promise<void> {
    this.files ??= new ContentWriter(this.vault, this.sink)
    const writer = this.files
    const store = { drain: async () => this.store?.drain() }
    const context: FileContext = { host: this.host, store, writer, onUnreadable: 'skip', follow }
    const meta: EntryMeta = { path: '', type: 0 }
    await readFileInto(context, path, meta)
    await store.drain()
  }

  /** One stream after the other. */
  async data({ stream, bytes }: StreamPiece): Promise<void> {
    this.streamed ??= this.lane.writerFor(stream, this.vault)
    this.streamed.write(bytes)
    await this.store?.drain()
  }

  async end(tail: StreamTail): Promise<void> {
    const { stream, bytes } = tail
    this.streamed ??= this.lane.writerFor(stream, this.vault)
    this.streamed.write(bytes)
    this.streamed.finish()
    this.streamed = undefined
    await this.store?.drain()
  }

  /** As it was stored elsewhere. */
  async chunk(bytes: Uint8Array): Promise<void> {
    const padded = new Uint8Array(ID_HEADROOM + bytes.length)
    padded.set(bytes, ID_HEADROOM)
    this.sink.put(padded, ID_HEADROOM, padded.length)
    await this.store?.drain()
  }

  /** Drops the stream under way. */
  reset(): void {
    this.streamed?.reset()
    this.streamed = undefined
  }

  get foundChunks(): FoundChunks {
    return { rows: this.rows.copy(), named: this.named, areAllNamed: this.namedBytes <= MAX_KEPT_BYTES }
  }
}
