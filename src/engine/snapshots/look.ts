/** snapshots() and snapshot(): over whatever loads them all. */
import { linkAbort, race } from '../../util/abort.ts'
import { deferListing } from '../listing.ts'
import { parseSnapshotFilter, parseSnapshotRef } from '../options/look.ts'
import { withReading } from '../reading/reading.ts'
import type { EngineContext } from '../types/context.ts'
import type { Listing } from '../types/run.ts'
import type { Snapshot, SnapshotFilter, SnapshotRef, SnapshotSource } from '../types/snapshot.ts'
import { listSnapshots } from './listing.ts'
import { resolveSnapshot } from './ref.ts'
import { loadFacts } from './source-facts.ts'
import { recordBehind } from './view.ts'

type Load = (engine: EngineContext, signal: AbortSignal) => Promise<readonly Snapshot[]>

export function snapshotsVerb(engine: EngineContext, load: Load, filter?: SnapshotFilter): Listing<Snapshot> {
  return deferListing(() => {
    const parsed = parseSnapshotFilter(filter)
    return listSnapshots(() => loadOpen(engine, load, parsed.signal), parsed)
  })
}

export async function snapshotVerb(engine: EngineContext, load: Load, ref: SnapshotRef): Promise<Snapshot> {
  const parsed = parseSnapshotRef(ref)
  const signal = typeof parsed === 'object' ? parsed.latest.signal : undefined
  const loadOne = async (_: EngineContext, linked: AbortSignal): Promise<Snapshot> =>
    withAllFacts(engine, resolveSnapshot(await load(engine, linked), parsed), linked)
  return loadOpen(engine, loadOne, signal)
}

/** Large facts are read for one snapshot; a listing of thousands leaves them out. */
async function withAllFacts(engine: EngineContext, snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
  if (snapshot.sources.every((source) => !recordBehind(source))) return snapshot
  const sources: SnapshotSource[] = []
  await withReading(engine, signal, async (reading) => {
    for (const source of snapshot.sources) {
      const record = recordBehind(source)
      sources.push(record ? { ...source, facts: { ...(await loadFacts(reading, record)) } } : source)
    }
  })
  return { ...snapshot, sources }
}

async function loadOpen<T>(
  engine: EngineContext,
  load: (engine: EngineContext, signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  engine.lifetime.assertOpen()
  const linked = linkAbort(signal, engine.lifetime.signal)
  try {
    return await race(load(engine, linked.signal), linked.signal)
  } finally {
    linked.dispose()
  }
}
