/**
 * Worker service 'rebuild': a segment of a pack that a prune has deleted, made again in memory out of its chunks, wherever
 * they are now. It is sealed to the very length that it had, so that whoever asked for it reads on as if it were the old one.
 */
import { BackupError } from '../../errors.ts'
import { gzip } from '../../transforms/gzip.ts'
import { zstd } from '../../transforms/zstd.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { createSealer, type Sealer } from './box.ts'
import { createVault, type Vault, type VaultPlain } from './vault.ts'

/** The main thread answers 'range'. */
export interface RebuildInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
}

export interface RebuildJob {
  /** In order, one behind the other. */
  chunks: { id: Uint8Array; length: number }[]
  rawBytes: number
  storedBytes: number
}

export async function createRebuild({ vault, tables }: RebuildInit, host: Host): Promise<Service> {
  return new Rebuild(await createVault(vault), new ChunkIndex(tables), host)
}

class Rebuild implements Service {
  private readonly vault: Vault
  private readonly reader: ChunkReader
  private readonly host: Host

  constructor(vault: Vault, index: ChunkIndex, host: Host) {
    this.vault = vault
    this.reader = new ChunkReader(vault, index, host)
    this.host = host
  }

  async call(method: string, args: unknown): Promise<unknown> {
    if (method !== 'segment')
      throw new BackupError('INTERNAL', `rebuild has no method ${method}`, { origin: 'repository' })
    const sealed = await this.segment(args as RebuildJob)
    return sealed ? new Moved(sealed, [sealed.buffer]) : null
  }

  /** Null where nothing of it is left, or it cannot be brought to that length. */
  private async segment({ chunks, rawBytes, storedBytes }: RebuildJob): Promise<Uint8Array<ArrayBuffer> | null> {
    const raw = new Uint8Array(rawBytes)
    let found = 0
    let offset = 0
    for (const { id, length } of chunks) {
      this.host.throwIfAborted()
      if (this.isThere(id)) {
        raw.set(await this.reader.chunk(id, length), offset)
        found++
      }
      offset += length
    }
    return found > 0 ? (sealToLength(this.vault, raw, storedBytes) ?? null) : null
  }

  /** What nobody needs any more may be in a pack that is gone, or in none: that stays zeros. */
  private isThere(id: Uint8Array): boolean {
    return this.reader.index.tables.some((table) => table.findLive(id) >= 0)
  }
}

/** Zeros before the encryption make up for what it is shorter. */
export function sealToLength(vault: Vault, raw: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> | undefined {
  for (const sealer of sealers(vault)) {
    const { length } = sealer.seal('content', raw, { compress: true })
    if (length <= bytes) return sealer.seal('content', raw, { compress: true, padBytes: bytes - length })
  }
  return undefined
}

/** As the engine seals; then smaller and smaller, where it was written by one that compressed better. */
function* sealers({ sealer, keyring, repositoryId }: Vault): Generator<Sealer> {
  yield sealer
  for (const transform of [gzip({ level: 9 }), zstd({ level: 19 })]) {
    yield createSealer({ keyring, repositoryId, transforms: [transform] })
  }
}
