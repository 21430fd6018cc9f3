/** What a diff found: totals of all of it, and the first changes as they came from the workers. */
import { BackupError } from '../../errors.ts'
import { comparePaths } from '../../util/paths.ts'
import { DIFF_TYPES, type RowBatch } from '../../workers/diff/rows.ts'
import { compareNames, type EntryPlace } from '../browse/entry-path.ts'
import type { ChangeType, Diff } from '../types/browse.ts'

/** Changes of one source, in path order. */
export interface SourceRows {
  source: string
  batch: RowBatch
}

export class ChangeLog {
  readonly totals: Record<ChangeType, { count: number; bytes: number }> = {
    added: { count: 0, bytes: 0 },
    modified: { count: 0, bytes: 0 },
    deleted: { count: 0, bytes: 0 },
    metadata: { count: 0, bytes: 0 },
    'type-changed': { count: 0, bytes: 0 },
  }
  readonly kept: SourceRows[] = []
  private readonly keptAtMost: number
  private keptCount = 0
  /** Changes in all. */
  count = 0

  /** Keeps so many changes, and a batch at most beyond them. */
  constructor(keptAtMost: number) {
    this.keptAtMost = keptAtMost
  }

  add(source: string, batch: RowBatch): void {
    if (batch.count === 0) return
    const wasWhole = this.isWhole
    this.count += batch.count
    for (const [index, type] of DIFF_TYPES.entries()) {
      this.totals[type].count += batch.counts[index]!
      this.totals[type].bytes += batch.bytes[index]!
    }
    if (!wasWhole || this.keptCount >= this.keptAtMost) return
    this.keptCount += batch.count
    this.kept.push({ source, batch })
  }

  /** True while every change is kept. */
  get isWhole(): boolean {
    return this.keptCount === this.count
  }

  /** The last change that is kept. */
  get lastPlace(): EntryPlace | undefined {
    const last = this.kept.at(-1)
    return last && { source: last.source, path: last.batch.lastPath }
  }

  result(base: string, head: string): Omit<Diff, 'changes'> {
    return { base, head, totals: this.totals }
  }
}

export function comparePlaces(a: EntryPlace, b: EntryPlace): number {
  return compareNames(a.source, b.source) || comparePaths(a.path, b.path)
}

export function tooManyChanges(limit: number): BackupError {
  return new BackupError('LIMIT_EXCEEDED', `There are more than ${limit} changes, more than a live diff keeps.`, {
    origin: 'usage',
    details: { limit },
    hint: 'Compare a part of it with the option select.',
  })
}
