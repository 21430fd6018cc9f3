/** All snapshots with their notes, as users see them. */
import { BackupError } from '../../errors.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import type { DamagedObject } from '../../repository/records-listing.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { EngineContext } from '../types/context.ts'
import type { Snapshot, SnapshotRef } from '../types/snapshot.ts'
import { resolveSnapshot } from './ref.ts'
import { viewSnapshot } from './view.ts'

export interface Loaded {
  snapshots: { info: SnapshotInfo; view: Snapshot }[]
  damaged: readonly DamagedObject[]
  /** Ended for good, whatever copies there may be. */
  erased: ReadonlySet<string>
  /** Snapshots whose newest note cannot be read: an older one is shown, and they may be held. */
  unreadableNotes: ReadonlySet<string>
}

/** The same with what is stored of each, and what could not be read. */
export function loadRecords(engine: EngineContext, signal: AbortSignal): Promise<Loaded> {
  return load(engine, signal)
}

export async function loadSnapshots(engine: EngineContext, signal: AbortSignal): Promise<readonly Snapshot[]> {
  return (await load(engine, signal)).snapshots.map(({ view }) => view)
}

/**
 * The one that is meant, with its stored record. One that is damaged is said to be so, and no older one passes for
 * the latest. @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS, OBJECT_CORRUPT, FORMAT_UNSUPPORTED
 */
export async function findSnapshot(
  engine: EngineContext,
  ref: SnapshotRef,
  signal: AbortSignal,
): Promise<SnapshotInfo> {
  // Notes change what a filter finds, and nothing else that is asked here.
  const { snapshots, damaged } = await load(engine, signal, typeof ref === 'object')
  try {
    const views = snapshots.map(({ view }) => view)
    const { id } = resolveSnapshot(views, ref)
    // Ids begin with the time.
    if (ref === 'latest') refuseDamaged(damaged, (other) => other > id)
    return snapshots.find(({ info }) => info.id === id)!.info
  } catch (error) {
    if (!BackupError.is(error) || error.code !== 'SNAPSHOT_NOT_FOUND' || typeof ref !== 'string') throw error
    refuseDamaged(damaged, (other) => ref === 'latest' || other.startsWith(ref))
    throw error
  }
}

function refuseDamaged(damaged: readonly DamagedObject[], isMeant: (id: string) => boolean): void {
  const hurt = damaged.find(({ key }) => isMeant(key.slice(PREFIX.snapshots.length)))
  if (!hurt) return
  const { key, error } = hurt
  throw new BackupError(error.code, `The snapshot that is meant cannot be read: ${error.message}`, {
    origin: 'repository',
    details: { key },
    hint: 'Run verify, restore this object from a copy of the repository, or name an older snapshot by its id.',
    cause: error,
  })
}

async function load(engine: EngineContext, signal: AbortSignal, withNotes = true): Promise<Loaded> {
  const { snapshots, notes } = engine.repository.repository
  const [listing, noted] = await Promise.all([
    snapshots.list({ signal }),
    withNotes ? notes.list({ signal }) : undefined,
  ])
  const views = listing.snapshots.map((info) => ({ info, view: viewSnapshot(info, noted?.notes.get(info.id)) }))
  const hurt = (noted?.damaged ?? []).map(({ key }) => key.split('/')[1]!)
  const erased = [...listing.tombstones.values()].filter(({ reason }) => reason === 'erased').map(({ id }) => id)
  const { damaged } = listing
  return { snapshots: views, damaged, erased: new Set(erased), unreadableNotes: new Set(hurt) }
}
