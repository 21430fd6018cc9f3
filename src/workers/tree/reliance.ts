/**
 * Worker service 'reliance': whether a new snapshot may rely on all that an older one needs. Every page, fingerprint page, list
 * and chunk has to be in a pack that no prune has named: rule 3 of the protocol of writers.
 */
import { BackupError } from '../../errors.ts'
import type { TreeRoot } from '../../model/page.ts'
import { ChunkIndex, type ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { PruneWalk, type WalkMarks } from '../prune/walk.ts'
import { createVault, type VaultPlain } from '../segments/vault.ts'
import type { Host, Service } from '../threads/rpc.ts'

/** The main thread answers 'range' (bytes of a pack) and 'walked' (entries done since the last time). */
export interface RelianceInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
}

/** A tree, or a chunk that a snapshot names itself. */
export type RelianceJob = { root: TreeRoot } | { id: Uint8Array; rawBytes: number }

export async function createReliance({ vault: plain, tables }: RelianceInit, host: Host): Promise<Service> {
  const vault = await createVault(plain)
  const index = new ChunkIndex(tables)
  const walk = new PruneWalk(new RelianceMarks(index), new ChunkReader(vault, index, host), host)
  return {
    async call(method, args) {
      if (method !== 'check')
        throw new BackupError('INTERNAL', `reliance has no method ${method}`, { origin: 'repository' })
      const job = args as RelianceJob
      if ('root' in job) await walk.pages([job.root], job.root.level)
      else walk.single(job.id, job.rawBytes)
    },
  }
}

class RelianceMarks implements WalkMarks {
  private readonly index: ChunkIndex
  /** Ids (latin1) of pages and lists. */
  private readonly walked = new Set<string>()

  constructor(index: ChunkIndex) {
    this.index = index
  }

  reach(id: Uint8Array, at: number, _lengthBytes: number): boolean {
    if (this.index.has(id, at)) return true
    if (this.index.tables.every((table) => table.findLive(id, at) < 0)) return false
    throw namedByPrune()
  }

  walk(id: Uint8Array): boolean {
    const key = Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')
    if (this.walked.has(key)) return false
    this.walked.add(key)
    return true
  }
}

export function namedByPrune(): BackupError {
  return new BackupError('OBJECT_MISSING', 'A prune that is under way has named what is needed to be freed.', {
    origin: 'repository',
    retryable: true,
    hint: 'Try again when that prune has ended: it may let live what it has named.',
  })
}
