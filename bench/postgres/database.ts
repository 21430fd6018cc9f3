/** The server and the data of the Postgres benchmark: about 60 % pgbench, 25 % text and jsonb, 15 % random bytea. */
import { join } from 'node:path'
import { queryRows, runSql, startPostgres, type TestServer } from '../../test/servers/postgres.ts'
import { measure } from '../measure.ts'

/** Bytes of a row with its share of the page, as measured. */
const ACCOUNTS_BYTES_PER_SCALE = 13_100_000
const DOCUMENT_BYTES = 1_080
const BLOB_BYTES = 8_192
const EVENTS = 100_000
export const APPENDED = 30_000

const SETTINGS = {
  shared_buffers: '512MB',
  max_wal_size: '8GB',
  maintenance_work_mem: '128MB',
  // It would work in some rounds and not in others.
  autovacuum: 'off',
}

const WORDS = `ARRAY(SELECT string_agg(substr('bcdfghklmnprstvw', 1 + (random() * 15)::int, 1) ||
  substr('aeiouy', 1 + (random() * 5)::int, 1), '') FROM generate_series(1, 8000) g, generate_series(1, 3) s WHERE g + s > 0 GROUP BY g)`

/** In PL/pgSQL, which reaches any element of an array at once; a query walks to it. */
function documents(rows: number): string {
  return `SELECT setseed(0.42);
    CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, meta jsonb NOT NULL, changed timestamptz);
    DO $$
    DECLARE
      words text[] := ${WORDS};
      body text;
    BEGIN
      FOR d IN 1..${rows} LOOP
        body := words[1 + d % 8000];
        FOR i IN 1..110 + d % 3 LOOP
          body := body || ' ' || words[1 + (random() * 7999)::int];
        END LOOP;
        INSERT INTO documents VALUES (d, 'Document ' || d, body,
          jsonb_build_object('author', d % 997, 'tags', ARRAY[md5(d::text), 'draft'], 'size', length(body), 'score', random()),
          timestamptz '2024-01-01' + d * interval '1 minute');
      END LOOP;
    END $$;
    CREATE INDEX ON documents (changed);`
}

const blobs = (rows: number): string => `
    CREATE TABLE blobs (id uuid PRIMARY KEY, data bytea NOT NULL);
    ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL;
    INSERT INTO blobs SELECT md5(b::text)::uuid,
        (SELECT string_agg(sha256((b || '/' || g)::bytea), '') FROM generate_series(1, ${BLOB_BYTES / 32}) g)
      FROM generate_series(1, ${rows}) b;`

const events = (from: number, count: number): string => `
    INSERT INTO events SELECT e, timestamptz '2025-01-01' + e * interval '3 s', md5(e::text),
        jsonb_build_object('user', e % 5003, 'action', (ARRAY['view','edit','delete'])[1 + e % 3], 'ms', random() * 1000)
      FROM generate_series(${from + 1}, ${from + count}) e;`

export interface BenchDatabase {
  readonly server: TestServer
  /** Bytes of the database, with indexes; and of the accounts' table alone. */
  readonly bytes: number
  readonly accountsBytes: number
}

/** Starts a server and makes the database that every round starts from a copy of. */
export async function makeDatabase(bytes: number): Promise<BenchDatabase> {
  const server = await startPostgres({ settings: SETTINGS })
  try {
    await runSql(server.url, 'CREATE DATABASE base')
    const url = urlOf(server, 'base')
    const scale = Math.max(1, Math.round((bytes * 0.6) / ACCOUNTS_BYTES_PER_SCALE))
    await measure({ file: join(server.binDir, 'pgbench'), args: ['-i', '-q', '-s', String(scale), url] })
    await runSql(url, documents(Math.ceil((bytes * 0.25) / DOCUMENT_BYTES)))
    await runSql(url, blobs(Math.ceil((bytes * 0.15) / BLOB_BYTES)))
    await runSql(url, 'CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, token text, body jsonb)')
    await runSql(url, `SELECT setseed(0.1); ${events(0, EVENTS)}`)
    await runSql(url, 'VACUUM ANALYZE')
    const [size] = await queryRows<{ all: string; accounts: string }>(
      url,
      `SELECT pg_database_size('base') AS all, pg_table_size('pgbench_accounts') AS accounts`,
    )
    return { server, bytes: Number(size?.all), accountsBytes: Number(size?.accounts) }
  } catch (error) {
    await server.stop()
    throw error
  }
}

export function urlOf(server: TestServer, database: string): string {
  const url = new URL(server.url)
  url.pathname = `/${database}`
  return url.href
}

/** A fresh copy, so that all rounds do the same. */
export async function freshDatabase(server: TestServer, name: string): Promise<void> {
  await dropDatabase(server, name)
  await runSql(server.url, `CREATE DATABASE ${name} TEMPLATE base`)
  await runSql(server.url, 'CHECKPOINT')
}

export async function dropDatabase(server: TestServer, name: string): Promise<void> {
  await runSql(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
}

/** 1 % of the documents edited, everywhere in the table, and rows appended to the events. */
export async function change(url: string): Promise<void> {
  await runSql(
    url,
    `UPDATE documents SET meta = jsonb_set(meta, '{score}', to_jsonb(random())), changed = timestamptz '2025-06-01' + id * interval '7 s'
       WHERE hashint8(id) % 100 = 0;
     ${events(EVENTS, APPENDED)} CHECKPOINT`,
  )
}

/**
 * 1 % of the accounts updated, everywhere in the table. 84 of the 97 bytes of an account are spaces: all of them together
 * compress to a hundredth, so there is little that anybody could save.
 */
export async function changeAccounts(url: string): Promise<void> {
  await runSql(
    url,
    'UPDATE pgbench_accounts SET abalance = abalance + 1 + aid % 1000 WHERE hashint4(aid) % 100 = 0; CHECKPOINT',
  )
}

/** The updates left holes everywhere; VACUUM frees them, and as many new accounts fill them. */
export async function fillHoles(url: string): Promise<void> {
  await runSql(url, 'VACUUM')
  await runSql(
    url,
    `INSERT INTO pgbench_accounts SELECT m + g, 1, g, '' FROM (SELECT max(aid) AS m, count(*) / 100 AS n FROM pgbench_accounts) t,
     generate_series(1, t.n) g`,
  )
  await runSql(url, 'CHECKPOINT')
}

/** Rows and a sum of hashes of every table: equal for equal content in whatever order. */
export async function fingerprint(url: string): Promise<string> {
  const tables = await queryRows<{ name: string }>(
    url,
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
  )
  const sums: string[] = []
  for (const { name } of tables) {
    const [row] = await queryRows<{ n: string; h: string }>(
      url,
      `SELECT count(*) AS n, sum(hashtextextended(t::text, 0)) AS h FROM ${name} t`,
    )
    sums.push(`${name} ${row?.n} ${row?.h}`)
  }
  return sums.join('\n')
}
