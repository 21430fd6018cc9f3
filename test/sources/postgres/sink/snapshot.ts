/** A snapshot of a real database in memory, in the layout of the source, for tests of the sink. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BackupError, type Json } from '../../../../src/errors.ts'
import type { Warning } from '../../../../src/events.ts'
import type { PgClient } from '../../../../src/sources/postgres/connection.ts'
import { quoteIdent, quoteQualified, rangeFile, tablePath } from '../../../../src/sources/postgres/names.ts'
import { copyOut } from '../../../../src/sources/postgres/sink/copy-in.ts'
import type { Sink, SinkContext, SinkEntry, SinkReader } from '../../../../src/sources/sink.ts'
import { queryRows, type TestServer, withClient } from '../../../servers/postgres.ts'

const run = promisify(execFile)

export interface Snapshot {
  readonly facts: Record<string, Json>
  readonly entries: SinkEntry[]
  readonly contents: Map<string, Buffer>
}

interface Table {
  schema: string
  name: string
  kind: string
  columns: { name: string; generated: string }[]
}

export async function dump(server: TestServer, url: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(join(server.binDir, 'pg_dump'), [...args, '-d', url], { maxBuffer: 1 << 30 })
  return stdout.replace(/^\\(un)?restrict .*$/gm, '')
}

/** `ranges`: into how many streams each table is cut. */
export async function snapshotOf(server: TestServer, url: string, ranges = 2): Promise<Snapshot> {
  const contents = new Map<string, Buffer>()
  const entries: SinkEntry[] = []
  const add = (path: string, type: string, bytes: Buffer | null, facts: Record<string, Json> = {}): void => {
    if (bytes !== null) contents.set(path, bytes)
    entries.push({ path, type, size: bytes?.length ?? 0, facts })
  }
  add(
    'pg_dump/globals.sql',
    'script',
    Buffer.from('CREATE ROLE holdfast_sink_missing;\nALTER ROLE holdfast_sink_missing WITH NOLOGIN;\n'),
  )
  for (const section of ['post-data', 'pre-data']) {
    add(`pg_dump/${section}.sql`, 'script', Buffer.from(await dump(server, url, [`--section=${section}`])))
  }
  add('pg_dump/sequences.sql', 'script', Buffer.from(await sequences(url)))
  await withClient(url, async (pg) => {
    const client = pg as unknown as PgClient
    await client.query(
      "SET extra_float_digits = 3; SET bytea_output = 'hex'; SET TimeZone = 'UTC'; SET search_path = ''",
    )
    const objects = await copied(
      client,
      'COPY (SELECT loid, pageno, data FROM pg_catalog.pg_largeobject ORDER BY 1, 2) TO STDOUT',
    )
    if (objects.length > 0) add(`pg_largeobject/${rangeFile(1)}`, 'blob', objects, proof(objects))
    for (const table of await tables(url)) await addTable(client, table, ranges, add)
  })
  return { facts: await databaseFacts(server, url), entries, contents }
}

async function addTable(
  client: PgClient,
  table: Table,
  ranges: number,
  add: (path: string, type: string, bytes: Buffer | null, facts: Record<string, Json>) => void,
): Promise<void> {
  const path = tablePath('', table.schema, table.name)
  const columns = table.columns.filter((one) => one.generated === '').map((one) => quoteIdent(one.name))
  const list = columns.length > 0 ? `(${columns.join(', ')})` : ''
  const sql = `COPY ${quoteQualified(table.schema, table.name)} ${list} TO STDOUT`
  const parts = table.kind === 'r' ? cut(await copied(client, sql), ranges) : []
  add(path, 'table', null, { ...table, ranges: parts.length })
  for (const [at, part] of parts.entries()) add(`${path}/${rangeFile(at + 1)}`, 'rows', part, proof(part))
}

