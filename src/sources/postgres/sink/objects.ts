/** What is neither schema nor rows of tables: values of sequences, and large objects. */
import { BackupError } from '../../../errors.ts'
import type { SinkEntry, SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { SqlSplitter, type SqlStatement } from '../sql-split.ts'
import { copyIn } from './copy-in.ts'
import { sourcePath } from './layout.ts'
import { sinkError } from './sql-error.ts'

/** Statements of one script of the snapshot; none where it has no such script. */
export async function readScript(reader: SinkReader, path: string): Promise<SqlStatement[]> {
  const splitter = new SqlSplitter()
  const found: SqlStatement[] = []
  try {
    for await (const chunk of reader.content(path)) found.push(...splitter.push(Buffer.from(chunk).toString('latin1')))
  } catch (error) {
    if (BackupError.is(error) && error.code === 'ENTRY_NOT_FOUND') return []
    throw error
  }
  return found.concat(splitter.end())
}

/**
 * `overwrite`: objects may be there with other content, and a transaction is open. Pages go through a temporary table and lo_put: writing pg_largeobject itself is for superusers only. The objects are
 * there already, empty.
 */
export async function loadLargeObjects(
  client: PgClient,
  ranges: readonly SinkEntry[],
  reader: SinkReader,
  overwrite = false,
): Promise<void> {
  if (ranges.length === 0) return
  try {
    await client.query('CREATE TEMP TABLE holdfast_pages (loid oid, pageno int, data bytea)')
    for (const range of ranges) await loadPages(client, range, reader, overwrite)
    await client.query('DROP TABLE pg_temp.holdfast_pages')
  } catch (error) {
    throw sinkError(error, 'restoring large objects')
  }
}

async function loadPages(client: PgClient, range: SinkEntry, reader: SinkReader, overwrite: boolean): Promise<void> {
  const rows = await copyIn(client, 'COPY pg_temp.holdfast_pages FROM STDIN', reader.content(sourcePath(range)))
  if (typeof range.facts.rows === 'number' && range.facts.rows !== rows) {
    throw new BackupError('RESTORE_MISMATCH', `${range.path}: ${rows} pages, not ${range.facts.rows}`, {
      origin: 'sink',
      details: { path: range.path, stored: rows, expected: range.facts.rows },
    })
  }
  await client.query(CREATE_MISSING)
  if (overwrite) await client.query(TRUNCATE_ALL)
  await client.query(
    `SELECT count(pg_catalog.lo_put(loid, pageno::bigint * (current_setting('block_size')::int / 4), data))
     FROM (SELECT * FROM pg_temp.holdfast_pages ORDER BY loid, pageno) AS pages`,
  )
  await client.query('TRUNCATE pg_temp.holdfast_pages')
  reader.done(range)
}

const CREATE_MISSING = `SELECT count(pg_catalog.lo_create(loid)) FROM (SELECT DISTINCT loid FROM pg_temp.holdfast_pages) AS p
  WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = p.loid)`

/** 131072 opens it for writing. */
const TRUNCATE_ALL = `SELECT count(pg_catalog.lo_truncate64(pg_catalog.lo_open(loid, 131072), 0))
  FROM (SELECT DISTINCT loid FROM pg_temp.holdfast_pages) AS p`
