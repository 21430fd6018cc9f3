/**
 * One source into the repository: scan → merge with the parent → read what changed → pages. The main thread only passes
 * batches on; how far ahead it goes is bounded, so memory is too.
 */
import type { Warning } from '../../events.ts'
import type { EntryBatch } from '../../model/entry-batch.ts'
import { batchTransfer } from '../../model/entry-batch.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { RepositoryWriter } from '../../repository/writer.ts'
import type { ScanPlan } from '../../sources/source.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ReadJob, ReadResult } from '../../workers/ingest/service.ts'
import type { Thread } from '../../workers/threads/rpc.ts'
import type { ScannedAnswer, SourceEnd } from '../../workers/tree/service.ts'
import { ReadQueue } from './read-queue.ts'
import { scanTogether } from './scan-ahead.ts'
import { ScanSessions } from './scan-sessions.ts'
import { joinResults, splitJob } from './split-job.ts'

export interface PipelineHooks {
  warn(warning: Warning): void
  /** Entries and content bytes that a scan found. */
  found(entries: number, bytes: number): void
  /** The source's scan has ended, so totals are known. */
  scanned(): void
  /** Entries and bytes dealt with: unchanged, without content, or read. `rows`: where a source counts them. */
  done(entries: number, bytes: number, path: string, rows?: number): void
  signal: AbortSignal
}

export interface SourceResult extends SourceEnd {
  readBytes: number
  skipped: number
}

export interface SourceInput {
  name: string
  parent: TreeRoot | null
}

/** A built-in source whose tree workers scan. */
export async function backupScan(
  writer: RepositoryWriter,
  threads: readonly Thread[],
  plan: ScanPlan,
  input: SourceInput & { onUnreadable: 'fail' | 'skip' },
  hooks: PipelineHooks,
): Promise<SourceResult> {
  const scans = new ScanSessions()
  try {
    await scans.open(threads, { plan, onUnreadable: input.onUnreadable }, hooks.signal)
    const pipeline = new SourcePipeline(writer, hooks)
    await pipeline.begin(input)
    for await (const { batch, warnings } of scanTogether(scans.list)) {
      pipeline.noteScan(batch, warnings)
      await pipeline.push(batch)
    }
    hooks.scanned()
    return await pipeline.end()
  } catch (error) {
    scans.abort(error)
    throw error
  } finally {
    await scans.close()
  }
}

export class SourcePipeline {
  private readonly writer: RepositoryWriter
  private readonly hooks: PipelineHooks
  private readonly reads: ReadQueue
  private name = ''
  private readBytes = 0
  private skipped = 0

  constructor(writer: RepositoryWriter, hooks: PipelineHooks) {
    this.writer = writer
    this.hooks = hooks
    this.reads = new ReadQueue(writer.ingest)
  }

  async begin({ name, parent }: SourceInput): Promise<void> {
    this.name = name
    await this.writer.tree.call('begin', { name, parent })
  }

  noteScan(batch: EntryBatch, warnings: readonly Warning[]): void {
    for (const warning of warnings) this.warn(warning)
    this.hooks.found(batch.count, batch.contentBytes)
  }

  private warn(warning: Warning): void {
    if (warning.code === 'ENTRY_SKIPPED') this.skipped++
    this.hooks.warn(warning)
  }

  async push(batch: EntryBatch): Promise<void> {
    if (batch.count === 0) return
    const { count, contentBytes } = batch
    const answer = await this.merge(batch)
    if (answer.job) {
      const { job } = answer
      const { count: awaited, contentBytes: awaitedBytes } = job
      this.hooks.done(count - awaited, contentBytes - awaitedBytes, answer.path)
      await this.read(job, (result) => this.complete(answer.batch, result, awaited, awaitedBytes, answer.path))
    } else {
      this.hooks.done(count, contentBytes, answer.path)
    }
  }

  /** In parts where it is much; `done` gets the result of all. */
  private async read(job: ReadJob, done: (result: ReadResult) => Promise<void>): Promise<void> {
    const parts = splitJob(job)
    const results: ReadResult[] = []
    let left = parts.length
    for (const [number, part] of parts.entries()) {
      await this.reads.push(part, async (result) => {
        results[number] = result
        if (--left === 0) await done(joinResults(results))
      })
    }
  }

  async merge(batch: EntryBatch): Promise<ScannedAnswer & { path: string }> {
    const answer = await this.writer.tree.call<ScannedAnswer>('scanned', batch, batchTransfer(batch))
    return { ...answer, path: latin1ToUser(answer.lastPath) }
  }

  async complete(batch: number, result: ReadResult, entries: number, bytes: number, path: string): Promise<void> {
    for (const warning of result.warnings) this.warn(warning)
    this.readBytes += result.readBytes
    const transfer = [result.records.buffer, result.fingerprints.buffer, result.statuses.buffer]
    await this.writer.tree.call('completed', { batch, result }, transfer)
    this.hooks.done(entries, bytes, path)
  }

  async end(): Promise<SourceResult> {
    await this.reads.drain()
    const ended = await this.writer.tree.call<SourceEnd>('end', null)
    if (ended.lost.pages > 0) this.warn(parentLost(this.name, ended.lost))
    return { ...ended, readBytes: this.readBytes, skipped: this.skipped }
  }
}

/** This backup is whole; the one before is not. */
function parentLost(source: string, { pages, entries }: SourceEnd['lost']): Warning {
  const message = `${pages} pages of the last snapshot of ${source} are lost: what they said of ${entries} entries is read anew. Run verify and repair.`
  return { code: 'PARENT_LOST', message, details: { source, pages, entries } }
}
