/** All snapshots that there are, and all that could be brought back: what an erasure has to look through. */
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import type { Repository } from '../../repository/open.ts'
import { runsToCome } from '../../repository/prune/wait.ts'
import type { DamagedObject } from '../../repository/records-listing.ts'
import type { SnapshotListing } from '../../repository/snapshots.ts'
import { TrashListing } from '../../repository/trash.ts'
import type { CallSignal } from '../../targets/target.ts'

type Place = Pick<Repository, 'records' | 'snapshots'>

export interface Gone {
  /** Forgotten, or about to be. */
  readonly records: readonly SnapshotRecord[]
  readonly damaged: readonly DamagedObject[]
}

/**
 * Snapshots are listed before and after their copies: whoever forgets one makes the copy first, and whoever brings one back takes it
 * away last, so none is missed that goes either way meanwhile. `list` gives what counts as being there.
 */
export async function listEverything<T extends Pick<SnapshotListing, 'damaged'>>(
  { records, snapshots }: Place,
  list: () => Promise<T & { ids: ReadonlySet<string> }>,
  options: CallSignal,
): Promise<{ there: T; gone: Gone }> {
  const before = await snapshots.list(options)
  const { trash, damaged } = await new TrashListing(records).list(options)
  const there = await list()
  const found = new Map<string, SnapshotRecord>()
  for (const { id, record } of before.snapshots) found.set(id, record)
  for (const { id, snapshot } of trash) if (before.tombstones.get(id)?.reason !== 'erased') found.set(id, snapshot)
  // One that cannot be read stays as it is, and so does its copy.
  const unreadable = there.damaged.map(({ key }) => key.slice(PREFIX.snapshots.length))
  for (const id of [...there.ids, ...unreadable]) found.delete(id)
  return { there, gone: { records: [...found.values()], damaged } }
}

export interface Unlooked {
  /** Also forgotten ones. */
  readonly snapshots: readonly SnapshotRecord[]
  /** Ids of runs that may still make one. */
  readonly runs: readonly string[]
}

/** What nobody has looked through. Runs first: of one that is over by then, the snapshot is there. */
export async function unlooked(place: Place, looked: ReadonlySet<string>, options: CallSignal): Promise<Unlooked> {
  const runs = await runsToCome(place.records, options)
  const list = async () => {
    const { snapshots, damaged } = await place.snapshots.list(options)
    return { damaged, ids: new Set(snapshots.map(({ id }) => id)), present: snapshots.map(({ record }) => record) }
  }
  const { there, gone } = await listEverything(place, list, options)
  const all = [...there.present, ...gone.records]
  return { snapshots: all.filter(({ id }) => !looked.has(id)), runs }
}
