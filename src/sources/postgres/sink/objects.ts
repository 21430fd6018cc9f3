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

/** Those of a script that makes them: before it they may have been there with other content, which no page need overwrite. */
export async function emptyLargeObjects(client: PgClient, script: readonly SqlStatement[]): Promise<void> {
  const oids = script.flatMap(({ text }) => /^SELECT pg_catalog\.lo_create\('(\d+)'\)$/.exec(text)?.[1] ?? [])
  try {
    await client.query(emptied('pg_catalog.unnest($1::oid[]) AS oid'), [oids])
  } catch (error) {
    throw sinkError(error, 'emptying large objects')
  }
}

/** 131072 opens it for writing. */
function emptied(oids: string): string {
  return `SELECT pg_catalog.lo_close(f.fd) FROM (
    SELECT o.fd, pg_catalog.lo_truncate64(o.fd, 0) FROM (
      SELECT pg_catalog.lo_open(oid, 131072) AS fd FROM ${oids} OFFSET 0
    ) o OFFSET 0) f`
}

const EMPTY_THESE = emptied('(SELECT DISTINCT loid AS oid FROM pg_temp.holdfast_pages) AS p')

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
  if (overwrite) await client.query(EMPTY_THESE)
  await client.query(
    `SELECT count(pg_catalog.lo_put(loid, pageno::bigint * (current_setting('block_size')::int / 4), data))
     FROM (SELECT * FROM pg_temp.holdfast_pages ORDER BY loid, pageno) AS pages`,
  )
  await client.query('TRUNCATE pg_temp.holdfast_pages')
  reader.done(range)
}

const CREATE_MISSING = `SELECT count(pg_catalog.lo_create(loid)) FROM (SELECT DISTINCT loid FROM pg_temp.holdfast_pages) AS p
  WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = p.loid)`