async function copied(client: PgClient, sql: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await copyOut(client, sql)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** At line ends; some may be empty. */
function cut(bytes: Buffer, ranges: number): Buffer[] {
  const parts: Buffer[] = []
  let from = 0
  for (let n = 1; n < ranges; n++) {
    const end = bytes.indexOf(10, Math.floor((bytes.length * n) / ranges)) + 1
    parts.push(bytes.subarray(from, Math.max(from, end)))
    from = Math.max(from, end)
  }
  return [...parts, bytes.subarray(from)]
}

function proof(bytes: Buffer): Record<string, Json> {
  let rows = 0
  for (const byte of bytes) if (byte === 10) rows++
  return { rows, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

async function tables(url: string): Promise<Table[]> {
  return await queryRows<Table>(
    url,
    `SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       coalesce((SELECT json_agg(json_build_object('name', attname, 'generated', attgenerated) ORDER BY attnum)
         FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), '[]') AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2`,
  )
}

async function sequences(url: string): Promise<string> {
  const rows = await queryRows<{ line: string }>(
    url,
    `SELECT format('SELECT pg_catalog.setval(%L, %s, %s);', quote_ident(schemaname) || '.' || quote_ident(sequencename),
       coalesce(last_value, start_value), (last_value IS NOT NULL)::text) AS line FROM pg_sequences ORDER BY 1`,
  )
  return rows.map(({ line }) => `${line}\n`).join('')
}

async function databaseFacts(server: TestServer, url: string): Promise<Record<string, Json>> {
  const name = new URL(url).pathname.slice(1)
  const [row] = await queryRows<Record<string, Json>>(
    server.url,
    `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
       pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = '${name}'`,
  )
  const database = { ...row, name, prefix: '', provider: 'libc', acl: null, comment: null, settings: [] }
  return {
    format: 1,
    server: { versionNum: server.major * 10000 },
    databases: [{ ...database, extensions: [], roles: ['postgres'] }],
  }
}

export interface ReaderOptions {
  /** Which entries were selected, and where they go. */
  readonly select?: (entry: SinkEntry) => SinkEntry | null
  /** Called before each chunk: to fail, or to look at the server half-way. */
  readonly onChunk?: (path: string) => Promise<void> | void
}

export function readerOf(snapshot: Snapshot, { select = (one) => one, onChunk }: ReaderOptions = {}): SinkReader {
  const chosen = snapshot.entries.map(select).filter((one) => one !== null)
  return {
    async *entries() {
      yield chosen
    },
    async *content(path) {
      const bytes = snapshot.contents.get(path)
      if (bytes === undefined) throw new BackupError('ENTRY_NOT_FOUND', `no ${path}`, { origin: 'repository' })
      for (let at = 0; at < bytes.length; at += 100_000) {
        await onChunk?.(path)
        yield bytes.subarray(at, at + 100_000)
      }
    },
    done() {},
  }
}

export interface TestContext extends SinkContext {
  readonly warnings: Warning[]
}

let runs = 0

export function contextOf(snapshot: Snapshot, more: Partial<SinkContext> = {}): TestContext {
  const warnings: Warning[] = []
  const warn = (warning: Warning): void => void warnings.push(warning)
  const runId = `run-${process.pid}-${++runs}`
  return { signal: new AbortController().signal, runId, facts: snapshot.facts, warn, warnings, ...more }
}

/** As the engine does: all phases, and undone where one fails. @returns what the sink says of where it went */
export async function restore(sink: Sink, context: SinkContext, reader: SinkReader): Promise<Json> {
  await using session = await sink.open(context)
  try {
    await session.pull!(reader)
    await session.prepare()
    await session.commit()
  } catch (error) {
    await session.rollback(error)
    throw error
  }
  return session.where!()
}

/** Of the same server, another database. */
export function urlOf(server: TestServer, database: string): string {
  const url = new URL(server.url)
  url.pathname = `/${database}`
  return url.href
}

/** Databases whose name begins so. */
export async function databasesLike(server: TestServer, prefix: string): Promise<string[]> {
  const rows = await queryRows<{ name: string }>(server.url, 'SELECT datname AS name FROM pg_database ORDER BY 1')
  return rows.map((row) => row.name).filter((name) => name.startsWith(prefix))
}
