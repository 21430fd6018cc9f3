/** What a backup has done so far: for progress, for limits, and for the counts of the snapshot. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { StoreCounters } from '../../workers/chunk-store.ts'
import type { TreeCounts } from '../../workers/tree.ts'
import type { RunContext } from '../run-context.ts'
import type { BackupCounts } from '../types-backup.ts'

export class BackupTally {
  readonly counts: BackupCounts = {
    entries: 0,
    added: 0,
    modified: 0,
    unchanged: 0,
    deleted: 0,
    skipped: 0,
    sourceBytes: 0,
    readBytes: 0,
    newBytes: 0,
    storedBytes: 0,
  }
  private readonly run: RunContext
  private readonly maxSourceBytes: number | undefined
  private foundEntries = 0
  private foundBytes = 0
  /** Bytes of large files that were shown before their batch was done. */
  private ahead = 0

  constructor(run: RunContext, { maxSourceBytes }: { maxSourceBytes?: number }) {
    this.run = run
    this.maxSourceBytes = maxSourceBytes
  }

  warn(warning: Warning): void {
    this.run.warn(warning)
  }

  found(entries: number, bytes: number): void {
    this.foundEntries += entries
    this.foundBytes += bytes
    if (this.maxSourceBytes !== undefined && this.foundBytes > this.maxSourceBytes) {
      throw new BackupError('LIMIT_EXCEEDED', `The sources hold more than maxSourceBytes (${this.maxSourceBytes}).`, {
        origin: 'usage',
        details: { maxSourceBytes: this.maxSourceBytes },
        hint: 'Nothing was committed. Exclude what is not needed, or raise the limit.',
      })
    }
  }

  /** The scan of the last source has ended: totals are known from now on. */
  scanned(): void {
    this.run.progress.total({ items: this.foundEntries, bytes: this.foundBytes })
  }

  reading(bytes: number): void {
    this.ahead += bytes
    this.run.progress.add({ bytes })
  }

  done(entries: number, bytes: number, currentPath: string): void {
    const shown = Math.min(this.ahead, bytes)
    this.ahead -= shown
    this.run.progress.add({ items: entries, bytes: bytes - shown, currentPath })
  }

  source(
    { entries, added, modified, unchanged, deleted, contentBytes }: TreeCounts,
    readBytes: number,
    skipped: number,
  ): void {
    const { counts } = this
    counts.entries += entries
    counts.added += added
    counts.modified += modified
    counts.unchanged += unchanged
    counts.deleted += deleted
    counts.sourceBytes += contentBytes
    counts.readBytes += readBytes
    counts.skipped += skipped
  }

  stored({ newBytes, storedBytes }: StoreCounters): void {
    this.counts.newBytes = newBytes
    this.counts.storedBytes = storedBytes
  }
}
