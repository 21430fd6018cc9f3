/** Worker service 'prune': marks what snapshots need, and says what that means for each pack. */
import { BackupError } from '../../errors.ts'
import type { PageRef } from '../../model/page.ts'
import type { ChunkTablePlain } from '../chunks/chunk-index.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
import { createVault, type Vault, type VaultPlain } from '../segments/vault.ts'
import { type Host, Moved, type Service } from '../threads/rpc.ts'
import { MarkedIndex, type PruneMarksPlain } from './marks.ts'
import { type NeededRange, PruneTally } from './tally.ts'
import { PruneWalk } from './walk.ts'

/** The main thread answers 'range' (bytes of a pack) and 'walked' (entries done since the last time). */
export interface PruneInit {
  vault: VaultPlain
  tables: ChunkTablePlain[]
  marks: PruneMarksPlain[]
  /** That packs are rewritten for. */
  minDeadShare: number
}

export interface PruneWalkJob {
  pages: readonly PageRef[]
  /** Of all these pages; 0: leaves. */
  level: number
}

export async function createPrune(init: PruneInit, host: Host): Promise<Service> {
  return new PruneService(await createVault(init.vault), init, host)
}

class PruneService implements Service {
  private readonly walk: PruneWalk
  private readonly tally: PruneTally

  constructor(vault: Vault, { tables, marks, minDeadShare }: PruneInit, host: Host) {
    const index = new MarkedIndex(tables, marks)
    this.walk = new PruneWalk(index, new ChunkReader(vault, index, host), host)
    this.tally = new PruneTally(index, minDeadShare)
  }

  call(method: string, args: unknown): unknown {
    if (method === 'walk') return this.pages(args as PruneWalkJob)
    if (method === 'children') return this.children(args as PruneWalkJob)
    if (method === 'single') return this.single(args as { id: Uint8Array; rawBytes: number })
    if (method === 'tolerate') return this.tolerate(args as boolean)
    if (method === 'choose') return this.choose()
    if (method === 'ranges') return this.ranges(args as { table: number; pack: number }[])
    if (method === 'rescue') return this.tally.rescue(args as Uint8Array[])
    throw new BackupError('INTERNAL', `prune has no method ${method}`, { origin: 'repository' })
  }

  private pages({ pages, level }: PruneWalkJob): Promise<void> {
    return this.walk.pages(pages, level)
  }

  /** What lies right below an inner page, so that several threads can share the walk. */
  private async children({ pages, level }: PruneWalkJob): Promise<PageRef[]> {
    const below: PageRef[] = []
    for (const page of pages) below.push(...(await this.walk.children(page, level)))
    return below.map((page) => ({
      ...page,
      id: new Uint8Array(page.id),
      fingerprintId: new Uint8Array(page.fingerprintId),
    }))
  }

  private single({ id, rawBytes }: { id: Uint8Array; rawBytes: number }): void {
    this.walk.single(id, rawBytes)
  }

  private tolerate(isTolerant: boolean): void {
    this.walk.isTolerant = isTolerant
  }

  private choose(): Moved {
    const tallies = this.tally.choose()
    return new Moved(
      tallies,
      tallies.flatMap((tally) => [tally.neededBytes.buffer, tally.segmentBytes.buffer, tally.doubled.buffer]),
    )
  }

  private ranges(places: readonly { table: number; pack: number }[]): NeededRange[][] {
    return places.map(({ table, pack }) => this.tally.ranges(table, pack))
  }
}
