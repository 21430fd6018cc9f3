/** A custom source into the repository: its entries and streams come through the main thread, and leave it by transfer. */
import type { RepositoryWriter } from '../../repository/writer.ts'
import type { SourceSession } from '../../sources/source.ts'
import { type LinkedAbort, linkAbort, settled } from '../../util/abort.ts'
import type { ReadResult } from '../../workers/ingest/service.ts'
import { type SourceBatch, sourceBatches } from './source-entries.ts'
import { type PipelineHooks, type SourceInput, SourcePipeline, type SourceResult } from './source-pipeline.ts'
import { StreamReader } from './stream-reader.ts'

/** Whatever a source says: each stream costs some MiB. */
const MAX_CONCURRENCY = 64
/** Entries of batches that wait for a stream to end while others go on. */
const MAX_WAITING = 10_000
/** How long streams may take to end after a failure; then the session ends with them open. */
const LEAVE_MS = 1000

export interface EntryHooks extends PipelineHooks {
  /** Bytes of a stream, as they are read. */
  streamed(bytes: number, path: string): void
}

export async function backupEntries(
  writer: RepositoryWriter,
  session: SourceSession,
  input: SourceInput & { onUnreadable: 'fail' | 'skip' },
  hooks: EntryHooks,
): Promise<SourceResult> {
  const stop = linkAbort(hooks.signal)
  const pipeline = new SourcePipeline(writer, hooks)
  const reader = streamReader(writer, session, input, hooks, stop)
  const batches = new WaitingBatches(pipeline, stop)
  try {
    await pipeline.begin(input)
    for await (const batch of sourceBatches(input.name, session, stop.signal)) {
      await pushEntries(pipeline, reader, batches, batch, hooks)
      await reader.room()
    }
    await batches.drain(0)
    hooks.scanned()
    return await pipeline.end()
  } catch (error) {
    // All that is open ends before the session does.
    stop.abort(error)
    await settled(reader.settle(), LEAVE_MS)
    throw error
  } finally {
    stop.dispose()
  }
}

function streamReader(
  writer: RepositoryWriter,
  { concurrency = 1 }: SourceSession,
  { name, onUnreadable }: Parameters<typeof backupEntries>[2],
  hooks: EntryHooks,
  { signal, abort }: LinkedAbort,
): StreamReader {
  return new StreamReader({
    source: name,
    onUnreadable,
    sessions: writer.ingest,
    concurrency: Math.min(Math.max(Math.trunc(concurrency) || 1, 1), MAX_CONCURRENCY),
    signal,
    onBytes: (bytes, unannounced, path) => {
      if (unannounced > 0) hooks.found(0, unannounced)
      hooks.streamed(bytes, path)
    },
    onEntry: (path, rows) => hooks.done(1, 0, path, rows),
    onFailure: abort,
  })
}

async function pushEntries(
  pipeline: SourcePipeline,
  reader: StreamReader,
  batches: WaitingBatches,
  { batch, contents }: SourceBatch,
  hooks: EntryHooks,
): Promise<void> {
  const { count, contentBytes } = batch
  pipeline.noteScan(batch, [])
  const { batch: number, job, keptBytes, path } = await pipeline.merge(batch)
  const announced = contentBytes - (job?.contentBytes ?? 0)
  if (keptBytes > announced) hooks.found(0, keptBytes - announced)
  hooks.done(count - (job?.count ?? 0), Math.max(keptBytes, announced), path)
  if (!job) return
  await batches.drain(MAX_WAITING)
  batches.add(number, job.count, path, await reader.begin(job, contents))
}

/** Batches whose entries have all been begun, and not all been read. */
class WaitingBatches {
  private readonly pipeline: SourcePipeline
  private readonly stop: LinkedAbort
  private readonly running = new Set<Promise<void>>()
  private entries = 0
  private failure: { error: unknown } | undefined

  constructor(pipeline: SourcePipeline, stop: LinkedAbort) {
    this.pipeline = pipeline
    this.stop = stop
  }

  add(number: number, entries: number, path: string, read: () => Promise<ReadResult>): void {
    this.entries += entries
    const task: Promise<void> = read()
      .then((result) => this.pipeline.complete(number, result, 0, 0, path))
      .catch((error: unknown) => {
        this.failure ??= { error }
        this.stop.abort(error)
      })
      .finally(() => {
        this.entries -= entries
        this.running.delete(task)
      })
    this.running.add(task)
  }

  /** Until at most so many entries wait. */
  async drain(atMost: number): Promise<void> {
    while (this.entries > atMost) await Promise.race(this.running)
    if (this.failure) throw this.failure.error
  }
}
