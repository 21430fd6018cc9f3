/** Tables from the repository into the server, several at once, the largest first. */
import { BackupError } from '../../../errors.ts'
import type { SinkEntry, SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteQualified } from '../names.ts'
import { copyIn } from './copy-in.ts'
import { sourcePath, type TableName, type TableToRestore } from './layout.ts'
import { sinkError } from './sql-error.ts'

export interface LoadJob {
  readonly table: TableToRestore
  /** Where the table is now. */
  readonly at: TableName
}

/** `clients`: one for each table that is loaded at once. Ends with the first error; the others are then left as they are. */
export async function loadTables(
  clients: readonly PgClient[],
  jobs: readonly LoadJob[],
  reader: SinkReader,
): Promise<void> {
  const waiting = jobs.filter(({ table }) => table.ranges.length > 0).sort((a, b) => b.table.bytes - a.table.bytes)
  let failed = false
  let first: unknown
  const stoppable: SinkReader = {
    entries: () => reader.entries(),
    done: (entry) => reader.done(entry),
    content: (path: string) => until(() => failed, reader.content(path)),
  }
  const work = async (client: PgClient): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined && !failed; job = waiting.shift()) {
      await loadFrozen(client, job, stoppable)
      reader.done(job.table.entry)
    }
  }
  const guarded = clients.map((client) =>
    work(client).catch((error: unknown) => {
      if (!failed) first = error
      failed = true
    }),
  )
  await Promise.all(guarded)
  if (failed) throw first
  for (const { table } of jobs) if (table.ranges.length === 0) reader.done(table.entry)
}

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
  for (const range of job.table.ranges) await loadRange(client, job, range, reader, ' WITH (FREEZE)')
  await during(job, () => client.query('COMMIT'))
}

/** One range at the end of the table. `how` goes to the end of the COPY statement. @throws BackupError RESTORE_MISMATCH */
export async function loadRange(
  client: PgClient,
  job: LoadJob,
  range: SinkEntry,
  reader: SinkReader,
  how = '',
): Promise<void> {
  const sql = `COPY ${quoteQualified(job.at.schema, job.at.name)} ${columnList(job.table)} FROM STDIN${how}`
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
