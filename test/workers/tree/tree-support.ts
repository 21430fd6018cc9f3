/** Trees of pages in memory, without packs and keys, and a reader that counts what is opened. */
import { gearTable } from '../../../src/chunking/gear.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { type EntryMeta, FINGERPRINT_BYTES } from '../../../src/model/entry.ts'
import type { TreeRoot } from '../../../src/model/page.ts'
import { ByteWriter } from '../../../src/util/bytes.ts'
import { comparePaths } from '../../../src/util/paths.ts'
import type { ChunkReader } from '../../../src/workers/chunks/chunk-reader.ts'
import { writeRecord } from '../../../src/workers/ingest/service.ts'
import type { Host } from '../../../src/workers/threads/rpc.ts'
import { PageBuilder } from '../../../src/workers/tree/page-builder.ts'

const gear = gearTable(new Uint8Array(32).fill(3))

export class PageStore {
  private readonly chunks = new Map<string, Uint8Array>()
  /** Ids in the order in which they were read. */
  readonly opened: string[] = []

  put(buffer: Uint8Array, start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(buffer.subarray(start, end))
    const id = sha256(bytes)
    this.chunks.set(Buffer.from(id).toString('hex'), bytes)
    return id
  }

  readonly reader = {
    chunk: async (id: Uint8Array): Promise<Uint8Array> => {
      const key = Buffer.from(id).toString('hex')
      this.opened.push(key)
      return this.chunks.get(key)!
    },
  } as unknown as ChunkReader

  build(entries: Iterable<EntryMeta>): TreeRoot | null {
    const builder = new PageBuilder(this, gear)
    const out = new ByteWriter()
    for (const meta of [...entries].sort((a, b) => comparePaths(a.path, b.path))) {
      out.reset()
      writeRecord(out, meta, [])
      builder.add(meta.path, out.view(), new Uint8Array(FINGERPRINT_BYTES), 0, meta.sizeBytes ?? 0)
    }
    return builder.finish()
  }
}

export const quietHost = { throwIfAborted: () => {}, aborted: false } as unknown as Host
