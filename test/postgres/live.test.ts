/** What neither a restore nor a drill may do to the database that is live, and what roles and databases may be set to. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEngine } from '../../src/index.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  withClient,
} from '../servers/postgres.ts'
import { Databases, expectNothingLeft, openEngine, restoreInto, sinkOf, sourceOf, urlOf } from './support.ts'

let server: TestServer
let databases: Databases

beforeAll(async () => {
  server = await startPostgres()
  databases = new Databases(server)
}, 60_000)
afterAll(async () => {
  await databases.dropAll()
  await server.stop()
})

const ITEMS = `CREATE TABLE items (id serial PRIMARY KEY, t text); CREATE TABLE other (a int);
  INSERT INTO items (t) SELECT 'old' FROM generate_series(1, 10)`
const onlyItems = { select: { include: ['main/public/items'] } }

/** A database with its engine, and one snapshot. */
async function backedUp(sql: string): Promise<{ database: TestDatabase; engine: BackupEngine }> {
  const database = await databases.make(sql)
  const engine = await openEngine([sourceOf(server, database.url, { globals: 'none' })])
  await engine.backup()
  return { database, engine }
}

async function one<T>({ url }: { url: string }, sql: string): Promise<T> {
  const row = (await queryRows<{ value: T }>(url, `SELECT (${sql}) AS value`))[0]
  return row?.value as T
}

describe('in place', () => {
  it('puts sequences back with the rows, and leaves them where they are when it is rolled back', async () => {
    const { database, engine } = await backedUp(ITEMS)
    await runSql(database.url, `INSERT INTO items (t) SELECT 'new' FROM generate_series(1, 90)`)
    const into = { connectionString: database.url }
    const checks = [{ name: 'never', sql: 'SELECT 1', expect: 2 }]
    await expect(restoreInto(engine, sinkOf(database, { ...into, checks }), onlyItems)).rejects.toMatchObject({
      code: 'RESTORE_MISMATCH',
    })
    expect(await one(database, 'SELECT last_value FROM items_id_seq')).toBe('100')
    await restoreInto(engine, sinkOf(database, into), onlyItems)
    expect(await one(database, `SELECT nextval('items_id_seq')`)).toBe('11')
    await engine.close()
  })

  it('makes large objects that were empty empty again', async () => {
    const { database, engine } = await backedUp(`SELECT lo_create(88001); SELECT lo_from_bytea(88002, 'abc')`)
    await runSql(database.url, `SELECT lo_put(88001, 0, 'newer'); SELECT lo_put(88002, 0, 'longer than before')`)
    await restoreInto(engine, sinkOf(database, { connectionString: database.url, strategy: 'in-place' }))
    expect(await one(database, 'SELECT length(lo_get(88001))')).toBe(0)
    expect(await one(database, `SELECT convert_from(lo_get(88002), 'UTF8')`)).toBe('abc')
    await engine.close()
  })

  it('replaces the rows that a user has put among those of an extension, and only these', async () => {
    const { database, engine } = await backedUp(
      `CREATE TABLE other (a int); CREATE TABLE ref (id int PRIMARY KEY, own bool); INSERT INTO ref SELECT g, g > 100 FROM generate_series(1, 101) g;
      ALTER EXTENSION plpgsql ADD TABLE ref;
      UPDATE pg_extension SET extconfig = ARRAY['ref'::regclass::oid], extcondition = ARRAY['WHERE own'] WHERE extname = 'plpgsql'`,
    )
    await runSql(database.url, `DELETE FROM ref WHERE own; INSERT INTO ref VALUES (102, true)`)
    const into = sinkOf(database, { connectionString: database.url, check: 'hashes' })
    await restoreInto(engine, into, { select: { include: ['main/public/ref'] } })
    const ids = 'SELECT array_agg(id ORDER BY id) FROM ref WHERE id > 99'
    expect(await one(database, ids)).toEqual([100, 101])
    expect(await one(database, 'SELECT count(*)::int FROM ref')).toBe(101)
    await engine.close()
  })
})

