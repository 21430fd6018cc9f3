/** Worker service 'ingest': reads local files, or takes streamed bytes, and gives back finished entry records. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { type EntryMeta, FINGERPRINT_BYTES, MetaPeek, readMeta, TYPE_FILE, writeMeta } from '../../model/entry.ts'
import { type StreamRefs, writeStreams } from '../../model/streams.ts'
import { withXattrsOf } from '../../sources/filesystem/xattr-records.ts'
import { ByteReader, ByteWriter, varintBytes } from '../../util/bytes.ts'
import { ChunkStore, type StorePlain } from '../chunks/chunk-store.ts'
import type { IdTablePlain } from '../chunks/id-table.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { ContentWriter } from './content-writer.ts'
import { type FileOutcome, readFileInto } from './file-ingest.ts'
import { SmallFiles } from './small-files.ts'
import { type StreamEnd, type StreamPiece, StreamTable, type StreamTail } from './stream-ingest.ts'

export interface IngestInit {
  vault: VaultPlain
  store: StorePlain
  onUnreadable: 'fail' | 'skip'
}

/** Files to read: u32-prefixed metas as a scan made them. */
export interface ReadJob {
  source: string
  root: string
  prefixBytes: number
  /** Files may be reached through symlinks. */
  follow: boolean
  count: number
  metas: Uint8Array<ArrayBuffer>
  /** As a scan made them; FINGERPRINT_BYTES each. */
  fingerprints: Uint8Array<ArrayBuffer>
  contentBytes: number
  /** Entries without content are among them, and all are asked for their extended attributes. */
  xattrs?: boolean
}

export const STATUS_OK = 0
export const STATUS_SKIPPED = 1

export interface ReadResult {
  /** u32-prefixed records of those that were read, in order. */
  records: Uint8Array<ArrayBuffer>
  /** FINGERPRINT_BYTES for each of those. */
  fingerprints: Uint8Array<ArrayBuffer>
  /** One for each of the job. */
  statuses: Uint8Array<ArrayBuffer>
  warnings: Warning[]
  readBytes: number
}

export async function createIngest(init: IngestInit, host: Host): Promise<Service> {
  return new IngestService(await createVault(init.vault), init, host)
}

class IngestService implements Service {
  private readonly store: ChunkStore
  private readonly writer: ContentWriter
  private readonly host: Host
  private readonly onUnreadable: 'fail' | 'skip'
  private readonly small: SmallFiles
  private readonly streams: StreamTable
  private source: string | undefined
  private last: Promise<unknown> = Promise.resolve()

  constructor(vault: Vault, init: IngestInit, host: Host) {
    this.host = host
    this.onUnreadable = init.onUnreadable
    this.store = new ChunkStore(vault, init.store, 'content', host)
    this.writer = new ContentWriter(vault, this.store)
    this.small = new SmallFiles(this.store, this.writer)
    this.streams = new StreamTable(vault, this.store, host)
  }

  /** Calls run one after the other, though they may be sent ahead: the worker never waits for the main thread. */
  call(method: string, args: unknown): Promise<unknown> {
    if (method === 'read') return this.read(args as ReadJob)
    return this.inTurn(() => this.run(method, args))
  }

  private inTurn<T>(body: () => T | Promise<T>): Promise<T> {
    const next = this.last.then(body)
    this.last = next.catch(() => undefined)
    return next
  }

  private run(method: string, args: unknown): unknown {
    this.host.throwIfAborted()
    if (method === 'data') return this.data(args as StreamPiece)
    if (method === 'end') return this.end(args as StreamTail)
    if (method === 'claims') return this.store.addClaims(args as IdTablePlain)
    if (method === 'finish') return this.finish()
    throw new BackupError('INTERNAL', `ingest has no method ${method}`, { origin: 'repository' })
  }

  private begin(source: string): void {
    if (this.source !== undefined && this.source !== source) this.store.cut()
    this.source = source
  }

  /** While its attributes are asked for the next job is read. */
  private async read(job: ReadJob): Promise<Moved> {
    const results = await this.inTurn(() => this.readAll(job))
    // After what the fingerprints stand for: an attribute that is set meanwhile shows in the next backup's ctime.
    if (job.xattrs) await results.addXattrs(job)
    return results.take()
  }

  private async readAll(job: ReadJob): Promise<ResultWriter> {
    // Or jobs that wait here would keep the scan and the merge in this thread waiting, and with them the other threads.
    await this.host.yield()
    this.host.throwIfAborted()
    this.begin(job.source)
    const input = new ByteReader(job.metas)
    const results = new ResultWriter(job.count)
    const { host, store, writer, onUnreadable } = this
    const context = { host, store, writer, onUnreadable, follow: job.follow }
    const peek = new MetaPeek()
    for (let i = 0; i < job.count; i++) {
      const end = input.u32() + input.position
      const start = input.position
      const type = input.bytes[start]
      peek.read(input)
      if (job.xattrs && (type !== TYPE_FILE || peek.sizeBytes === 0)) {
        results.addEmpty(input.bytes.subarray(start, end), job.fingerprints, i)
        input.position = end
        continue
      }
      const path = `${job.root}/${peek.path.slice(job.prefixBytes)}`
      const id = this.small.read(path, peek.sizeBytes, job, i)
      input.position = start
      if (id) results.addSmall(input.bytes.subarray(start, end), peek.sizeBytes, id, job.fingerprints, i)
      else results.add(i, await readFileInto(context, path, readMeta(input)))
      input.position = end
      if (store.isBacklogged) await store.drain()
    }
    return results
  }

