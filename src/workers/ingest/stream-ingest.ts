/** Streams of custom sources in one worker, several at once: each is cut on its own, into segments of its own. */
import { tableProfileFor } from '../../chunking/profiles.ts'
import { type Sha256Stream, sha256Stream } from '../../crypto/hash.ts'
import { writeStreams } from '../../model/streams.ts'
import type { StreamProof } from '../../sources/source.ts'
import { ByteWriter } from '../../util/bytes.ts'
import type { ChunkStore } from '../chunks/chunk-store.ts'
import type { Vault } from '../segments/vault.ts'
import type { Host } from '../threads/rpc.ts'
import { ContentWriter } from './content-writer.ts'
import { countLineFeeds } from './line-feeds.ts'
import type { ChunkSink } from './list-builder.ts'

/** Goes with every message of a stream: whichever comes first begins it. */
export interface StreamHead {
  /** Unique in the session. */
  readonly id: number
  readonly source: string
  readonly chunks: 'files' | 'table'
  /** Zeros become holes. */
  readonly holes: boolean
  /** Of all of it, where known. */
  readonly sizeBytes: number | undefined
  /** Hash it and count its line feeds. */
  readonly prove: boolean
}

export interface StreamPiece {
  readonly stream: StreamHead
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** `bytes`: what comes after the last piece, or all of a short stream. */
export interface StreamTail {
  readonly stream: StreamHead
  readonly bytes: Uint8Array
}

export interface StreamEnd {
  /** As a record has them. */
  readonly streams: Uint8Array<ArrayBuffer>
  readonly bytes: number
  /** Null unless asked for. */
  readonly proof: StreamProof | null
}

/** So that an abort is heard, and others get their turn, in the middle of a large piece. */
const SLICE_BYTES = 1024 * 1024

/** A place for one stream at a time. */
export class Lane {
  readonly sink: ChunkSink
  private writer: ContentWriter | undefined
  private avgBytes = 0

  constructor(sink: ChunkSink) {
    this.sink = sink
  }

  /** The one of the stream before, if that was cut alike: it holds a window of some MiB. */
  writerFor(head: StreamHead, vault: Vault): ContentWriter {
    const profile = profileOf(head, vault)
    if (!this.writer || this.avgBytes !== profile.avgBytes) {
      this.avgBytes = profile.avgBytes
      this.writer = new ContentWriter({ profile, gear: vault.gear }, this.sink)
    }
    this.writer.holes = head.holes
    return this.writer
  }
}

class OpenStream {
  readonly lane: Lane
  private readonly writer: ContentWriter
  private readonly hash: Sha256Stream | undefined
  private lineFeeds = 0
  bytes = 0

  constructor(lane: Lane, writer: ContentWriter, prove: boolean) {
    this.lane = lane
    this.writer = writer
    this.hash = prove ? sha256Stream() : undefined
  }

  write(bytes: Uint8Array): void {
    this.writer.write(bytes)
    this.bytes += bytes.length
    if (!this.hash) return
    this.hash.update(bytes)
    this.lineFeeds += countLineFeeds(bytes)
  }

  end(): StreamEnd {
    const { bytes, lineFeeds } = this
    const stream = this.writer.finish()
    const out = new ByteWriter(1024)
    writeStreams(out, stream.refs.length > 0 ? [stream] : [])
    const proof = this.hash ? { bytes, lineFeeds, sha256: this.hash.digestHex() } : null
    return { streams: out.copy(), bytes, proof }
  }
}

export class StreamTable {
  private readonly vault: Vault
  private readonly store: ChunkStore
  private readonly host: Host
  /** Of streams that come whole in one message: these share segments, being small. */
  private readonly common: Lane
  private readonly spare: Lane[] = []
  private readonly open = new Map<number, OpenStream>()

  constructor(vault: Vault, store: ChunkStore, host: Host) {
    this.vault = vault
    this.store = store
    this.host = host
    this.common = new Lane(store)
  }

  async data({ stream: head, bytes }: StreamPiece): Promise<void> {
    await this.write(this.find(head), bytes)
  }

  async end({ stream: head, bytes }: StreamTail): Promise<StreamEnd> {
    const known = this.open.get(head.id)
    const stream = known ?? this.begin(this.common, head)
    if (bytes.length > 0) await this.write(stream, bytes)
    const end = stream.end()
    this.open.delete(head.id)
    if (known) this.spare.push(known.lane)
    await this.store.drain()
    return end
  }

  private find(head: StreamHead): OpenStream {
    const known = this.open.get(head.id)
    if (known) return known
    const stream = this.begin(this.spare.pop() ?? new Lane(this.store.openLane()), head)
    this.open.set(head.id, stream)
    return stream
  }

  private begin(lane: Lane, head: StreamHead): OpenStream {
    return new OpenStream(lane, lane.writerFor(head, this.vault), head.prove)
  }

  private async write(stream: OpenStream, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      this.host.throwIfAborted()
      stream.write(bytes.subarray(at, at + SLICE_BYTES))
      if (this.store.isBacklogged) await this.store.drain()
      if (at + SLICE_BYTES < bytes.length) await this.host.yield()
    }
  }
}

/** Deterministic, or the same content would be cut in two ways. */
export function profileOf({ chunks, sizeBytes }: Pick<StreamHead, 'chunks' | 'sizeBytes'>, vault: Vault) {
  return chunks === 'table' ? tableProfileFor(vault.tableProfile, sizeBytes) : vault.profile
}
