/** snapshots() and snapshot(): over whatever loads them all. */
import { linkAbort, race } from '../util/abort.ts'
import { deferListing } from './listing.ts'
import { parseSnapshotFilter, parseSnapshotRef } from './options-look.ts'
import { listSnapshots } from './snapshot-listing.ts'
import { resolveSnapshot } from './snapshot-ref.ts'
import type { EngineContext } from './types-context.ts'
import type { Listing } from './types-run.ts'
import type { Snapshot, SnapshotFilter, SnapshotRef } from './types-snapshot.ts'

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
  return resolveSnapshot(await loadOpen(engine, load, signal), parsed)
}

async function loadOpen(engine: EngineContext, load: Load, signal?: AbortSignal): Promise<readonly Snapshot[]> {
  engine.lifetime.assertOpen()
  const linked = linkAbort(signal, engine.lifetime.signal)
  try {
    return await race(load(engine, linked.signal), linked.signal)
  } finally {
    linked.dispose()
  }
}
