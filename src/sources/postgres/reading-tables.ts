/** The tables of one database as entries: each with its facts, and its ranges as streams that are proved at their end. */
import { BackupError, type Json } from '../../errors.ts'
import type { EntryFacts, SourceEntry, StreamProof } from '../source.ts'
import type { Table } from './catalog/tables.ts'
import { CopyOut } from './copy-out.ts'
import type { TableState } from './database-state.ts'
import { rangeFile, tablePath } from './names.ts'
import { pgError } from './pg-error.ts'
import { copyStatement, type Range, type RangePlan } from './ranges.ts'
import type { ReadContext } from './read-context.ts'
import type { SnapshotWorkers } from './snapshot-workers.ts'

/** One table of the snapshot, and what was counted of it so far. */
export class TableReading {
  readonly table: Table
  /** Undefined: no rows are read. */
  readonly plan: RangePlan | undefined
  rows = 0
  bytes = 0
  readonly #context: ReadContext
  readonly #workers: SnapshotWorkers
  #left: number

  constructor(table: Table, plan: RangePlan | undefined, workers: SnapshotWorkers, context: ReadContext) {
    this.table = table
    this.plan = plan
    this.#workers = workers
    this.#context = context
    this.#left = plan?.ranges.length ?? 0
  }

  /** Below the database. */
  get path(): string {
    return tablePath('', this.table.schema, this.table.name)
  }

  get state(): TableState {
    const { rows, bytes, plan } = this
    const { bounds, order, relfilenode, key } = plan ?? { bounds: [] }
    if (bounds.length === 0 || order === undefined) return { rows, bytes }
    return { rows, bytes, ranges: { bounds, order, relfilenode: relfilenode!, key: key! } }
  }

  entries(prefix: string): SourceEntry[] {
    const path = `${prefix}${this.path}`
    const ranges = (this.plan?.ranges ?? []).map((range, index) =>
      this.#range(range, `${path}/${rangeFile(index + 1)}`),
    )
    return [{ path, type: 'table', facts: tableFacts(this.table, this.plan) }, ...ranges]
  }

  #range(range: Range, path: string): SourceEntry {
    const bounds = { lower: range.lower, upper: range.upper, by: this.plan!.order === 'key' ? 'key' : 'ctid' }
    let copy: CopyOut
    return {
      path,
      type: 'rows',
      facts: { bounds },
      content: {
        from: 'stream',
        chunks: 'table',
        open: ({ signal }) => {
          copy = new CopyOut(copyStatement(this.table, this.plan!, range))
          return this.#read(copy, signal)
        },
        finish: (proof) => this.#prove(copy.rows, proof),
      },
    }
  }

  async *#read(copy: CopyOut, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#context.guard(
      signal,
      () => this.#workers.read(this.table, (connection) => copy.read(connection)),
      (error) => pgError(error, 'source', `cannot read ${this.#name}`, { table: this.#name }),
    )
  }

  get #name(): string {
    return `${this.table.schema}.${this.table.name}`
  }

  #prove(said: number | undefined, proof: StreamProof): EntryFacts {
    if (said !== proof.lineFeeds) throw partial(this.#name, said, proof.lineFeeds)
    this.rows += proof.lineFeeds
    this.bytes += proof.bytes
    if (--this.#left === 0) this.#context.tableDone(this)
    return { rows: proof.lineFeeds, bytes: proof.bytes, sha256: proof.sha256 }
  }
}

export function partial(name: string, said: number | undefined, counted: number): BackupError {
  return new BackupError(
    'SOURCE_INCOMPLETE',
    `${name}: the server sent ${said ?? 'no count of'} rows, ${counted} arrived`,
    {
      origin: 'source',
      retryable: true,
      details: { table: name, sent: said ?? null, arrived: counted },
    },
  )
}

function tableFacts(table: Table, plan: RangePlan | undefined): Readonly<Record<string, Json>> {
  const { schema, name, kind, unlogged, columns, partitionOf, relfilenode, estimatedRows, sizeBytes } = table
  return {
    schema,
    name,
    kind,
    columns: columns.map((column) => ({ ...column })),
    ...(partitionOf === null ? {} : { partitionOf }),
    ...(table.loadVia === null ? {} : { loadVia: { ...table.loadVia } }),
    ...(plan === undefined ? {} : { rowOrder: plan.order }),
    ...(plan === undefined || plan.orderBy.length === 0 ? {} : { rowOrderBy: plan.orderBy }),
    ...(table.key.length === 0 ? {} : { key: table.key.map((column) => column.name) }),
    ranges: plan?.ranges.length ?? 0,
    ...(table.where === null ? {} : { where: table.where }),
    ...(unlogged ? { unlogged } : {}),
    ...(table.extension === null ? {} : { extension: table.extension }),
    ...(kind === 'r' && plan === undefined ? { dataExcluded: true } : {}),
    relfilenode,
    estimatedRows,
    sizeBytes,
  }
}
