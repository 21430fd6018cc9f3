/** Two snapshots, source by source, merged in a worker. */
import type { TreeRoot } from '../../model/page.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import { behindEntry } from '../../workers/browse/service.ts'
import type { DiffAnswer, TreesInit } from '../../workers/diff/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { compareNames, type EntryPlace } from '../browse/entry-path.ts'
import type { Reading } from '../reading/reading.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { SourceRows } from './change-log.ts'

/** One source as each snapshot has it; null where it has no entries. */
export interface SourcePair {
  source: string
  base: TreeRoot | null
  head: TreeRoot | null
}

export interface MergeStep extends SourceRows {
  /** Entries dealt with, on both sides together. */
  passed: number
}

/** All sources of both, in order, or those that are wanted. */
export function pairSources(
  base: SnapshotInfo | null,
  head: SnapshotInfo,
  wanted: readonly string[] | undefined,
): SourcePair[] {
  const names = [...sourceNames(base, head)].filter((name) => wanted === undefined || wanted.includes(name))
  return names.sort(compareNames).map((source) => ({ source, base: rootOf(base, source), head: rootOf(head, source) }))
}

export function sourceNames(...snapshots: readonly (SnapshotInfo | null)[]): Set<string> {
  return new Set(snapshots.flatMap((info) => info?.record.sources.map(({ name }) => name) ?? []))
}

function rootOf(info: SnapshotInfo | null, source: string): TreeRoot | null {
  return treeRoot(info?.record.sources.find(({ name }) => name === source))
}

/** `behind`: only what comes after this place. */
export async function* mergeTrees(
  reading: Reading,
  pairs: readonly SourcePair[],
  select: SelectorPlain,
  behind?: EntryPlace,
): AsyncGenerator<MergeStep> {
  let session: Session | undefined
  for (const pair of pairs) {
    const order = behind ? compareNames(pair.source, behind.source) : 1
    if (order < 0 || isSameTree(pair)) continue
    session ??= await reading.open('diff', { select })
    yield* mergePair(session, { ...pair, from: order === 0 ? behindEntry(behind!.path) : '' })
  }
}

/** Nothing of it needs to be read. */
export function isSameTree({ base, head }: SourcePair): boolean {
  if (!base || !head) return base === head
  return base.level === head.level && Buffer.compare(base.id, head.id) === 0
}

async function* mergePair(session: Session, init: TreesInit): AsyncGenerator<MergeStep> {
  await session.call('trees', init)
  for (;;) {
    const { batch, passed, done } = await session.call<DiffAnswer>('next', null)
    yield { source: init.source, batch, passed }
    if (done) return
  }
}
