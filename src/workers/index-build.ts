/** Worker service 'index': opens index fragments and builds one table of all their facts, off the main thread. */

import { randomBytes } from '../crypto/random.ts'
import { BackupError } from '../errors.ts'
import { MAX_BOX_RAW_BYTES } from '../model/box.ts'
import { decodeFragment, encodeFragment, type PackFacts } from '../model/fragment.ts'
import { decodeDirectory } from '../model/pack.ts'
import { MalformedBytes, release } from '../util/bytes.ts'
import { ChunkTable, type ChunkTablePlain } from './chunk-index.ts'
import { type Host, Moved, type Service } from './rpc.ts'
import { createVault, type Vault, type VaultPlain } from './vault.ts'

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

export interface BuiltTable {
  table: ChunkTablePlain
  chunks: number
  packs: number
  damaged: DamagedFragment[]
}

export async function createIndexBuild(init: { vault: VaultPlain }, _host: Host): Promise<Service> {
  return new IndexBuild(await createVault(init.vault))
}

class IndexBuild implements Service {
  private readonly vault: Vault

  constructor(vault: Vault) {
    this.vault = vault
  }

  call(method: string, args: unknown): unknown {
    if (method === 'build') return this.build((args as { fragments: StoredFragment[] }).fragments)
    if (method === 'table') return ChunkTable.build((args as { packs: PackFacts[] }).packs).plain
    if (method === 'seal') return this.seal(args as { key: string; runId: string; packs: PackFacts[] })
    throw new BackupError('INTERNAL', `index has no method ${method}`, { origin: 'repository' })
  }

  private build(fragments: readonly StoredFragment[]): BuiltTable {
    const facts = new Map<string, PackFacts>()
    const damaged: BuiltTable['damaged'] = []
    for (const { key, bytes } of fragments) {
      try {
        for (const pack of this.open(key, bytes)) facts.set(nameOf(pack), pack)
      } catch (error) {
        if (!BackupError.is(error)) throw error
        const isNewEpoch = error.details.reason === 'epoch'
        damaged.push({ key, code: error.code, message: error.message, ...(isNewEpoch && { isNewEpoch }) })
      }
    }
    const table = ChunkTable.build([...facts.values()])
    return { table: table.plain, chunks: table.chunks, packs: facts.size, damaged }
  }

  private open(key: string, bytes: Uint8Array): PackFacts[] {
    const { raw } = this.vault.opener.open(bytes, 0, {
      cls: 'index',
      bind: key,
      maxRawBytes: MAX_BOX_RAW_BYTES,
      whole: true,
    })
    // Given away by whoever asked; all fragments together are as large as the table.
    if (raw.buffer !== bytes.buffer) release(bytes)
    try {
      const { packs } = decodeFragment(raw)
      for (const pack of packs) decodeDirectory(pack.directory)
      return packs
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
    return new Moved(sealed, [sealed.buffer])
  }
}

function nameOf({ name }: PackFacts): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
}
