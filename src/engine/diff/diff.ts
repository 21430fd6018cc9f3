/** The diff verb: what is different between two snapshots, or between a snapshot and what the sources hold now. */
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { linkAbort } from '../../util/abort.ts'
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import { type EntryPlace, formatEntryPath } from '../browse/entry-path.ts'
import { withReadingItems } from '../reading/items.ts'
import { type Reading, withReading } from '../reading/reading.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import { findSnapshot } from '../snapshots/load.ts'
import type { Diff, DiffOptions } from '../types/browse.ts'
import type { EngineContext } from '../types/context.ts'
import { listChanges } from './change-listing.ts'
import { ChangeLog, type SourceRows } from './change-log.ts'
import { diffLive } from './diff-live.ts'
import { isSameTree, mergeTrees, pairSources, type SourcePair, sourceNames } from './merge-trees.ts'
import { assertSources, selectorPlain } from './selection.ts'

/** Changes kept in memory, a few hundred bytes each. Who lists more has them found again. */
const KEPT_CHANGES = 10_000
/** All is merged in one session: a second thread would cost memory and do nothing. */
const THREADS = 1

export function diff(engine: EngineContext, options: DiffOptions): Promise<Diff> {
  const call = { verb: 'diff' as const, options, describe: describeOptions(options) }
  return withQuietRun(engine, call, (run) => runDiff(engine, options, run))
}

async function runDiff(engine: EngineContext, options: DiffOptions, run: RunContext): Promise<Diff> {
  const base = options.base === 'empty' ? null : await findSnapshot(engine, options.base, run.signal)
  if (options.head === 'live') return diffLive(engine, base, options, run)
  return diffSnapshots(engine, base, await findSnapshot(engine, options.head, run.signal), options, run)
}

async function diffSnapshots(
  engine: EngineContext,
  base: SnapshotInfo | null,
  head: SnapshotInfo,
  { select }: DiffOptions,
  run: RunContext,
): Promise<Diff> {
  assertSources(select?.sources, sourceNames(base, head), 'the snapshots')
  const pairs = pairSources(base, head, select?.sources).filter((pair) => !isSameTree(pair))
  const log = new ChangeLog(KEPT_CHANGES)
  const selector = selectorPlain(select)
  if (pairs.length > 0) await fill(engine, pairs, selector, run, log)
  const changes = listChanges(log, (behind) => findAgain(engine, pairs, selector, behind))
  return { ...log.result(base?.id ?? 'empty', head.id), changes }
}

async function fill(
  engine: EngineContext,
  pairs: readonly SourcePair[],
  select: SelectorPlain,
  run: RunContext,
  log: ChangeLog,
): Promise<void> {
  run.progress.phase('compare')
  run.progress.total({ items: pairs.reduce((sum, pair) => sum + entriesOf(pair), 0) })
  const merge = async (reading: Reading): Promise<void> => {
    for await (const { source, batch, passed } of mergeTrees(reading, pairs, select)) {
      log.add(source, batch)
      const { lastPath } = batch
      run.progress.add({ items: passed, ...(lastPath && { currentPath: formatEntryPath(source, lastPath) }) })
    }
  }
  await withReading(engine, run.signal, merge, THREADS)
}

function entriesOf({ base, head }: SourcePair): number {
  return (base?.entries ?? 0) + (head?.entries ?? 0)
}

/** The run is over by then, so this ends with the engine or with whoever iterates. */
async function* findAgain(
  engine: EngineContext,
  pairs: readonly SourcePair[],
  select: SelectorPlain,
  behind: EntryPlace,
): AsyncGenerator<SourceRows> {
  engine.lifetime.assertOpen()
  const linked = linkAbort(engine.lifetime.signal)
  try {
    yield* withReadingItems(engine, linked.signal, (reading) => mergeTrees(reading, pairs, select, behind))
  } finally {
    linked.dispose()
  }
}
