/** Which snapshots are copied, in which order, and what each is compared with. */

import type { DamagedObject } from '../../repository/records-listing.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { ParsedCopyOptions } from '../options/copy.ts'
import { compareAge, filterSnapshots } from '../snapshots/filter.ts'
import { loadRecords } from '../snapshots/load.ts'
import { resolveSnapshot } from '../snapshots/ref.ts'
import type { EngineContext } from '../types/context.ts'
import type { Snapshot, SnapshotRef } from '../types/snapshot.ts'

/** A snapshot of `from`. */
export interface Original {
  /** With its notes. */
  view: Snapshot
  info: SnapshotInfo
}

export interface ChosenOriginals {
  /** Oldest first, so that each finds the copy of the one before. */
  originals: Original[]
  /** Could not be read, so nobody can say whether they were meant. */
  damaged: readonly DamagedObject[]
}

export async function chooseOriginals(
  from: EngineContext,
  { snapshots }: ParsedCopyOptions,
  signal: AbortSignal,
): Promise<ChosenOriginals> {
  const loaded = await loadRecords(from, signal)
  const all = new Map(loaded.snapshots.map((each) => [each.view.id, each]))
  const views = loaded.snapshots.map(({ view }) => view)
  const isNamed = isList(snapshots)
  const chosen = isNamed ? snapshots.map((ref) => resolveSnapshot(views, ref)) : filterSnapshots(views, snapshots)
  const ids = new Set(chosen.sort(compareAge).map(({ id }) => id))
  // Whoever names the snapshots has found all of them.
  return {
    originals: [...ids].map((id) => all.get(id)!),
    damaged: isNamed ? [] : loaded.damaged,
  }
}

function isList(snapshots: ParsedCopyOptions['snapshots']): snapshots is readonly SnapshotRef[] {
  return Array.isArray(snapshots)
}

/** What is in `to`, by what it was at first: a copy of a copy counts as one of the original. */
export class Copies {
  readonly #to: string
  readonly #byOrigin = new Map<string, Snapshot>()

  constructor(to: string, present: readonly Snapshot[]) {
    this.#to = to
    for (const snapshot of present) this.add(snapshot)
  }

  add(snapshot: Snapshot): void {
    this.#byOrigin.set(nameOf(originOf(this.#to, snapshot)), snapshot)
  }

  find(repository: string, snapshot: Snapshot): Snapshot | undefined {
    return this.#byOrigin.get(nameOf(originOf(repository, snapshot)))
  }

  /**
   * What its copy is compared with: the copy of its parent; else the newest copy from before it that has one of its sources
   * from the same host. Any choice is right, and a near one leaves less to read.
   */
  parentFor(repository: string, { view }: Original): Snapshot | undefined {
    const { parent } = view
    const copied = parent && this.#byOrigin.get(nameOf({ repository, snapshot: parent }))
    if (copied) return copied
    const names = new Set(view.sources.map(({ name }) => name))
    const near = [...this.#byOrigin.values()].filter(
      ({ copiedFrom, host, createdAt, sources }) =>
        copiedFrom && host === view.host && createdAt <= view.createdAt && sources.some(({ name }) => names.has(name)),
    )
    return near.sort(compareAge).at(-1)
  }
}

/** One that was forgotten and brought back is still the same. */
export function originOf(
  repository: string,
  { id, copiedFrom, undoneFrom }: Snapshot,
): NonNullable<Snapshot['copiedFrom']> {
  return copiedFrom ?? { repository, snapshot: undoneFrom ?? id }
}

function nameOf({ repository, snapshot }: NonNullable<Snapshot['copiedFrom']>): string {
  return `${repository}/${snapshot}`
}
