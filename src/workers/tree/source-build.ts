/** One source on its way into pages: merged batches, some of which wait for content, and the pages made of them. */
import { BackupError } from '../../errors.ts'
import type { TreeRoot } from '../../model/page.ts'
import type { ReadResult } from '../ingest/service.ts'
import type { KeptRun } from './kept-run.ts'
import type { PageBuilder } from './page-builder.ts'
import type { ParentJoin } from './parent-join.ts'
import type { PendingBatch } from './pending-batch.ts'
import type { RecordVisitor } from './record-visitor.ts'

export interface TreeCounts {
  entries: number
  added: number
  modified: number
  unchanged: number
  deleted: number
  contentBytes: number
}

/** Batches wait here until their files have been read; then they go to the pages, in their order. */
export class SourceBuild {
  readonly name: string
  readonly join: ParentJoin
  private readonly builder: PageBuilder
  private readonly queue = new Map<number, PendingBatch>()
  private next = 0
  private written = 0
  private entries = 0
  private contentBytes = 0

  constructor(name: string, join: ParentJoin, builder: PageBuilder) {
    this.name = name
    this.join = join
    this.builder = builder
  }

  enqueue(batch: PendingBatch): number {
    const number = this.next++
    this.queue.set(number, batch)
    this.flush()
    if (this.queue.has(number)) batch.own()
    return number
  }

  complete(number: number, result: ReadResult): void {
    this.queue.get(number)!.complete(result)
    this.flush()
  }

  /** Batches that are whole go to the pages, in their order. */
  private flush(): void {
    for (let batch = this.queue.get(this.written); batch?.isComplete; batch = this.queue.get(this.written)) {
      this.queue.delete(this.written++)
      batch.forEach(this.visit, this.takeLeaf)
      this.join.leaveOut(batch.leftOut)
      this.join.settleSame(batch.same)
    }
  }

  private readonly visit: RecordVisitor = (path, record, fingerprints, at, contentBytes) => {
    this.entries++
    this.contentBytes += contentBytes
    this.builder.add(path, record, fingerprints, at, contentBytes)
  }

  private readonly takeLeaf = (run: KeptRun): boolean => {
    const leaf = run.leaf!
    if (!this.builder.addLeaf(leaf, run.lastPath, run.printsStand ? undefined : run.fingerprints)) return false
    this.entries += leaf.entries
    this.contentBytes += leaf.contentBytes
    return true
  }

  finish(): TreeRoot | null {
    if (this.queue.size > 0) throw new BackupError('INTERNAL', 'entries were never completed', { origin: 'repository' })
    return this.builder.finish()
  }

  counts(): TreeCounts {
    return { entries: this.entries, contentBytes: this.contentBytes, ...this.join.counts }
  }
}
