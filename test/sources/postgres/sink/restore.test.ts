/** A database with every kind of object goes out and comes back equal; parts of it, too. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresSink } from '../../../../src/sources/postgres/sink/postgres-sink.ts'
import type { SinkEntry } from '../../../../src/sources/sink.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  testDatabase,
} from '../../../servers/postgres.ts'
import { contextOf, databasesLike, dump, readerOf, restore, type Snapshot, snapshotOf, urlOf } from './snapshot.ts'

let server: TestServer
let original: TestDatabase
let snapshot: Snapshot

beforeAll(async () => {
  server = await startPostgres()
  original = await testDatabase(server)
  await runSql(original.url, readFileSync(join(import.meta.dirname, 'fixture.sql'), 'utf8'))
  snapshot = await snapshotOf(server, original.url)
}, 60_000)

afterAll(async () => {
  const left = await databasesLike(server, `${original.name}_`)
  for (const name of left) await runSql(server.url, `DROP DATABASE "${name}" WITH (FORCE)`)
  await original.drop()
  await server.stop()
  expect(left).toEqual([])
})

/** Runs `use` with a new database that is dropped afterwards. */
async function withDatabase(use: (url: string, name: string) => Promise<void>, sql = ''): Promise<void> {
  const database = await testDatabase(server)
  try {
    if (sql !== '') await runSql(database.url, sql)
    await use(database.url, database.name)
  } finally {
    await database.drop()
  }
}

const only =
  (...paths: string[]) =>
  (entry: SinkEntry): SinkEntry | null =>
    paths.some((path) => entry.path === path || entry.path.startsWith(`${path}/`)) ? entry : null

describe('a whole database', () => {
  it('comes back so that pg_dump sees no difference, proved by hashes', async () => {
    const target = `${original.name}_new`
    const context = contextOf(snapshot, { drill: true })
    const checks = [{ name: 'users', sql: 'SELECT count(*) FROM app.users', expect: 3000 }]
    const sink = postgresSink({ connectionString: server.url, database: target, jobs: 3, checks })
    await restore(sink, context, readerOf(snapshot))
    const url = urlOf(server, target)
    expect(context.warnings).toEqual([])
    expect(await dump(server, url, [])).toBe(await dump(server, original.url, []))
    await runSql(server.url, `DROP DATABASE ${target}`)
  })

  it('comes back without its rows, or without owners and grants', async () => {
    const target = `${original.name}_schema`
    const sink = postgresSink({
      connectionString: server.url,
      database: target,
      schemaOnly: true,
      noOwner: true,
      noPrivileges: true,
    })
    await restore(sink, contextOf(snapshot), readerOf(snapshot))
    const flags = ['--schema-only', '--no-privileges']
    expect(await dump(server, urlOf(server, target), flags)).toBe(await dump(server, original.url, flags))
    await runSql(server.url, `DROP DATABASE ${target}`)
  })

  it('goes in place into an empty database, in one transaction', async () => {
    await withDatabase(async (url) => {
      const sink = postgresSink({ connectionString: url, strategy: 'in-place', check: 'hashes' })
      await restore(sink, contextOf(snapshot), readerOf(snapshot))
      expect(await dump(server, url, [])).toBe(await dump(server, original.url, []))
    })
  })

  it('replaces the rows of a database that is there, and nothing else', async () => {
    await withDatabase(async (url) => {
      await restore(
        postgresSink({ connectionString: url, strategy: 'in-place' }),
        contextOf(snapshot),
        readerOf(snapshot),
      )
      await runSql(
        url,
        "UPDATE app.users SET name = 'x' || id; UPDATE app.orders SET amount = 0; INSERT INTO app.base VALUES (9); SELECT lo_put((SELECT min(oid) FROM pg_largeobject_metadata), 30000, 'longer'); SELECT setval('app.users_id_seq', 1)",
      )
      await restore(postgresSink({ connectionString: url, dataOnly: true }), contextOf(snapshot), readerOf(snapshot))
      expect(await dump(server, url, [])).toBe(await dump(server, original.url, []))
    })
  })
})

