/** What a source holds now, batch by batch: from a worker's scan where it has one, else from its own entries. */
import type { Warning } from '../../events.ts'
import type { EntryBatch } from '../../model/entry-batch.ts'
import type { ScanPlan, SourceEntry } from '../../sources/source.ts'
import type { OpenedSource } from '../backup/open-sources.ts'
import { scanAhead } from '../backup/scan-ahead.ts'
import { sourceBatches } from '../backup/source-entries.ts'
import type { Reading } from '../reading/reading.ts'

/** A program is started for each batch: 3 ms. */
const ASKED_ENTRIES = 1024

export interface LiveEntries {
  batch: EntryBatch
  warnings: readonly Warning[]
  /** Content that comes through the main thread, by latin1 path; absent where a worker reads the files itself. */
  contents?: ReadonlyMap<string, SourceEntry>
}

export async function* liveBatches(reading: Reading, { name, session }: OpenedSource): AsyncGenerator<LiveEntries> {
  if (session.scan) yield* scanBatches(reading, session.scan)
  else for await (const each of sourceBatches(name, session, reading.signal)) yield { ...each, warnings: [] }
}

async function* scanBatches(reading: Reading, plan: ScanPlan): AsyncGenerator<LiveEntries> {
  const thread = reading.lease.threads[0]!
  const scan = reading.track(
    await thread.open('scan', { plan, onUnreadable: unreadablePolicy(reading), xattrs: true }, {}),
  )
  yield* scanAhead(scan, plan.xattrs ? ASKED_ENTRIES : undefined)
}

/** As the engine's backups do it. */
export function unreadablePolicy({ engine }: Reading): 'fail' | 'skip' {
  return engine.defaults.onEntryError ?? 'fail'
}
