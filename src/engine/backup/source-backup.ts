/** One opened source into the repository, by a worker's scan where it has one, else through the main thread. */
import type { TreeRoot } from '../../model/page.ts'
import type { RepositoryWriter } from '../../repository/writer.ts'
import type { Thread } from '../../workers/threads/rpc.ts'
import type { BackupTally } from './backup-tally.ts'
import { backupEntries, type EntryHooks } from './entry-pipeline.ts'
import type { OpenedSource } from './open-sources.ts'
import { backupScan } from './source-pipeline.ts'

export interface SourceBackup {
  writer: RepositoryWriter
  threads: readonly Thread[]
  source: OpenedSource
  parent: TreeRoot | null
  options: { onEntryError: 'fail' | 'skip' }
  tally: BackupTally
  signal: AbortSignal
}

export async function backupSource({
  writer,
  threads,
  source,
  parent,
  options,
  tally,
  signal,
}: SourceBackup): Promise<void> {
  const { name, session } = source
  const at = (path: string): string => `${name}/${path}`
  const hooks: EntryHooks = {
    signal,
    warn: (warning) => tally.warn(warning.path === undefined ? warning : { ...warning, path: at(warning.path) }),
    found: (entries, bytes) => tally.found(entries, bytes),
    scanned: () => tally.scanned(),
    streamed: (bytes, path) => tally.streamed(bytes, at(path)),
    done: (entries, bytes, path, rows) => tally.done(entries, bytes, at(path), rows),
  }
  const input = { name, parent, onUnreadable: options.onEntryError }
  const result = session.scan
    ? await backupScan(writer, threads, session.scan, input, hooks)
    : await backupEntries(writer, session, input, hooks)
  source.result = { root: result.root, entries: result.counts.entries, bytes: result.counts.contentBytes }
  tally.source(result.counts, result.readBytes, result.skipped)
}
