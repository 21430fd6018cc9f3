/** Snapshots as a listing: paging that stays right while snapshots come and go. */
import { listSorted } from '../listing.ts'
import type { Listing } from '../types/run.ts'
import type { Snapshot, SnapshotFilter } from '../types/snapshot.ts'
import { filterSnapshots } from './filter.ts'

/** `load` gives all snapshots, in any order; it is called once for each page or iteration. */
export function listSnapshots(load: () => Promise<readonly Snapshot[]>, filter: SnapshotFilter): Listing<Snapshot> {
  return listSorted({
    load: async () => filterSnapshots(await load(), filter),
    placeOf: (snapshot) => [snapshot.createdAt.getTime(), snapshot.id],
    order: filter.order ?? 'newest',
  })
}
