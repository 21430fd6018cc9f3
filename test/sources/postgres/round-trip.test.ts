import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { queryRows, runSql, startPostgres, type TestServer, testDatabase } from '../../servers/postgres.ts'
import { dumpText, loadEverything } from './fixtures/dump-text.ts'
import { brokenRules, createLoadTables, startLoad } from './fixtures/load.ts'
import { readSource, writeFolder } from './read-source.ts'

const run = promisify(execFile)
let server: TestServer
let folder: string

beforeAll(async () => {
  server = await startPostgres()
  folder = await mkdtemp(join(tmpdir(), 'holdfast-source-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await server.stop()
})

/** By psql alone, with the script of the snapshot. */
async function restoreByHand(where: string, url: string): Promise<void> {
  await run(join(server.binDir, 'psql'), ['-qX', '-f', 'pg_dump/restore.sql', url], { cwd: where, maxBuffer: 1 << 26 })
}

describe('a database with every kind of object, rights left out', () => {
  it('comes back equal, by psql and the files of the snapshot', async () => {
    const original = await testDatabase(server)
    const copy = await testDatabase(server)
    try {
      await loadEverything(server.binDir, original.url)
      const result = await readSource({ connectionString: original.url, binDir: server.binDir, noPrivileges: true })
      const where = join(folder, 'everything')
      await writeFolder(result, where)
      await restoreByHand(where, copy.url)
      const args = ['--no-privileges']
      expect(await dumpText(server.binDir, copy.url, { args })).toBe(
        await dumpText(server.binDir, original.url, { args }),
      )
    } finally {
      await original.drop()
      await copy.drop()
    }
  }, 60_000)
})

describe('under load', () => {
  it('all tables are of one moment', async () => {
    const busy = await testDatabase(server)
    const copy = await testDatabase(server)
    try {
      await createLoadTables(busy.url)
      const load = await startLoad(busy.url)
      await load.more(200)
      const result = await readSource(
        { connectionString: busy.url, binDir: server.binDir, jobs: 2 },
        { onOpen: () => load.more(200) },
      )
      await load.stop()
      const where = join(folder, 'load')
      await writeFolder(result, where)
      await restoreByHand(where, copy.url)
      expect(await brokenRules(copy.url)).toEqual([])
    } finally {
      await busy.drop()
      await copy.drop()
    }
  }, 60_000)
})

describe('what is told of rows', () => {
  it('counts each range, and passes rows without columns and very large ones', async () => {
    const database = await testDatabase(server)
    try {
      await runSql(
        database.url,
        `CREATE TABLE nothing (); INSERT INTO nothing SELECT FROM generate_series(1, 7);
         CREATE TABLE large (id int PRIMARY KEY, t text); INSERT INTO large VALUES (1, repeat('a' || chr(10), 10000000)), (2, E'\\\\.');
         CREATE TABLE computed (a int GENERATED ALWAYS AS (1) STORED); INSERT INTO computed DEFAULT VALUES;`,
      )
      const result = await readSource({ connectionString: database.url, binDir: server.binDir })
      expect(result.get('public/nothing/000001.copy').facts).toMatchObject({ rows: 7, bytes: 7 })
      expect(result.get('public/large/000001.copy').facts).toMatchObject({ rows: 2, bytes: 30_000_003 + 6 })
      expect(result.get('public/computed/000001.copy').facts).toMatchObject({ rows: 1, bytes: 1 })
      const [row] = await queryRows<{ n: number }>(
        server.url,
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = '${database.name}'`,
      )
      expect(row!.n).toBe(0)
    } finally {
      await database.drop()
    }
  }, 60_000)
})
