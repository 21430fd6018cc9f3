import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parsePostgresOptions } from '../../../src/sources/postgres/options.ts'
import { runSql, startPostgres, type TestDatabase, type TestServer, testDatabase } from '../../servers/postgres.ts'
import { readSource } from './read-source.ts'

let server: TestServer
let one: TestDatabase
let two: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  one = await testDatabase(server)
  two = await testDatabase(server)
  await runSql(
    one.url,
    `CREATE SCHEMA other; CREATE TABLE a (id serial PRIMARY KEY, t text); CREATE TABLE other."B c" (id int); CREATE TABLE log (day int);
     INSERT INTO a (t) VALUES ('x'), ('y'); INSERT INTO other."B c" VALUES (7); INSERT INTO log SELECT generate_series(1, 9);`,
  )
  await runSql(two.url, 'CREATE TABLE z (id int); INSERT INTO z VALUES (1)')
})
afterAll(async () => {
  await one.drop()
  await two.drop()
  await server.stop()
})

const rowFiles = (paths: readonly { path: string; type: string }[]): string[] =>
  paths.filter(({ type }) => type === 'rows').map(({ path }) => path)

describe('what can be chosen', () => {
  it('several databases, each below its name', async () => {
    const result = await readSource({
      connectionString: one.url,
      binDir: server.binDir,
      databases: [one.name, two.name],
    })
    expect(rowFiles(result.entries).sort()).toEqual(
      [
        `${one.name}/other/B c/000001.copy`,
        `${one.name}/public/a/000001.copy`,
        `${one.name}/public/log/000001.copy`,
        `${two.name}/public/z/000001.copy`,
      ].sort(),
    )
  })

  it('a pool, also one with a single connection, which gets it back clean', async () => {
    const pool = new pg.Pool({ connectionString: one.url, max: 1 })
    try {
      const result = await readSource({ pool, binDir: server.binDir, jobs: 4 })
      expect(result.get('public/a/000001.copy').bytes.toString()).toBe('1\tx\n2\ty\n')
      expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 1, 0])
      const { rows } = await pool.query('SHOW search_path')
      expect(rows[0].search_path).not.toBe('')
    } finally {
      await pool.end()
    }
  })

  it('schemas, tables, rows: the same ones in the rows and in the schema', async () => {
    const base = { connectionString: one.url, binDir: server.binDir }
    // In quotes a star is only a star.
    const chosen = await readSource({ ...base, tables: ['other."B*"', 'A'], where: { 'public.a': "t = 'y'" } })
    expect(rowFiles(chosen.entries)).toEqual(['public/a/000001.copy'])
    const star = await readSource({ ...base, tables: ['other."B c"', 'A'], where: { 'public.a': "t = 'y'" } })
    expect(rowFiles(star.entries)).toEqual(['other/B c/000001.copy', 'public/a/000001.copy'])
    expect(star.get('public/a/000001.copy').bytes.toString()).toBe('2\ty\n')
    expect(star.get('pg_dump/pre-data.sql').bytes.toString()).not.toContain('public.log')
    const without = await readSource({ ...base, excludeSchemas: ['oth?r'], excludeTableData: ['log'] })
    expect(rowFiles(without.entries)).toEqual(['public/a/000001.copy'])
    expect(without.get('public/log').facts.dataExcluded).toBe(true)
  })

  it("mode 'pg_dump': one archive", async () => {
    const result = await readSource({ connectionString: one.url, binDir: server.binDir, mode: 'pg_dump' })
    expect(result.entries.map(({ path }) => path)).toEqual(['pg_dump/database.dump', 'pg_dump/globals.sql'])
    expect(result.get('pg_dump/database.dump').bytes.subarray(0, 5).toString()).toBe('PGDMP')
  })

  it('large objects by a role that may not read them all at once', async () => {
    const role = `blobs_${process.pid}`
    await runSql(two.url, `CREATE ROLE ${role} LOGIN PASSWORD 'p'`)
    const url = new URL(two.url)
    url.username = role
    url.password = 'p'
    try {
      await runSql(url.href, "SELECT lo_from_bytea(900001, decode(repeat('ab', 5000), 'hex'))")
      const read = async (address: string): Promise<string> => {
        const result = await readSource({
          connectionString: address,
          dataOnly: true,
          tables: ['none'],
          largeObjects: true,
        })
        return result.get('pg_largeobject/000001.copy').bytes.toString()
      }
      const lines = await read(url.href)
      expect(lines).toBe(await read(two.url))
      expect(lines.split('\n')).toHaveLength(4)
    } finally {
      await runSql(two.url, `SELECT lo_unlink(900001); DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
})

describe('options', () => {
  it.each([
    [{ connectionString: undefined }, 'connectionString'],
    [{ connectionString: 'postgres://x', host: 'y' }, 'host'],
    [{ jobs: 0 }, 'jobs'],
    [{ schemaOnly: true, dataOnly: true }, 'dataOnly'],
    [{ binDir: 'relative' }, 'binDir'],
    [{ tabels: ['x'] }, 'tabels'],
    [{ maxRowDrop: 2 }, 'maxRowDrop'],
  ])('%o is refused', (options, option) => {
    expect(() => parsePostgresOptions({ name: 'db', ...(options as object) })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', details: expect.objectContaining({ option }) }),
    )
  })
})