describe('a selection', () => {
  it('of all tables does not take the large objects away', async () => {
    const { database, engine } = await backedUp(`${ITEMS}; SELECT lo_from_bytea(88003, 'abc')`)
    await runSql(database.url, 'DELETE FROM items')
    await restoreInto(engine, sinkOf(database, { connectionString: database.url }), {
      select: { include: ['main/public'] },
    })
    expect(await one(database, 'SELECT count(*)::int FROM items')).toBe(10)
    expect(await one(database, `SELECT convert_from(lo_get(88003), 'UTF8')`)).toBe('abc')
    await engine.close()
  })
})

describe('a drill', () => {
  it('of one table works in a database of its own, too', async () => {
    const { database, engine } = await backedUp(ITEMS)
    await runSql(database.url, `INSERT INTO items (t) SELECT 'new' FROM generate_series(1, 90)`)
    const checks = [
      { name: 'beside the live one', sql: `SELECT current_database() LIKE '%scratch%'`, expect: true },
      { name: 'rows', sql: 'SELECT count(*) FROM items', expect: 10 },
    ]
    for (const strategy of [undefined, 'in-place'] as const) {
      const sink = sinkOf(database, { connectionString: database.url, checks, ...(strategy && { strategy }) })
      const drill = await engine.drill({ ...onlyItems, sinks: { main: sink } })
      expect(drill.toText()).toContain('main')
      expect(drill.sound).toBe(true)
    }
    expect(await one(database, 'SELECT last_value FROM items_id_seq')).toBe('100')
    expect(await one(database, 'SELECT count(*)::int FROM items')).toBe(100)
    await expectNothingLeft(server, database.name)
    await engine.close()
  }, 30_000)
})

describe('a drill of rows without a schema', () => {
  it('does not touch the live database, which alone has tables for them', async () => {
    const database = await databases.make(ITEMS)
    const engine = await openEngine([sourceOf(server, database.url, { dataOnly: true })])
    await engine.backup()
    const before = await one(database, 'SELECT pg_relation_filenode(oid) FROM pg_class WHERE relname = $$items$$')
    // In the way of nobody but of who empties the table.
    await withClient(database.url, async (client) => {
      await client.query('BEGIN; LOCK TABLE items IN ACCESS SHARE MODE')
      for (const dataOnly of [true, false]) {
        const sink = sinkOf(database, { connectionString: database.url, dataOnly })
        const drill = await engine.drill({ sinks: { main: sink } })
        expect(drill.findings).toMatchObject([{ code: 'UNSUPPORTED', severity: 'error' }])
        expect(drill.sound).toBe(false)
      }
    })
    expect(await one(database, 'SELECT pg_relation_filenode(oid) FROM pg_class WHERE relname = $$items$$')).toBe(before)
    await expectNothingLeft(server, database.name)
    await engine.close()
  }, 30_000)
})

describe('a snapshot without a schema', () => {
  it.each([{ dataOnly: true }, { mode: 'pg_dump' as const }])('of %j never becomes a new database', async (options) => {
    const database = await databases.make(ITEMS)
    const engine = await openEngine([sourceOf(server, database.url, options)])
    await engine.backup()
    await expect(restoreInto(engine, sinkOf(database, { connectionString: database.url }))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      details: { database: database.name },
    })
    expect(await one(database, 'SELECT count(*)::int FROM items')).toBe(10)
    await engine.close()
  })
})

