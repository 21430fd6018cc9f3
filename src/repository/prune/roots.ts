/** What a prune keeps: everything that a snapshot needs, or one that was forgotten a short while ago. */
import { BackupError } from '../../errors.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import type { Trash } from '../../model/trash.ts'
import type { CallSignal } from '../../targets/target.ts'
import type { Records } from '../records.ts'
import type { DamagedObject } from '../records-listing.ts'
import { Snapshots } from '../snapshots.ts'
import { TrashListing } from '../trash.ts'

export interface Roots {
  readonly snapshots: readonly SnapshotRecord[]
  /** Forgotten, and still to be kept. */
  readonly trash: readonly Trash[]
  /** Forgotten for so long that nothing of them is kept, or erased. */
  readonly expired: readonly string[]
  /** Ids of copies whose snapshots are there. */
  readonly unended: readonly string[]
}

export class RootListing {
  private readonly snapshots: Snapshots
  private readonly trash: TrashListing

  constructor(records: Records) {
    this.snapshots = new Snapshots(records)
    this.trash = new TrashListing(records)
  }

  /**
   * Snapshots first, then what was forgotten: whoever forgets puts the copy first, so one of the two listings has it.
   * @throws BackupError OBJECT_CORRUPT, FORMAT_UNSUPPORTED: nobody knows what an unreadable one needs
   */
  async list(expiry: Date, options: CallSignal): Promise<Roots> {
    const { snapshots, tombstones, damaged } = await this.snapshots.list(options)
    refuseDamaged(damaged)
    const { trash: all, damaged: damagedTrash } = await this.trash.list(options)
    refuseDamaged(damagedTrash)
    // Whoever forgets one that is still there puts its copy anew, and that must not be taken for the old one.
    const there = new Set(snapshots.map(({ record }) => record.id))
    const gone = all.filter(({ id }) => !there.has(id))
    const isKept = ({ id, at }: Trash): boolean => at > expiry && tombstones.get(id)?.reason !== 'erased'
    return {
      snapshots: snapshots.map(({ record }) => record),
      trash: gone.filter(isKept),
      expired: gone.filter((each) => !isKept(each)).map(({ id }) => id),
      unended: all.filter(({ id }) => there.has(id)).map(({ id }) => id),
    }
  }
}

function refuseDamaged(damaged: readonly DamagedObject[]): void {
  const first = damaged[0]
  if (first === undefined) return
  const { key, error } = first
  throw new BackupError(error.code, `Nothing is pruned: nobody can say what ${key} needs. ${error.message}`, {
    origin: 'repository',
    details: { key, damaged: damaged.length },
    hint: 'Run verify, and restore or remove the damaged objects; then prune.',
    cause: error,
  })
}
