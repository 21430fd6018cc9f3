/** All snapshots with their notes, as users see them. */
import type { SnapshotInfo } from '../repository/snapshots.ts'
import { resolveSnapshot } from './snapshot-ref.ts'
import { viewSnapshot } from './snapshot-view.ts'
import type { EngineContext } from './types-context.ts'
import type { Snapshot, SnapshotRef } from './types-snapshot.ts'

export async function loadSnapshots(engine: EngineContext, signal: AbortSignal): Promise<readonly Snapshot[]> {
  return (await load(engine, signal)).map(({ view }) => view)
}

/** The one that is meant, with its stored record. @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS */
export async function findSnapshot(
  engine: EngineContext,
  ref: SnapshotRef,
  signal: AbortSignal,
): Promise<SnapshotInfo> {
  const loaded = await load(engine, signal)
  const { id } = resolveSnapshot(
    loaded.map(({ view }) => view),
    ref,
  )
  return loaded.find(({ info }) => info.id === id)!.info
}

async function load(engine: EngineContext, signal: AbortSignal): Promise<{ info: SnapshotInfo; view: Snapshot }[]> {
  const { snapshots, notes } = engine.repository.repository
  const [listing, { notes: byId }] = await Promise.all([snapshots.list({ signal }), notes.list({ signal })])
  return listing.snapshots.map((info) => ({ info, view: viewSnapshot(info, byId.get(info.id)) }))
}