describe('settings of a role', () => {
  const TYPED = `CREATE SCHEMA pgqueue; CREATE SEQUENCE pgqueue.jobs; SELECT setval('pgqueue.jobs', 77);
    CREATE TABLE typed (id int PRIMARY KEY, a text[]); INSERT INTO typed VALUES (1, ARRAY[NULL, 'NULL', E'a\\\\b'])`
  const SETTINGS = {
    array_nulls: 'off',
    standard_conforming_strings: 'off',
    default_transaction_read_only: 'on',
    // Long enough that a busy machine gets from connecting to the first statement.
    idle_session_timeout: '250ms',
    idle_in_transaction_session_timeout: '250ms',
  }

  it.each(Object.entries(SETTINGS))(
    '%s = %s changes nothing of what is backed up and restored',
    async (name, value) => {
      const database = await databases.make(TYPED)
      const role = `${database.name}_role`
      await runSql(
        server.url,
        `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'x'; ALTER ROLE ${role} SET ${name} = '${value}'`,
      )
      const url = Object.assign(new URL(database.url), { username: role, password: 'x' }).href
      const engine = await openEngine([sourceOf(server, url, { globals: 'none' })])
      await engine.backup()
      const copy = `${database.name}_copy`
      await restoreInto(engine, sinkOf({ url }, { strategy: 'new-database', database: copy, noOwner: true }))
      await restoreInto(engine, sinkOf({ url }), { select: { include: ['main/public/typed'] } })
      for (const restored of [urlOf(server, copy), database.url]) {
        const place = { url: restored }
        expect(await one(place, 'SELECT a[1] IS NULL AND a[2] IS NOT NULL FROM typed')).toBe(true)
        expect(await one(place, 'SELECT a[3] FROM typed')).toBe('a\\b')
        expect(await one(place, 'SELECT last_value FROM pgqueue.jobs')).toBe('77')
      }
      await engine.close()
      await expectNothingLeft(server, database.name)
      await runSql(server.url, `DROP DATABASE ${copy}`)
      await runSql(server.url, `DROP ROLE ${role}`)
    },
    30_000,
  )
})

describe('time limits of a role', () => {
  it('do not end a backup while pg_dump reads', async () => {
    const many = Array.from(
      { length: 400 },
      (_, i) => `CREATE TABLE t${i} (id serial PRIMARY KEY, v text CHECK (v <> ''))`,
    )
    const database = await databases.make(many.join(';'))
    const role = `${database.name}_slow`
    await runSql(
      server.url,
      `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'x'; ALTER ROLE ${role} SET idle_in_transaction_session_timeout = '60ms';
      ALTER ROLE ${role} SET statement_timeout = '300ms'`,
    )
    const url = Object.assign(new URL(database.url), { username: role, password: 'x' }).href
    const engine = await openEngine([sourceOf(server, url, { globals: 'none' })])
    await engine.backup()
    await engine.close()
    await expectNothingLeft(server, database.name)
    await runSql(server.url, `DROP ROLE ${role}`)
  }, 30_000)
})

describe('a schema that never stands still', () => {
  it('is backed up whole all the same', async () => {
    const many = Array.from({ length: 60 }, (_, i) => `CREATE TABLE t${i} (id serial PRIMARY KEY, v text)`)
    const database = await databases.make(`${many.join(';')}; INSERT INTO t7 (v) VALUES ('a row')`)
    let isOver = false
    let made = 0
    const work = withClient(database.url, async (client) => {
      // Nobody waits for it, and pg_dump is never done in between.
      while (!isOver) {
        await client.query(`COMMENT ON TABLE t${made % 60} IS '${++made}'`)
        await delay(5)
      }
    })
    const engine = await openEngine([sourceOf(server, database.url, { globals: 'none' })])
    try {
      await engine.backup()
    } finally {
      isOver = true
      await work
    }
    expect(made).toBeGreaterThan(10)
    expect((await engine.drill({ sinks: { main: sinkOf(database) } })).findings).toEqual([])
    await engine.close()
    await expectNothingLeft(server, database.name)
  }, 60_000)
})

describe('a hook that fails', () => {
  it('leaves no connection and no lock', async () => {
    const database = await databases.make(ITEMS)
    const beforeSnapshot = async (client: unknown): Promise<void> => {
      await (client as { query(sql: string): Promise<unknown> }).query('LOCK TABLE items IN ACCESS EXCLUSIVE MODE')
      throw new Error('not today')
    }
    const engine = await openEngine([sourceOf(server, database.url, { hooks: { beforeSnapshot } })])
    await expect(engine.backup()).rejects.toThrow('not today')
    await expectNothingLeft(server, database.name)
    await engine.close()
  })
})
