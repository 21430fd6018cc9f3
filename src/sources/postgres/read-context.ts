/** What all readings of one session share: when to stop, how fast to go, what was lost since the previous snapshot. */
import { BackupError } from '../../errors.ts'
import { abortError } from '../../util/abort.ts'
import type { SourceContext } from '../source.ts'
import type { Connector } from './connect.ts'
import type { DatabaseState } from './database-state.ts'
import type { DumpRunner } from './dump-client.ts'
import type { PostgresSettings } from './options.ts'
import type { Throttle } from './throttle.ts'
import type { IncrementalState } from './xmin/incremental-state.ts'

type Bytes = AsyncGenerator<Uint8Array, void, undefined>

export interface ReadContextParts {
  readonly settings: PostgresSettings
  readonly connector: Connector
  /** Absent with dataOnly. */
  readonly runner: DumpRunner | undefined
  readonly previous: DatabaseState | undefined
  /** Of the previous snapshot, for `incremental: 'xmin'`. */
  readonly incremental: IncrementalState | undefined
  readonly jobs: number
  readonly signal: AbortSignal
  readonly throttle: Throttle
  readonly warn: SourceContext['warn']
}

export class ReadContext {
  readonly parts: ReadContextParts

  constructor(parts: ReadContextParts) {
    this.parts = parts
  }

  /** Runs a stream at the speed that is allowed; its failure is what `explain` makes of it, unless the run was stopped. */
  async *guard(signal: AbortSignal, open: () => Bytes, explain: (error: unknown) => BackupError): Bytes {
    const stopped = (): AbortSignal | undefined => [signal, this.parts.signal].find((one) => one.aborted)
    try {
      for await (const piece of open()) {
        const by = stopped()
        if (by !== undefined) throw abortError(by.reason)
        await this.parts.throttle.pass(piece.length)
        yield piece
      }
    } catch (error) {
      const by = stopped()
      throw by === undefined ? explain(error) : abortError(by.reason)
    }
  }

  /** @throws BackupError SOURCE_SHRUNK */
  tableDone(table: { path: string; rows: number }): void {
    const before = this.parts.previous?.[table.path]?.rows
    if (before !== undefined) this.compareRows(table.path, before, table.rows)
  }

  /** @throws BackupError SOURCE_SHRUNK */
  compareRows(what: string, before: number, now: number): void {
    const { maxRowDrop } = this.parts.settings
    if (before === 0 || (before - now) / before <= maxRowDrop) return
    throw new BackupError('SOURCE_SHRUNK', `${what} had ${before} rows in the previous snapshot and has ${now}`, {
      origin: 'source',
      details: { table: what, before, now, maxRowDrop },
      hint: 'If the loss is meant, run once with a higher maxRowDrop',
    })
  }
}
