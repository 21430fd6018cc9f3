/** A snapshot compared with what the sources hold now. All of them are opened before any is read, as for a backup. */
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { Source } from '../../sources/source.ts'
import { type OpenedSource, openSources } from '../backup/open-sources.ts'
import { compareNames } from '../browse/entry-path.ts'
import { invalidOption } from '../options/index.ts'
import { type Reading, withReading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { loadFacts, type SourceFacts } from '../snapshots/source-facts.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { Diff, DiffOptions } from '../types/browse.ts'
import type { EngineContext } from '../types/context.ts'
import { listChanges } from './change-listing.ts'
import { ChangeLog } from './change-log.ts'
import { liveBatches } from './live-batches.ts'
import { LiveCompare } from './live-compare.ts'
import { openHashing } from './live-content.ts'
import { assertSources, selectorPlain } from './selection.ts'

/** What was found cannot be found again, since the sources go on changing; so all of it is kept. */
const MAX_CHANGES = 1_000_000

export async function diffLive(
  engine: EngineContext,
  base: SnapshotInfo | null,
  options: DiffOptions,
  run: RunContext,
): Promise<Diff> {
  const sources = chooseSources(engine, base, options.select?.sources)
  const log = new ChangeLog(MAX_CHANGES)
  await withReading(engine, run.signal, async (reading) => {
    const factsOf = async (name: string): Promise<SourceFacts | undefined> => {
      const record = recordOf(base, name)
      return record && loadFacts(reading, record)
    }
    const opened = await openSources(engine, sources, factsOf, run)
    try {
      const compare = await openCompare(reading, options, run, log)
      for (const source of opened.list) {
        await compareSource(compare, reading, source, base, options)
        await opened.release(source)
      }
    } finally {
      await opened.close()
    }
  })
  return { ...log.result(base?.id ?? 'empty', 'live'), changes: listChanges(log, nothingMore) }
}

/**
 * Those of the snapshot, or those that are selected. One that this engine does not have is refused: calling all of its
 * entries deleted would be untrue.
 */
function chooseSources(
  engine: EngineContext,
  base: SnapshotInfo | null,
  wanted: readonly string[] | undefined,
): readonly Source[] {
  const known = new Map(engine.sources.map((source) => [source.name, source]))
  assertSources(wanted, new Set(known.keys()), 'this engine')
  const names = wanted ?? base?.record.sources.map(({ name }) => name) ?? [...known.keys()]
  const foreign = names.find((name) => !known.has(name))
  if (foreign !== undefined) {
    const rule = `given where the engine lacks a source of the snapshot; it lacks '${foreign}'`
    throw invalidOption('select.sources', rule, wanted ?? [], 'diff')
  }
  return [...new Set(names)].sort(compareNames).map((name) => known.get(name)!)
}

function recordOf(base: SnapshotInfo | null, name: string) {
  return base?.record.sources.find((source) => source.name === name)
}

async function openCompare(
  reading: Reading,
  { select, checksum }: DiffOptions,
  run: RunContext,
  log: ChangeLog,
): Promise<LiveCompare> {
  const { threads } = reading.lease
  // Not the thread that scans, where there are several.
  const session = await reading.open('diff', { select: selectorPlain(select) }, threads[1] ?? threads[0]!)
  const hashing = checksum ? await openHashing(reading, run) : undefined
  return new LiveCompare({ session, hashing, run, log, maxChanges: MAX_CHANGES })
}

async function compareSource(
  compare: LiveCompare,
  reading: Reading,
  source: OpenedSource,
  base: SnapshotInfo | null,
  { checksum = false }: DiffOptions,
): Promise<void> {
  await compare.begin({
    source: source.name,
    base: treeRoot(recordOf(base, source.name)),
    checksum,
    exactFingerprints: !source.session.scan,
    ignoreXattrs: source.session.scan?.xattrs === false,
  })
  for await (const batch of liveBatches(reading, source)) await compare.push(batch)
  await compare.end()
}

async function* nothingMore(): AsyncGenerator<never> {}