  /** The next piece of a stream. Its buffer goes back, to be filled again. */
  private async data(piece: StreamPiece): Promise<Moved> {
    this.begin(piece.stream.source)
    await this.streams.data(piece)
    return new Moved(piece.bytes, [piece.bytes.buffer])
  }

  private async end(tail: StreamTail): Promise<StreamEnd> {
    this.begin(tail.stream.source)
    return this.streams.end(tail)
  }

  private async finish(): Promise<ChunkStore['counters']> {
    await this.store.finish()
    return this.store.counters
  }
}

export function writeRecord(out: ByteWriter, meta: EntryMeta, streams: readonly StreamRefs[]): void {
  scratch.reset()
  writeMeta(scratch, meta)
  out.varint(scratch.length)
  out.raw(scratch.view())
  scratch.reset()
  writeStreams(scratch, streams)
  out.varint(scratch.length)
  out.raw(scratch.view())
}
const scratch = new ByteWriter(4096)

/** Streams of one main stream of one chunk, up to the size: count 1, name '', level 0, one reference. */
const ONE_CHUNK = Uint8Array.of(1, 0, 0, 1)

class ResultWriter {
  private readonly records = new ByteWriter(64 * 1024)
  private readonly fingerprints = new ByteWriter(256 * FINGERPRINT_BYTES)
  private readonly statuses: Uint8Array<ArrayBuffer>
  private readonly warnings: Warning[] = []
  private readBytes = 0
  private dressed: Uint8Array<ArrayBuffer> | undefined

  constructor(count: number) {
    this.statuses = new Uint8Array(count)
  }

  add(index: number, outcome: FileOutcome): void {
    this.warnings.push(...outcome.warnings)
    this.readBytes += outcome.readBytes
    if (!outcome.stream) {
      this.statuses[index] = STATUS_SKIPPED
      return
    }
    const at = this.records.reserve(4)
    writeRecord(this.records, outcome.meta, outcome.stream.refs.length > 0 ? [outcome.stream] : [])
    this.records.bytes.writeUInt32LE(this.records.length - at - 4, at)
    const position = this.fingerprints.reserve(FINGERPRINT_BYTES)
    this.fingerprints.bytes.writeBigInt64LE(outcome.fingerprint[0], position)
    this.fingerprints.bytes.writeBigUInt64LE(outcome.fingerprint[1], position + 8)
  }

  /** A file as it was scanned: its meta and fingerprint are taken as they are. */
  addSmall(meta: Uint8Array, sizeBytes: number, id: Uint8Array, fingerprints: Uint8Array, index: number): void {
    const { records } = this
    const at = records.reserve(4)
    records.varint(meta.length)
    records.raw(meta)
    records.varint(ONE_CHUNK.length + varintBytes(sizeBytes * 2) + id.length)
    records.raw(ONE_CHUNK)
    records.varint(sizeBytes * 2)
    records.raw(id)
    records.bytes.writeUInt32LE(records.length - at - 4, at)
    const from = index * FINGERPRINT_BYTES
    this.fingerprints.raw(fingerprints.subarray(from, from + FINGERPRINT_BYTES))
    this.readBytes += sizeBytes
  }

  /** An entry without content, as it was scanned. */
  addEmpty(meta: Uint8Array, fingerprints: Uint8Array, index: number): void {
    const { records } = this
    const at = records.reserve(4)
    records.varint(meta.length)
    records.raw(meta)
    records.varint(1)
    records.u8(0)
    records.bytes.writeUInt32LE(records.length - at - 4, at)
    const from = index * FINGERPRINT_BYTES
    this.fingerprints.raw(fingerprints.subarray(from, from + FINGERPRINT_BYTES))
  }

  async addXattrs(job: ReadJob): Promise<void> {
    const { bytes, warnings, failed } = await withXattrsOf(this.records.copy(), job, true)
    this.dressed = bytes
    this.warnings.push(...warnings)
    // Nothing is known of these: the next backup looks again.
    if (failed) this.fingerprints.view().fill(0)
  }

  take(): Moved {
    const result: ReadResult = {
      records: this.dressed ?? this.records.copy(),
      fingerprints: this.fingerprints.copy(),
      statuses: this.statuses,
      warnings: this.warnings,
      readBytes: this.readBytes,
    }
    return new Moved(result, [result.records.buffer, result.fingerprints.buffer, result.statuses.buffer])
  }
}
