/** The tables of one database as entries: each with its facts, and its ranges as streams that are proved at their end. */
import { randomBytes } from '../../crypto/random.ts'
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
import type { KnownRange } from './xmin/decide.ts'

/** One table of the snapshot, and what was counted of it so far. */
export class TableReading {
  readonly table: Table
  /** Undefined: no rows are read. */
  readonly plan: RangePlan | undefined
  readonly #context: ReadContext
  readonly #workers: SnapshotWorkers
  /** By range; undefined as long as it has not been read. */
  readonly #counts: ({ rows: number; bytes: number } | undefined)[]
  /** Names of the content of each range; empty where they are not tracked. */
  #tokens: readonly string[] = []

  constructor(table: Table, plan: RangePlan | undefined, workers: SnapshotWorkers, context: ReadContext) {
    this.table = table
    this.plan = plan
    this.#workers = workers
    this.#context = context
    this.#counts = (plan?.ranges ?? []).map(() => undefined)
  }

  get rows(): number {
    return this.#counts.reduce((sum, counts) => sum + (counts?.rows ?? 0), 0)
  }

  get bytes(): number {
    return this.#counts.reduce((sum, counts) => sum + (counts?.bytes ?? 0), 0)
  }

  /** Before the entries are made: those ranges that are known need not be read, as long as their chunks are there. */
  track(known: readonly (KnownRange | undefined)[]): void {
    this.#tokens = this.#counts.map((_, range) => known[range]?.token ?? randomToken())
    for (const [range, found] of known.entries())
      if (found) this.#counts[range] = { rows: found.rows, bytes: found.bytes }
  }

  /** For the next run. */
  get tracked(): KnownRange[] {
    return this.#tokens.map((token, range) => ({ token, ...(this.#counts[range] ?? { rows: 0, bytes: 0 }) }))
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
      this.#range(range, index, `${path}/${rangeFile(index + 1)}`),
    )
    return [{ path, type: 'table', facts: tableFacts(this.table, this.plan) }, ...ranges]
  }

  #range(range: Range, index: number, path: string): SourceEntry {
    const bounds = { lower: range.lower, upper: range.upper, by: this.plan!.order === 'key' ? 'key' : 'ctid' }
    let copy: CopyOut
    return {
      path,
      type: 'rows',
      facts: { bounds },
      ...(this.#tokens[index] !== undefined && { fingerprint: this.#tokens[index] }),
      content: {
        from: 'stream',
        chunks: 'table',
        open: ({ signal }) => {
          copy = new CopyOut(copyStatement(this.table, this.plan!, range))
          return this.#read(copy, signal)
        },
        finish: (proof) => this.#prove(index, copy.rows, proof),
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

  #prove(index: number, said: number | undefined, proof: StreamProof): EntryFacts {
    if (said !== proof.lineFeeds) throw partial(this.#name, said, proof.lineFeeds)
    this.#counts[index] = { rows: proof.lineFeeds, bytes: proof.bytes }
    if (!this.#counts.includes(undefined)) this.#context.tableDone(this)
    return { rows: proof.lineFeeds, bytes: proof.bytes, sha256: proof.sha256 }
  }
}

function randomToken(): string {
  return Buffer.from(randomBytes(12)).toString('base64url')
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
    ...(plan?.encoding === undefined ? {} : { encoding: plan.encoding }),
    ...(table.where === null ? {} : { where: table.where }),
    ...(unlogged ? { unlogged } : {}),
    ...(table.extension === null ? {} : { extension: table.extension }),
    ...(kind === 'r' && plan === undefined ? { dataExcluded: true } : {}),
    relfilenode,
    estimatedRows,
    sizeBytes,
  }
}
