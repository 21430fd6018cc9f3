/** Worker service 'zip': a snapshot as the bytes of a ZIP. All that there is once for each entry stays in this thread. */

import { AgeSealer } from '../../crypto/age.ts'
import { type Sha256Stream, sha256Stream } from '../../crypto/hash.ts'
import { release } from '../../util/bytes.ts'
import type { SelectorPlain } from '../browse/entry-selector.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { SegmentWindows } from '../segments/segment-windows.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { sealedBlocks } from './age-blocks.ts'
import { ContentFeed } from './content-feed.ts'
import { type ExportProgress, ZipExport } from './zip-export.ts'
import { type ZipItem, type ZipSource, zipItems } from './zip-items.ts'

export interface ZipPlan {
  sources: readonly ZipSource[]
  select: SelectorPlain
  /** Of compression, 0 to 9. */
  level: number
  /** Of `metadata.json`, up to its list of entries. */
  metadataHead: string
  /** Seconds since 1970, of `metadata.json`. */
  mtimeSeconds: number
  /** The ZIP becomes a file of age. `logN`: of scrypt's cost. */
  encrypt?: { passphrase: string; logN?: number }
}

export interface ZipInit extends ZipPlan {
  vault: VaultPlain
  tables: ChunkTablePlain[]
}

/** Answer of 'next'; null at the end. */
export interface ZipBlock extends ExportProgress {
  block: Uint8Array
}

/** Answer of 'result', after the end. */
export interface ZipResult {
  entries: number
  /** Of the ZIP. */
  size: number
  /** Hex. */
  sha256: string
}

/** Of pages and chunk lists. */
const CACHED_SEGMENTS = 2

export async function createZip(init: ZipInit, host: Host): Promise<Service> {
  const { passphrase, logN } = init.encrypt ?? {}
  const sealer = passphrase === undefined ? undefined : await AgeSealer.create(passphrase, logN)
  return new ZipService(await createVault(init.vault), init, host, sealer)
}

class ZipService implements Service {
  private readonly export: ZipExport
  private readonly blocks: AsyncGenerator<Uint8Array, void, undefined>
  private readonly sha: Sha256Stream = sha256Stream()
  private size = 0

  constructor(vault: Vault, init: ZipInit, host: Host, sealer?: AgeSealer) {
    const { tables, sources, select } = init
    const index = new ChunkIndex(tables)
    const reader = (): ChunkReader => new ChunkReader(vault, index, host, CACHED_SEGMENTS)
    const items = (): AsyncIterable<ZipItem> => zipItems(reader(), host, sources, select)
    const feed = new ContentFeed(items(), reader(), new SegmentWindows(vault, index, host))
    this.export = new ZipExport({ ...init, items, feed })
    const blocks = this.export.blocks()
    this.blocks = sealer ? sealedBlocks(sealer, blocks) : blocks
  }

  call(method: string): Promise<Moved | null> | ZipResult {
    if (method === 'next') return this.next()
    const { size, sha } = this
    return { entries: this.export.entries, size, sha256: sha.digestHex() }
  }

  private async next(): Promise<Moved | null> {
    const { value } = await this.blocks.next()
    if (!value) return null
    this.sha.update(value)
    this.size += value.length
    const block = owned(value)
    return new Moved({ block, ...this.export.takeProgress() } satisfies ZipBlock, [block.buffer])
  }

  close(): void {
    this.export.destroy()
  }
}

/** Streams may give a part of a buffer, or one of Node's pool. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) return new Uint8Array(buffer, byteOffset)
  const copy = new Uint8Array(bytes)
  release(bytes)
  return copy
}
