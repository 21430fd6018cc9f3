/** Which older snapshot each source is compared with. */
import { timeOfId } from '../../model/ids.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotSourceRecord } from '../../model/snapshot.ts'
import type { FoundSnapshots, SnapshotInfo } from '../../repository/snapshots.ts'
import type { ParsedBackupOptions } from '../options/backup.ts'
import { resolveSnapshot } from '../snapshots/ref.ts'
import { treeRoot, viewSnapshot } from '../snapshots/view.ts'
import type { SnapshotRef } from '../types/snapshot.ts'

export class Parents {
  private readonly bySource: ReadonlyMap<string, SnapshotInfo>
  /** The newest of them: what the snapshot names as its parent. */
  readonly newest: SnapshotInfo | undefined
  /** Facts that could not be read: if they come out the same, they have to be stored again. */
  readonly lostFacts: { id: Uint8Array; bytes: number }[] = []

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

/** No more snapshots are read than it takes: from the newest on, until all sources have their parent. */
export async function chooseParents(
  found: FoundSnapshots,
  host: string,
  { parent, sources }: Pick<ParsedBackupOptions, 'parent' | 'sources'>,
  signal: AbortSignal,
): Promise<Parents> {
  const chosen = new Map<string, SnapshotInfo>()
  if (parent === 'none') return new Parents(chosen)
  if (parent !== 'auto') {
    choose(chosen, namedParent((await found.all({ signal })).snapshots, parent), sources)
    return new Parents(chosen)
  }
  if (sources.length === 0) return new Parents(chosen)
  for await (const info of found.newestFirst({ signal })) {
    const { host: madeOn, kind, copiedFrom } = info.record
    // A copy has no fingerprints that a source would give: everything would be read.
    if (madeOn === host && kind === 'backup' && !copiedFrom) choose(chosen, info, sources)
    if (chosen.size === sources.length && [...chosen.values()].every((each) => isNewerThanRest(each, info.id))) break
  }
  return new Parents(chosen)
}

/** Ids begin with the time. One that took the place of another, or was brought back, is older than its id says. */
function isNewerThanRest({ record }: SnapshotInfo, id: string): boolean {
  return record.createdAt.getTime() >= (timeOfId(id) ?? 0)
}

function choose(chosen: Map<string, SnapshotInfo>, info: SnapshotInfo, sources: ParsedBackupOptions['sources']): void {
  for (const { name, kind } of sources) {
    const has = info.record.sources.some((each) => each.name === name && each.kind === kind)
    const before = chosen.get(name)
    if (has && (!before || before.record.createdAt < info.record.createdAt)) chosen.set(name, info)
  }
}

function namedParent(snapshots: readonly SnapshotInfo[], ref: SnapshotRef): SnapshotInfo {
  const { id } = resolveSnapshot(
    snapshots.map((info) => viewSnapshot(info)),
    ref,
  )
  return snapshots.find((info) => info.id === id)!
}
