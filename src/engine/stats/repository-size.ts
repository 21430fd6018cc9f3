/** What the repository takes: its packs by the index, and, where asked for, every object by the target's listings. */
import { PREFIX } from '../../repository/keys-layout.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { EngineContext } from '../types/context.ts'
import type { TargetStats } from '../types/stats.ts'

export interface PackTotals {
  packs: number
  storedBytes: number
  rawBytes: number
}

/** Segments between two turns of everybody else. */
const SEGMENTS_AT_ONCE = 65_536

export async function packTotals(engine: EngineContext, signal: AbortSignal): Promise<PackTotals> {
  const { repository } = engine
  const lease = await repository.lease()
  try {
    await repository.refreshIndex(lease, signal)
  } finally {
    lease.release()
  }
  const packs = repository.index.packs()
  const totals = { packs: packs.size, storedBytes: 0, rawBytes: 0 }
  for (const bytes of packs.values()) totals.storedBytes += bytes
  // A pack may be named in several fragments, and so lie in several tables.
  for (const table of repository.index.index.tables) {
    const own = new Set<number>()
    for (let pack = 0; pack < table.packCount; pack++) if (packs.delete(table.packName(pack))) own.add(pack)
    let seen = 0
    for (const { pack, rawBytes } of table.allSegments()) {
      if (own.has(pack)) totals.rawBytes += rawBytes
      if (++seen % SEGMENTS_AT_ONCE > 0) continue
      await new Promise((resolve) => setImmediate(resolve))
      throwIfAborted(signal)
    }
  }
  return totals
}

export async function countTarget(engine: EngineContext, signal: AbortSignal): Promise<TargetStats> {
  const { target } = engine.repository.repository
  const count = async (prefix: string) => {
    const area = { objects: 0, bytes: 0 }
    for await (const { size } of target.list(prefix, { signal })) {
      area.objects++
      area.bytes += size
    }
    return area
  }
  const entries = await Promise.all(
    Object.entries(PREFIX).map(async ([name, prefix]) => [name, await count(prefix)] as const),
  )
  const areas = entries.map(([, area]) => area)
  return {
    objects: areas.reduce((total, { objects }) => total + objects, 0),
    bytes: areas.reduce((total, { bytes }) => total + bytes, 0),
    byArea: Object.fromEntries(entries),
  }
}
