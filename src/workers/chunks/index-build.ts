/** Worker service 'index': opens index fragments and builds one table of all their facts, off the main thread. */

import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import { MAX_BOX_RAW_BYTES } from '../../model/box.ts'
import { decodeFragment, encodeFragment, type PackFacts } from '../../model/fragment.ts'
import { CHUNK_ROW_BYTES, decodeDirectory } from '../../model/pack.ts'
import { MalformedBytes, release } from '../../util/bytes.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import type { ChunkTablePlain } from './chunk-index.ts'
import { TableBuilder } from './table-builder.ts'

export interface StoredFragment {
  key: string
  bytes: Uint8Array
}

export interface DamagedFragment {
  key: string
  code: string
  message: string
  /** Sealed under an epoch that this vault has no keys of. */
  isNewEpoch?: boolean
}

/** Of the packs that were noted: those from the one number to before the other. */
export interface NotedSeal {
  key: string
  runId: string
  from: number
  to: number
}

export async function createIndexBuild(init: { vault: VaultPlain }, _host: Host): Promise<Service> {
  return new IndexBuild(await createVault(init.vault))
}

class IndexBuild implements Service {
  private readonly vault: Vault
  private builder: TableBuilder | undefined
  /** Kept for a fragment, for the union of several, and for tables. */
  private noted: PackFacts[] = []

  constructor(vault: Vault) {
    this.vault = vault
  }

  call(method: string, args: unknown): unknown {
    if (method === 'begin') return this.begin(args as { maxChunks: number })
    if (method === 'fragments') return this.addFragments(args as readonly StoredFragment[])
    if (method === 'packs') return this.addPacks(args as readonly PackFacts[])
    if (method === 'tables') return this.takeTables()
    if (method === 'seal') return this.seal(args as { key: string; runId: string; packs: PackFacts[] })
    if (method === 'note') return void this.noted.push(args as PackFacts)
    if (method === 'sealNoted') return this.sealNoted(args as NotedSeal)
    if (method === 'notedTables') return this.notedTables()
    throw new BackupError('INTERNAL', `index has no method ${method}`, { origin: 'repository' })
  }

  private begin({ maxChunks }: { maxChunks: number }): void {
    this.builder = new TableBuilder(maxChunks)
  }

  /** Gives those that cannot be read. */
  private addFragments(fragments: readonly StoredFragment[]): DamagedFragment[] {
    const damaged: DamagedFragment[] = []
    for (const { key, bytes } of fragments) {
      try {
        const { packs, raw } = this.open(key, bytes)
        this.addPacks(packs)
        // Left to the collector, those of a large index would be held together.
        release(raw)
      } catch (error) {
        if (!BackupError.is(error)) throw error
        const isNewEpoch = error.details.reason === 'epoch'
        damaged.push({ key, code: error.code, message: error.message, ...(isNewEpoch && { isNewEpoch }) })
      }
    }
    return damaged
  }

  private addPacks(packs: readonly PackFacts[]): void {
    for (const pack of packs) this.builder!.add(pack)
  }

  private takeTables(): ChunkTablePlain[] {
    const tables = this.builder!.finish()
    this.builder = undefined
    return tables
  }

  private open(key: string, bytes: Uint8Array): { packs: PackFacts[]; raw: Uint8Array } {
    const { raw } = this.vault.opener.open(bytes, 0, {
      cls: 'index',
      bind: key,
      maxRawBytes: MAX_BOX_RAW_BYTES,
      whole: true,
      inPlace: true,
    })
    // Given away by whoever asked; all fragments together are as large as the table.
    if (raw.buffer !== bytes.buffer) release(bytes)
    try {
      const { packs } = decodeFragment(raw)
      for (const pack of packs) decodeDirectory(pack.directory)
      return { packs, raw }
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error
      throw new BackupError('OBJECT_CORRUPT', `Index fragment ${key} cannot be read: ${error.message}.`, {
        origin: 'repository',
        details: { object: key },
      })
    }
  }

  /** A new fragment as it is stored. Its raw bytes hold 32 random ones, so no two are ever the same. */
  private seal({ key, runId, packs }: { key: string; runId: string; packs: PackFacts[] }): Moved {
    const raw = encodeFragment({ runId, packs }, randomBytes(32))
    const sealed = this.vault.sealer.seal('index', raw, { bind: key, compress: true })
    release(raw)
    return new Moved(sealed, [sealed.buffer])
  }

  private sealNoted({ key, runId, from, to }: NotedSeal): Moved {
    return this.seal({ key, runId, packs: this.noted.slice(from, to) })
  }

  /** Each directory is given back as soon as the table has it. */
  private notedTables(): ChunkTablePlain[] {
    const bytes = this.noted.reduce((sum, { directory }) => sum + directory.length, 0)
    const builder = new TableBuilder(Math.ceil(bytes / CHUNK_ROW_BYTES))
    for (const pack of this.noted) {
      builder.add(pack)
      release(pack.directory)
    }
    this.noted = []
    return builder.finish()
  }
}
