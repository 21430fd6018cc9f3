/** What docs/zip.md says of a database in a ZIP: unzip and psql are all that it takes. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { postgres } from '../../../src/sources/postgres/index.ts'
import { queryRows, runSql, startPostgres, type TestServer, testDatabase } from '../../servers/postgres.ts'
import { run, ZipGround } from './zip-support.ts'

let server: TestServer
let ground: ZipGround

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await ground?.close()
  await server.stop()
})

const SHOP = `
  CREATE SCHEMA sales;
  CREATE TABLE sales.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, note bytea);
  CREATE TABLE sales.orders (id bigint PRIMARY KEY, customer int NOT NULL REFERENCES sales.customers, at timestamptz, sum numeric(12,2));
  CREATE INDEX ON sales.orders (customer, at);
  CREATE VIEW sales.totals AS SELECT customer, sum(sum) AS total FROM sales.orders GROUP BY customer;
  INSERT INTO sales.customers (name, note)
    SELECT E'Zoë \\\\ \\t' || i, CASE WHEN i % 3 > 0 THEN decode(md5(i::text), 'hex') END FROM generate_series(1, 500) i;
  INSERT INTO sales.orders SELECT i, 1 + i % 500, timestamptz '2026-01-01 00:00Z' + i * interval '1 minute', i / 7.0
    FROM generate_series(1, 20000) i;
`

const LOOK = [
  "SELECT count(*)::int AS n, md5(string_agg(o::text, '|' ORDER BY id)) AS sum FROM sales.orders o",
  "SELECT count(*)::int AS n, md5(string_agg(c::text, '|' ORDER BY id)) AS sum FROM sales.customers c",
  "SELECT count(*)::int AS n, md5(string_agg(t::text, '|' ORDER BY customer)) AS sum FROM sales.totals t",
  "SELECT indexdef FROM pg_indexes WHERE schemaname = 'sales' ORDER BY 1",
  "SELECT conname, pg_get_constraintdef(oid) AS def FROM pg_constraint WHERE connamespace = 'sales'::regnamespace ORDER BY 1",
]

it('a database that was exported is loaded by unzip and psql', { timeout: 120_000 }, async () => {
  const original = await testDatabase(server)
  const copy = await testDatabase(server)
  try {
    await runSql(original.url, SHOP)
    const options = { name: 'shop', connectionString: original.url, binDir: server.binDir }
    ground = await ZipGround.make(() => [postgres(options)])
    await ground.engine.backup()
    await ground.engine.exportZip({ snapshot: 'latest', to: { path: ground.at('shop.zip') } })
    await run('unzip', ['-q', 'shop.zip'], { cwd: ground.root })
    const psql = ['-qX', '-v', 'ON_ERROR_STOP=1', '-f', 'pg_dump/restore.sql', copy.url]
    await run(join(server.binDir, 'psql'), psql, { cwd: ground.at('database/shop') })
    for (const query of LOOK) {
      const wanted = await queryRows(original.url, query)
      expect(wanted).not.toEqual([])
      expect(await queryRows(copy.url, query)).toEqual(wanted)
    }
  } finally {
    await copy.drop()
    await original.drop()
  }
})
