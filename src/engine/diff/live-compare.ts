/** Batches of a live source into the comparing worker; what it finds goes to the log in path order. */
import type { Warning } from '../../events.ts'
import { BatchWriter, batchTransfer, type EntryBatch } from '../../model/entry-batch.ts'
import { userToLatin1 } from '../../util/paths.ts'
import type { LiveAnswer, LiveBatch, LiveInit } from '../../workers/diff/live.ts'
import type { RowBatch } from '../../workers/diff/rows.ts'
import type { HashResult } from '../../workers/ingest/hash.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { formatEntryPath } from '../browse/entry-path.ts'
import type { RunContext } from '../run/context.ts'
import { type ChangeLog, tooManyChanges } from './change-log.ts'
import type { LiveEntries } from './live-batches.ts'
import type { Contents, Hashing } from './live-content.ts'

export interface LiveCompareParts {
  /** Of the service 'diff'. */
  session: Session
  /** Absent: metadata alone is compared. */
  hashing: Hashing | undefined
  run: RunContext
  log: ChangeLog
  maxChanges: number
}

export class LiveCompare {
  private readonly parts: LiveCompareParts
  private source = ''
  /** Rows to come, in path order, while their content is read. */
  private readonly waiting: Promise<RowBatch>[] = []

  constructor(parts: LiveCompareParts) {
    this.parts = parts
  }

  async begin(init: LiveInit): Promise<void> {
    this.source = init.source
    this.parts.run.progress.phase('compare')
    await this.parts.session.call('begin-live', init)
  }

  async push({ batch, warnings, contents }: LiveEntries): Promise<void> {
    for (const warning of warnings) this.warn(warning)
    const unreadable = warnings.flatMap(({ code, path }) =>
      code === 'ENTRY_SKIPPED' && path ? [userToLatin1(path)] : [],
    )
    await this.take({ batch, unreadable, last: false }, contents)
  }

  /** The source has no more entries. */
  async end(): Promise<void> {
    await this.take({ batch: new BatchWriter().take('', 0), unreadable: [], last: true }, undefined)
    await this.settle(0)
  }

  private async take(next: LiveBatch, contents: Contents | undefined): Promise<void> {
    const { session, hashing, run } = this.parts
    let answer = await session.call<LiveAnswer>('live', next, batchTransfer(next.batch as EntryBatch))
    for (;;) {
      run.progress.add({ items: answer.passed })
      const rows = this.rowsOf(answer, contents)
      rows.catch(() => undefined)
      this.waiting.push(rows)
      // A source may need its content to be taken before it goes on.
      await this.settle(contents ? 0 : (hashing?.atOnce ?? 0))
      if (!answer.more) return
      answer = await session.call<LiveAnswer>('more', null)
    }
  }

  private async rowsOf({ batch, checks, number }: LiveAnswer, contents: Contents | undefined): Promise<RowBatch> {
    if (!checks) return batch!
    const hashing = this.parts.hashing!
    const result = await (contents ? hashing.streams(this.source, checks, contents) : hashing.files(checks))
    this.noteRead(result)
    return this.parts.session.call<RowBatch>('hashed', { number, result })
  }

  private noteRead({ warnings, sizes }: HashResult): void {
    for (const warning of warnings) this.warn(warning)
    this.parts.run.progress.add({ bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) })
  }

  /** Logs rows in their order until no more than so many batches are on their way. */
  private async settle(atMost: number): Promise<void> {
    const { log, run, maxChanges } = this.parts
    while (this.waiting.length > atMost) {
      const batch = await this.waiting.shift()!
      log.add(this.source, batch)
      if (batch.count > 0) run.progress.add({ currentPath: formatEntryPath(this.source, batch.lastPath) })
      if (log.count > maxChanges) throw tooManyChanges(maxChanges)
    }
  }

  private warn(warning: Warning): void {
    const { path } = warning
    this.parts.run.warn(path === undefined ? warning : { ...warning, path: `${this.source}/${path}` })
  }
}
