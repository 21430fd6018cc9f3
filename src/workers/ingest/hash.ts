/** Worker service 'hash': reads content as a backup would, and compares its chunk ids with stored ones. Stores nothing. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { readMeta } from '../../model/entry.ts'
import { type StreamRefs, writeStreams } from '../../model/streams.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { ContentWriter } from './content-writer.ts'
import { type FileContext, readFileInto } from './file-ingest.ts'
import type { ChunkSink } from './list-builder.ts'
import { profileOf, type StreamHead, type StreamPiece, type StreamTail } from './stream-ingest.ts'

export interface HashInit {
  vault: VaultPlain
  onUnreadable: 'fail' | 'skip'
}

/** Files of one batch of a scan. */
export interface HashJob {
  root: string
  prefixBytes: number
  follow: boolean
  count: number
  /** For each u32 meta bytes, meta. */
  metas: Uint8Array<ArrayBuffer>
  /** For each u32 bytes, the stored streams: the main one, or none. */
  expected: Uint8Array<ArrayBuffer>
}

export const HASH_SAME = 0
export const HASH_DIFFERS = 1
/** It could not be read, or is gone: what metadata says stands. */
export const HASH_UNKNOWN = 2

export interface HashResult {
  statuses: Uint8Array
  /** Bytes read. */
  sizes: Float64Array
  warnings: Warning[]
}

export async function createHash(init: HashInit, host: Host): Promise<Service> {
  return new HashService(await createVault(init.vault), init, host)
}

class HashService implements Service {
  private readonly vault: Vault
  private readonly put: ChunkSink['put']
  private streamed: ContentWriter | undefined
  private readonly context: FileContext
  private readonly scratch = new ByteWriter(4096)
  private last: Promise<unknown> = Promise.resolve()

  constructor(vault: Vault, { onUnreadable }: HashInit, host: Host) {
    this.vault = vault
    this.put = (buffer, start, end) => vault.hasher.id(buffer, start, end)
    const writer = new ContentWriter(vault, { put: this.put })
    this.context = { host, store: { drain: async () => {} }, writer, onUnreadable, follow: false }
  }

  /** Calls may be sent ahead; they run one after the other. */
  call(method: string, args: unknown): Promise<unknown> {
    const next = this.last.then(() => this.run(method, args))
    this.last = next.catch(() => undefined)
    return next
  }

  private run(method: string, args: unknown): unknown {
    this.context.host.throwIfAborted()
    if (method === 'files') return this.files(args as HashJob)
    if (method === 'data') return this.data(args as StreamPiece)
    if (method === 'end') return this.end(args as StreamTail & { expected: Uint8Array })
    throw new BackupError('INTERNAL', `hash has no method ${method}`, { origin: 'repository' })
  }

  /** One stream after the other. Its buffer goes back, to be filled again. */
  private data({ stream, bytes }: StreamPiece): Moved {
    this.writerFor(stream).write(bytes)
    return new Moved(bytes, [bytes.buffer])
  }

  private end({ stream, bytes, expected }: StreamTail & { expected: Uint8Array }): boolean {
    const writer = this.writerFor(stream)
    writer.write(bytes)
    this.streamed = undefined
    return this.isExpected(writer.finish(), expected)
  }

  /** As a backup cuts it, else the ids could not be compared. */
  private writerFor(stream: StreamHead): ContentWriter {
    const { vault, put } = this
    if (!this.streamed) {
      this.streamed = new ContentWriter({ profile: profileOf(stream, vault), gear: vault.gear }, { put })
      this.streamed.holes = stream.holes
    }
    return this.streamed
  }

  private async files(job: HashJob): Promise<HashResult> {
    const { count, root, prefixBytes, follow } = job
    const [metas, expected] = [new ByteReader(job.metas), new ByteReader(job.expected)]
    const result: HashResult = { statuses: new Uint8Array(count), sizes: new Float64Array(count), warnings: [] }
    for (let i = 0; i < count; i++) {
      this.context.host.throwIfAborted()
      const meta = readMeta(new ByteReader(metas.raw(metas.u32())))
      const path = `${root}/${meta.path.slice(prefixBytes)}`
      const { stream, warnings, meta: now } = await readFileInto({ ...this.context, follow }, path, meta)
      const wanted = expected.raw(expected.u32())
      result.warnings.push(...warnings)
      result.sizes[i] = now.sizeBytes ?? 0
      result.statuses[i] = !stream ? HASH_UNKNOWN : this.isExpected(stream, wanted) ? HASH_SAME : HASH_DIFFERS
    }
    return result
  }

  private isExpected(stream: StreamRefs, expected: Uint8Array): boolean {
    const { scratch } = this
    scratch.reset()
    writeStreams(scratch, stream.refs.length > 0 ? [stream] : [])
    return Buffer.compare(scratch.view(), expected) === 0
  }
}
