/** Tables from the repository into the server, several at once, the largest first. */
import { BackupError } from '../../../errors.ts'
import type { SinkEntry, SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteQualified } from '../names.ts'
import { copyEncoding } from '../ranges.ts'
import { copyIn } from './copy-in.ts'
import { sourcePath, type TableName, type TableToRestore } from './layout.ts'
import { sinkError } from './sql-error.ts'
import type { Task } from './tasks.ts'

export interface LoadJob {
  readonly table: TableToRestore
  /** Where the table is now. */
  readonly at: TableName
}

export interface LoadOptions {
  /** Tables keep the order of their streams: each is loaded by one connection. */
  readonly ordered: boolean
  /** How many load at once. */
  readonly connections: number
  /** What can be done as soon as all rows of a table are there. */
  next(job: LoadJob): readonly Task[]
}

/** What one connection does at a time: a table, or one range of it. */
interface Piece {
  readonly job: LoadJob
  readonly ranges: readonly SinkEntry[]
  readonly bytes: number
  readonly frozen: boolean
}

/** Tables into the server, the largest first, each followed by its `next`. Where one task fails, the others end, too. */
export function loadTasks(jobs: readonly LoadJob[], reader: SinkReader, options: LoadOptions): Task[] {
  const pieces = piecesOf(jobs, options.ordered ? 1 : options.connections)
  const left = new Map<LoadJob, number>()
  for (const { job } of pieces) left.set(job, (left.get(job) ?? 0) + 1)
  const load = async (piece: Piece, client: PgClient, isOver: () => boolean): Promise<readonly Task[]> => {
    const { job } = piece
    const stoppable: SinkReader = {
      entries: () => reader.entries(),
      done: (entry) => reader.done(entry),
      content: (path) => until(isOver, reader.content(path)),
    }
    if (piece.frozen) await loadFrozen(client, job, stoppable)
    else for (const range of piece.ranges) await loadRange(client, job, range, stoppable)
    left.set(job, (left.get(job) as number) - 1)
    if (left.get(job) !== 0) return []
    reader.done(job.table.entry)
    return options.next(job)
  }
  const loads = pieces.map(
    (piece): Task => ({ tables: [], shares: true, run: (client, isOver) => load(piece, client, isOver) }),
  )
  const empty = jobs.filter((job) => !left.has(job))
  for (const { table } of empty) reader.done(table.entry)
  return [...loads, ...empty.flatMap((job) => options.next(job))]
}

/** The largest first. A table that would keep one connection busy when the others are done is shared out among them. */
function piecesOf(jobs: readonly LoadJob[], connections: number): Piece[] {
  const filled = jobs.filter(({ table }) => table.ranges.length > 0)
  const share = filled.reduce((sum, { table }) => sum + table.bytes, 0) / connections
  const pieces = filled.flatMap((job): Piece[] => {
    const { bytes, ranges, via } = job.table
    // The server freezes no rows that it hands on.
    if (via !== undefined) return [{ job, ranges, bytes, frozen: false }]
    if (bytes <= share || bytes < MIN_SHARED_BYTES || ranges.length < 2 || connections < 2) {
      return [{ job, ranges, bytes, frozen: true }]
    }
    return ranges.map((range) => ({ job, ranges: [range], bytes: range.size, frozen: false }))
  })
  return pieces.sort((a, b) => b.bytes - a.bytes)
}

/** Below this, what is won is less than what freezing saves. */
const MIN_SHARED_BYTES = 64 * 1024 * 1024

/** The tables beside one that failed are not loaded to their end first. */
async function* until(isOver: () => boolean, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of content) {
    if (isOver()) throw new BackupError('ABORTED', 'another table failed', { origin: 'sink' })
    yield chunk
  }
}

/**
 * A table that is emptied in the transaction that fills it needs no WAL where wal_level is minimal, and its rows can be
 * frozen at once: no later VACUUM writes it a second time. It also keeps the rows in the order of the stream: FREEZE does
 * not look for room in pages that are there.
 */
async function loadFrozen(client: PgClient, job: LoadJob, reader: SinkReader): Promise<void> {
  await during(job, () => client.query(`BEGIN; TRUNCATE ONLY ${quoteQualified(job.at.schema, job.at.name)}`))
  for (const range of job.table.ranges) await loadRange(client, job, range, reader, 'FREEZE')
  await during(job, () => client.query('COMMIT'))
}

/** One range at the end of the table. `how`: an option of the COPY statement. @throws BackupError RESTORE_MISMATCH */
export async function loadRange(
  client: PgClient,
  job: LoadJob,
  range: SinkEntry,
  reader: SinkReader,
  how = '',
): Promise<void> {
  const sql = `COPY ${quoteQualified(job.at.schema, job.at.name)} ${columnList(job.table)} FROM STDIN${copyEncoding(job.table.encoding, how)}`
  const counted = new CountedBytes(reader.content(sourcePath(range)))
  const rows = await during(job, () => copyIn(client, sql, counted))
  refuseOther(range, 'rows', rows)
  // A stream that is cut within its last row has as many rows as before.
  refuseOther(range, 'bytes', counted.bytes)
  reader.done(range)
}

class CountedBytes implements AsyncIterable<Uint8Array> {
  bytes = 0
  readonly #content: AsyncIterable<Uint8Array>

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#content = content
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of this.#content) {
      this.bytes += chunk.length
      yield chunk
    }
  }
}

function refuseOther(range: SinkEntry, what: 'rows' | 'bytes', stored: number): void {
  const expected = range.facts[what]
  if (typeof expected !== 'number' || expected === stored) return
  throw new BackupError('RESTORE_MISMATCH', `${range.path}: ${stored} ${what} were stored, not ${expected}`, {
    origin: 'sink',
    details: { path: range.path, stored, expected },
    hint: 'Run verify on the snapshot; a rule or trigger on the table may have changed what is stored',
  })
}

/** In parentheses, or empty for a table without columns of its own. */
export function columnList(table: TableToRestore): string {
  return table.columns.length === 0 ? '' : `(${table.columns.map(quoteIdent).join(', ')})`
}

async function during<T>({ at }: LoadJob, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw sinkError(error, `loading ${at.schema}.${at.name}`, { table: `${at.schema}.${at.name}` })
  }
}
