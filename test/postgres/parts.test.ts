/** Every way a database can go back: another name, in place, in parts, several at once, through other connections. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEngine } from '../../src/index.ts'
import { queryRows, runSql, startPostgres, type TestDatabase, type TestServer } from '../servers/postgres.ts'
import { dumpText, loadEverything } from '../sources/postgres/fixtures/dump-text.ts'
import {
  Databases,
  databasesLike,
  expectNothingLeft,
  openEngine,
  pathsOf,
  restoreInto,
  sinkOf,
  sourceOf,
  urlOf,
} from './support.ts'

let server: TestServer
let databases: Databases
let original: TestDatabase
let engine: BackupEngine
let before: string

beforeAll(async () => {
  server = await startPostgres()
  databases = new Databases(server)
  original = await databases.make()
  await loadEverything(server.binDir, original.url)
  before = await dumpText(server.binDir, original.url)
  engine = await openEngine([sourceOf(server, original.url)])
  await engine.backup()
}, 60_000)
afterAll(async () => {
  await engine.close()
  await databases.dropAll()
  await server.stop()
})

describe('everything', () => {
  it('goes into a new database, which must be free', async () => {
    const name = `${original.name}_new`
    const sink = sinkOf(server, { strategy: 'new-database', database: name })
    await restoreInto(engine, sink)
    expect(await dumpText(server.binDir, urlOf(server, name))).toBe(before)
    await expect(restoreInto(engine, sink)).rejects.toMatchObject({ code: 'RESTORE_BLOCKED' })
    await restoreInto(engine, sinkOf(server, { strategy: 'new-database', database: name, dropExisting: true }))
    expect(await dumpText(server.binDir, urlOf(server, name))).toBe(before)
    await expectNothingLeft(server, original.name)
  }, 60_000)

  it('goes in place into an empty database, and again into the full one', async () => {
    const copy = await databases.make()
    await restoreInto(engine, sinkOf(copy, { strategy: 'in-place' }))
    expect(await dumpText(server.binDir, copy.url)).toBe(before)
    await restoreInto(engine, sinkOf(copy, { strategy: 'in-place', dataOnly: true }))
    expect(await dumpText(server.binDir, copy.url)).toBe(before)
    await expectNothingLeft(server, copy.name)
  }, 60_000)

  it('goes without its rows', async () => {
    const name = `${original.name}_schema`
    await restoreInto(engine, sinkOf(server, { strategy: 'new-database', database: name, schemaOnly: true }))
    const args = ['--schema-only']
    expect(await dumpText(server.binDir, urlOf(server, name), { args })).toBe(
      await dumpText(server.binDir, original.url, { args }),
    )
  }, 60_000)

  it('is read and restored through a ready pool, whose connections are given back', async () => {
    const from = new pg.Pool({ connectionString: original.url, max: 3 })
    const to = new pg.Pool({ connectionString: server.url, max: 4 })
    await using pooled = await openEngine([sourceOf(server, original.url, { pool: from })])
    await pooled.backup()
    const name = `${original.name}_pool`
    await restoreInto(pooled, sinkOf(server, { pool: to, database: name }))
    expect(await dumpText(server.binDir, urlOf(server, name))).toBe(before)
    expect([from.totalCount - from.idleCount, to.totalCount - to.idleCount]).toEqual([0, 0])
    await Promise.all([from.end(), to.end()])
    await expectNothingLeft(server, original.name)
  }, 60_000)
})

describe('a part', () => {
  it('is one table put back into the live database, where the others stay', async () => {
    const live = await databases.make(
      `CREATE TABLE a (id int PRIMARY KEY, t text); INSERT INTO a SELECT g, g FROM generate_series(1, 5000) g;
       CREATE TABLE b (id serial PRIMARY KEY, a int REFERENCES a); INSERT INTO b (a) SELECT g FROM generate_series(1, 5000) g`,
    )
    await using own = await openEngine([sourceOf(server, live.url)])
    await own.backup()
    const whole = await dumpText(server.binDir, live.url)
    await runSql(live.url, 'DELETE FROM b; UPDATE a SET t = NULL; INSERT INTO a VALUES (0)')
    const select = { include: ['main/public/a'] }
    const plan = await own.planRestore({ snapshot: 'latest', select, to: { sinks: { main: sinkOf(live) } } })
    expect(plan.destructive).toBe(true)
    await own.restore(plan, { confirm: plan.digest })
    expect(await queryRows(live.url, 'SELECT count(*)::int AS a, (SELECT count(*)::int FROM b) AS b FROM a')).toEqual([
      { a: 5000, b: 0 },
    ])
    await restoreInto(own, sinkOf(live), { select: { include: ['main/public/b'] } })
    expect(await dumpText(server.binDir, live.url)).toBe(whole)
    const rename = { 'main/public/a': 'main/archive/a_old' }
    await restoreInto(own, sinkOf(live), { select, rename })
    expect(await queryRows(live.url, 'SELECT count(*)::int AS n FROM archive.a_old')).toEqual([{ n: 5000 }])
    await runSql(live.url, 'DROP SCHEMA archive CASCADE')
    expect(await dumpText(server.binDir, live.url)).toBe(whole)
  }, 60_000)
})

describe('several databases of one source', () => {
  it('are of one snapshot, each below its name, and are exchanged together', async () => {
    const [one, two] = [await databases.make('CREATE TABLE t AS SELECT 1 AS x'), await databases.make()]
    await runSql(
      two.url,
      `CREATE TABLE "T/%" (x text); INSERT INTO "T/%" VALUES ('two'); SELECT lo_from_bytea(0, 'large')`,
    )
    await using own = await openEngine([sourceOf(server, server.url, { databases: [one.name, two.name] })])
    const { warnings } = await own.backup()
    expect(warnings).toEqual([])
    const dumps = await Promise.all([one, two].map(({ url }) => dumpText(server.binDir, url)))
    await runSql(one.url, 'DROP TABLE t')
    await runSql(two.url, `UPDATE "T/%" SET x = 'lost'`)
    const { places } = await restoreInto(own, sinkOf(server))
    expect((places.main as { database: string; kept: string }[]).map(({ database }) => database).sort()).toEqual(
      [one.name, two.name].sort(),
    )
    expect(await Promise.all([one, two].map(({ url }) => dumpText(server.binDir, url)))).toEqual(dumps)
    for (const { name } of [one, two]) {
      expect(await databasesLike(server, name)).toHaveLength(2)
      await expectNothingLeft(server, name)
    }
    expect((await own.verify({ level: 'content' })).findings).toEqual([])
  }, 60_000)

  it("are all that can be connected to, with 'all'; a failing one leaves the other as it was", async () => {
    const own = await startPostgres({ settings: { max_connections: '60' } })
    try {
      await runSql(own.url, 'CREATE DATABASE a')
      await runSql(own.url, 'CREATE DATABASE b')
      for (const name of ['a', 'b']) await runSql(urlOf(own, name), `CREATE TABLE t AS SELECT '${name}' AS x`)
      await using all = await openEngine([sourceOf(own, own.url, { databases: 'all' })])
      await all.backup()
      const paths = await pathsOf(all, 'main')
      expect(paths).toEqual(['main/a', 'main/b', 'main/postgres'])
      for (const name of ['a', 'b']) await runSql(urlOf(own, name), `UPDATE t SET x = 'later'`)
      const checks = [{ name: 'only a', sql: 'SELECT x FROM t', expect: 'a' }]
      const select = { include: ['main/a', 'main/b'] }
      await expect(restoreInto(all, sinkOf(own, { checks }), { select })).rejects.toMatchObject({
        code: 'RESTORE_MISMATCH',
      })
      expect(await queryRows(urlOf(own, 'a'), 'SELECT x FROM t')).toEqual([{ x: 'later' }])
      await restoreInto(all, sinkOf(own), { select })
      expect(await queryRows(urlOf(own, 'a'), 'SELECT x FROM t')).toEqual([{ x: 'a' }])
      expect(await queryRows(urlOf(own, 'b'), 'SELECT x FROM t')).toEqual([{ x: 'b' }])
    } finally {
      await own.stop()
    }
  }, 60_000)
})
