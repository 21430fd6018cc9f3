/** From what a person says ('latest', half an id, "as of Tuesday") to one snapshot. */
import { BackupError, type Json } from '../../errors.ts'
import { invalidOption } from '../options/index.ts'
import type { Snapshot, SnapshotRef } from '../types/snapshot.ts'
import { compareAge, filterSnapshots } from './filter.ts'

const MIN_PREFIX = 4
/** Enough to choose from; a prefix like '2026' may match thousands. */
const MAX_CANDIDATES = 20

/**
 * Finds the snapshot a ref means. 'latest' and filters look at backups only, unless the filter names kinds; an id or
 * prefix finds any kind.
 * @throws BackupError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS, or INVALID_OPTIONS for a prefix that is too short
 */
export function resolveSnapshot(snapshots: readonly Snapshot[], ref: SnapshotRef): Snapshot {
  if (ref === 'latest') return newest(filterSnapshots(snapshots), 'latest', 'there is no snapshot yet')
  if (typeof ref === 'object') {
    const fitting = filterSnapshots(snapshots, ref.latest).sort(compareAge).reverse()
    return newest(fitting, 'a filter', 'no snapshot fits the filter')
  }
  return byIdOrPrefix(snapshots, ref)
}

function newest(fitting: readonly Snapshot[], ref: string, message: string): Snapshot {
  if (fitting[0]) return fitting[0]
  throw notFound(message, { ref })
}

function byIdOrPrefix(snapshots: readonly Snapshot[], ref: string): Snapshot {
  const exact = snapshots.find((snapshot) => snapshot.id === ref)
  if (exact) return exact
  if (ref.length < MIN_PREFIX) throw invalidOption('snapshot', `an id or at least ${MIN_PREFIX} characters of one`, ref)
  const fitting = snapshots.filter((snapshot) => snapshot.id.startsWith(ref))
  if (fitting.length > 1) throw ambiguous(ref, fitting)
  if (fitting[0]) return fitting[0]
  throw notFound(`there is no snapshot '${ref}'`, { ref })
}

function notFound(message: string, details: Readonly<Record<string, Json>>): BackupError {
  return new BackupError('SNAPSHOT_NOT_FOUND', message, {
    origin: 'repository',
    details,
    hint: 'List the snapshots to see which there are.',
  })
}

function ambiguous(ref: string, fitting: readonly Snapshot[]): BackupError {
  const ids = [...fitting]
    .sort(compareAge)
    .reverse()
    .map((snapshot) => snapshot.id)
  return new BackupError('SNAPSHOT_AMBIGUOUS', `'${ref}' fits ${fitting.length} snapshots`, {
    origin: 'repository',
    details: { ref, count: ids.length, candidates: ids.slice(0, MAX_CANDIDATES) },
    hint: 'Give more characters of the id.',
  })
}
