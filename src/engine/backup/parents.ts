/** Which older snapshot each source is compared with. */
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { ParsedBackupOptions } from '../options-backup.ts'
import { resolveSnapshot } from '../snapshot-ref.ts'
import { treeRoot, viewSnapshot } from '../snapshot-view.ts'
import type { SnapshotRef } from '../types-snapshot.ts'

export class Parents {
  private readonly bySource: ReadonlyMap<string, SnapshotInfo>
  /** The newest of them: what the snapshot names as its parent. */
  readonly newest: SnapshotInfo | undefined

  constructor(bySource: ReadonlyMap<string, SnapshotInfo>) {
    this.bySource = bySource
    const all = [...bySource.values()]
    this.newest = all.sort((a, b) => b.record.createdAt.getTime() - a.record.createdAt.getTime())[0]
  }

  rootOf(source: string): TreeRoot | null {
    return treeRoot(this.recordOf(source))
  }

  recordOf(source: string): SnapshotSourceRecord | undefined {
    return this.bySource.get(source)?.record.sources.find(({ name }) => name === source)
  }
}

/** `snapshots`: newest first. */
export function chooseParents(
  snapshots: readonly SnapshotInfo[],
  host: string,
  { parent, sources }: Pick<ParsedBackupOptions, 'parent' | 'sources'>,
): Parents {
  const chosen = new Map<string, SnapshotInfo>()
  if (parent === 'none') return new Parents(chosen)
  const named = parent === 'auto' ? undefined : namedParent(snapshots, parent)
  const candidates = named
    ? [named]
    : snapshots.filter(({ record }) => record.host === host && record.kind === 'backup')
  for (const { name, kind } of sources) {
    const has = ({ record }: SnapshotInfo): boolean =>
      record.sources.some((each) => each.name === name && each.kind === kind)
    const found = candidates.find(has)
    if (found) chosen.set(name, found)
  }
  return new Parents(chosen)
}

function namedParent(snapshots: readonly SnapshotInfo[], ref: SnapshotRef): SnapshotInfo {
  const { id } = resolveSnapshot(
    snapshots.map((info) => viewSnapshot(info)),
    ref,
  )
  return snapshots.find((info) => info.id === id)!
}
