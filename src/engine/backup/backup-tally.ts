/** What a backup has done so far: for progress, for limits, and for the counts of the snapshot. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { StoreCounters } from '../../workers/chunks/chunk-store.ts'
import type { TreeCounts } from '../../workers/tree/source-build.ts'
import type { RunContext } from '../run/context.ts'
import type { BackupCounts } from '../types/backup.ts'

export interface SourceTotals {
  items: number | null
  bytes: number | null
  /** Absent: it has none. */
  rows?: number | null
}

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
  private readonly isTotalKnown: boolean
  private foundEntries = 0
  private foundBytes = 0
  private unread: SourceTotals[] = []
  /** Bytes of large files that were shown before their batch was done. */
  private ahead = 0

  /** `isTotalKnown`: somebody else has said it, of more than this backup. */
  constructor(run: RunContext, { maxSourceBytes }: { maxSourceBytes?: number }, isTotalKnown = false) {
    this.run = run
    this.isTotalKnown = isTotalKnown
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

  /** Of all sources in the order in which they are read; null is what one cannot say beforehand. */
  expect(totals: readonly SourceTotals[]): void {
    this.unread = [...totals]
    const rows = totals.flatMap((each) => (each.rows === undefined ? [] : [each.rows]))
    if (rows.length > 0 && !this.isTotalKnown) this.run.progress.total({ rows: sum(0, rows) })
    this.showTotals()
  }

  /** A source has given all its entries: what was found counts from now on, not what was expected. */
  scanned(): void {
    this.unread.shift()
    this.showTotals()
  }

  private showTotals(): void {
    if (this.isTotalKnown) return
    const { unread } = this
    const items = sum(
      this.foundEntries,
      unread.map((each) => each.items),
    )
    const bytes = sum(
      this.foundBytes,
      unread.map((each) => each.bytes),
    )
    this.run.progress.total({ items, bytes })
  }

  /** Bytes of a stream; `done` is not told of them again. */
  streamed(bytes: number, currentPath: string): void {
    this.run.progress.add({ bytes, currentPath })
  }

  reading(bytes: number): void {
    this.ahead += bytes
    this.run.progress.add({ bytes })
  }

  done(entries: number, bytes: number, currentPath: string, rows?: number): void {
    const shown = Math.min(this.ahead, bytes)
    this.ahead -= shown
    this.run.progress.add({ items: entries, bytes: bytes - shown, currentPath, ...(rows !== undefined && { rows }) })
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

function sum(found: number, expected: readonly (number | null)[]): number | null {
  return expected.reduce(
    (total, each) => (total === null || each === null ? null : total + each),
    found as number | null,
  )
}