describe('a part', () => {
  it('is a table with what it owns; a foreign key to what is absent is left out', async () => {
    await withDatabase(async (url) => {
      const context = contextOf(snapshot)
      await restore(
        postgresSink({ connectionString: url, noPrivileges: true }),
        context,
        readerOf(snapshot, { select: only('app/orders') }),
      )
      expect(context.warnings.map((warning) => warning.code)).toEqual(['RESTORE_LEFT_OUT'])
      const rows = await queryRows(
        url,
        "SELECT count(*)::int AS rows, nextval('app.orders_id_seq')::int AS next FROM app.orders",
      )
      expect(rows).toEqual([{ rows: 5000, next: 5001 }])
      const { names } = (
        await queryRows<{ names: string }>(
          url,
          "SELECT string_agg(relname, ' ' ORDER BY relname) AS names FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind <> 'c'",
        )
      )[0]!
      expect(names).toBe('orders orders_day orders_id_seq orders_int4range_excl orders_pkey orders_user_id_idx')
    })
  })

  it('is a table with the types that it needs', async () => {
    await withDatabase(async (url) => {
      const select = only('app/users')
      await restore(postgresSink({ connectionString: url }), contextOf(snapshot), readerOf(snapshot, { select }))
      const flags = ['--table=app.users']
      expect(await dump(server, url, flags)).toBe(await dump(server, original.url, flags))
    })
  })

  it('goes under another name beside the live table, which stays as it is', async () => {
    await withDatabase(async (url) => {
      await restore(
        postgresSink({ connectionString: url }),
        contextOf(snapshot),
        readerOf(snapshot, { select: only('app/users', 'app/orders') }),
      )
      const before = await dump(server, url, ['--table=app.orders'])
      const select = (entry: SinkEntry): SinkEntry | null =>
        only('app/orders')(entry) && {
          ...entry,
          from: entry.path,
          path: entry.path.replace('app/orders', 'old/orders%2F1'),
        }
      await restore(postgresSink({ connectionString: url }), contextOf(snapshot), readerOf(snapshot, { select }))
      expect(await dump(server, url, ['--table=app.orders'])).toBe(before)
      const rows = await queryRows(url, 'SELECT count(*)::int AS rows, sum(amount)::int AS sum FROM old."orders/1"')
      expect(rows).toEqual(
        await queryRows(url, 'SELECT count(*)::int AS rows, sum(amount)::int AS sum FROM app.orders'),
      )
      const same = await queryRows(
        url,
        'SELECT count(*)::int AS n FROM pg_constraint WHERE conrelid = \'old."orders/1"\'::regclass',
      )
      expect(same).toEqual(
        await queryRows(url, "SELECT count(*)::int AS n FROM pg_constraint WHERE conrelid = 'app.orders'::regclass"),
      )
      expect(await queryRows(url, "SELECT 1 FROM pg_namespace WHERE nspname = 'holdfast_staging'")).toEqual([])
    })
  })

  it('replaces one table that others refer to, and checks what refers to it', async () => {
    await withDatabase(async (url) => {
      const both = only('app/users', 'app/orders')
      await restore(postgresSink({ connectionString: url }), contextOf(snapshot), readerOf(snapshot, { select: both }))
      await runSql(url, "UPDATE app.users SET name = 'x' || id; INSERT INTO app.users (id, name) VALUES (9000, 'late')")
      const users = readerOf(snapshot, { select: only('app/users') })
      await restore(postgresSink({ connectionString: url }), contextOf(snapshot), users)
      expect(await dump(server, url, ['--table=app.users'])).toBe(
        await dump(server, original.url, ['--table=app.users']),
      )
      await runSql(
        url,
        "INSERT INTO app.users (id, name) VALUES (9000, 'late'); UPDATE app.orders SET user_id = 9000 WHERE id = 1",
      )
      const late = restore(postgresSink({ connectionString: url }), contextOf(snapshot), users)
      await expect(late).rejects.toMatchObject({ code: 'RESTORE_REJECTED', details: { sqlState: '23503' } })
      expect(await queryRows(url, 'SELECT name FROM app.users WHERE id = 9000')).toEqual([{ name: 'late' }])
    })
  })
})
