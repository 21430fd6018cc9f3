/** The live database is exchanged in one moment, or not at all; and can be put back. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PgClient } from '../../../../src/sources/postgres/connection.ts'
import { cleanScratch, dropOld, putBack } from '../../../../src/sources/postgres/sink/kept.ts'
import { postgresSink } from '../../../../src/sources/postgres/sink/postgres-sink.ts'
import { readProperties } from '../../../../src/sources/postgres/sink/properties.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  testDatabase,
  withClient,
} from '../../../servers/postgres.ts'
import { contextOf, databasesLike, readerOf, restore, type Snapshot, snapshotOf, urlOf } from './snapshot.ts'

let server: TestServer
let snapshot: Snapshot
let live: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  const original = await testDatabase(server)
  await runSql(
    original.url,
    'CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, i FROM generate_series(1, 60000) i',
  )
  snapshot = await snapshotOf(server, original.url)
  await original.drop()
})

beforeEach(async () => {
  live = await testDatabase(server)
  await runSql(
    live.url,
    'CREATE TABLE t (id int PRIMARY KEY, x text); CREATE TABLE newer (); INSERT INTO t VALUES (-1)',
  )
  return async () => {
    const left = await databasesLike(server, live.name)
    for (const name of left) await runSql(server.url, `DROP DATABASE "${name}" WITH (FORCE)`)
  }
})

afterAll(async () => {
  await server.stop()
})

const rows = async (url: string): Promise<number> =>
  (await queryRows<{ n: number }>(url, 'SELECT count(*)::int AS n FROM t'))[0]!.n
const sink = (more: object = {}) =>
  postgresSink({ connectionString: live.url, strategy: 'scratch-swap', swapTimeoutMs: 500, ...more })
const properties = async () => {
  const found = await withClient(server.url, (client) => readProperties(client as unknown as PgClient, live.name))
  return { ...found, acl: [...(found?.acl ?? [])].sort() }
}

describe('the exchange', () => {
  it('keeps rights, settings and comment, and the old database, which can be put back', async () => {
    await runSql(
      live.url,
      `ALTER DATABASE ${live.name} SET search_path = 'a b', public; ALTER DATABASE ${live.name} SET work_mem = '7MB';
      ALTER ROLE postgres IN DATABASE ${live.name} SET jit = off; COMMENT ON DATABASE ${live.name} IS 'it''s live';
      ALTER DATABASE ${live.name} CONNECTION LIMIT 77; REVOKE CONNECT ON DATABASE ${live.name} FROM PUBLIC`,
    )
    const before = await properties()
    const where = await restore(sink(), contextOf(snapshot), readerOf(snapshot))
    const kept = (where as { kept: string }[])[0]!.kept
    expect(await properties()).toEqual(before)
    expect(await rows(live.url)).toBe(60000)
    expect(await rows(urlOf(server, kept))).toBe(1)
    const back = await putBack({ connectionString: server.url, database: live.name })
    expect(await rows(live.url)).toBe(1)
    expect(await properties()).toEqual(before)
    expect(await rows(urlOf(server, back.kept))).toBe(60000)
    expect(await dropOld({ connectionString: server.url, database: live.name })).toEqual([back.kept])
    expect(await databasesLike(server, live.name)).toEqual([live.name])
    await expect(putBack({ connectionString: server.url, database: live.name })).rejects.toMatchObject({
      code: 'RESTORE_NOT_FOUND',
    })
  })

  it('drops the old one at once when it is not to be kept', async () => {
    await restore(sink({ keepOldMs: 0 }), contextOf(snapshot), readerOf(snapshot))
    expect(await rows(live.url)).toBe(60000)
    expect(await databasesLike(server, live.name)).toEqual([live.name])
  })

  it('does not happen while sessions are open, and says which; or ends them', async () => {
    const client = new pg.Client({ connectionString: live.url, application_name: 'the app' })
    client.on('error', () => {})
    const lost = new Promise<void>((resolve) => client.on('end', () => resolve()))
    await client.connect()
    const waiting = restore(sink(), contextOf(snapshot), readerOf(snapshot))
    await expect(waiting).rejects.toMatchObject({
      code: 'RESTORE_CONFLICT',
      details: { sessions: [{ application: 'the app' }] },
    })
    expect(await databasesLike(server, live.name)).toEqual([live.name])
    expect((await client.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{ n: 1 }])
    await restore(sink({ sessions: 'terminate', swapTimeoutMs: 10_000 }), contextOf(snapshot), readerOf(snapshot))
    await lost
    expect(await rows(live.url)).toBe(60000)
  })

  it('is taken back by a rollback, also in a later process', async () => {
    const context = contextOf(snapshot)
    await restore(sink(), context, readerOf(snapshot))
    expect(await rows(live.url)).toBe(60000)
    const later = await sink().open(context)
    await later.rollback(new Error('another sink failed'))
    await later[Symbol.asyncDispose]()
    expect(await rows(live.url)).toBe(1)
    expect(await databasesLike(server, live.name)).toEqual([live.name])
  })
})

describe('what goes wrong', () => {
  it('leaves the live database and nothing else: a failed check, a lost row, an abort, a backend killed', async () => {
    const table = snapshot.entries.find((entry) => entry.path.endsWith('000002.copy'))!
    const lossy = new Map(snapshot.contents).set(table.path, snapshot.contents.get(table.path)!.subarray(0, -6))
    const stop = new AbortController()
    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '${live.name}_holdfast%'`
    const ended = async (what: Promise<unknown>, code: string) => {
      await expect(what).rejects.toMatchObject({ code })
      expect(await databasesLike(server, live.name)).toEqual([live.name])
    }
    const checks = [{ name: 'c', sql: 'SELECT count(*) FROM t', expect: 5 }]
    await ended(restore(sink({ checks }), contextOf(snapshot), readerOf(snapshot)), 'RESTORE_MISMATCH')
    await ended(restore(sink(), contextOf(snapshot), readerOf({ ...snapshot, contents: lossy })), 'RESTORE_MISMATCH')
    const aborting = readerOf(snapshot, { onChunk: (path) => void (path.endsWith('000002.copy') && stop.abort()) })
    await ended(restore(sink(), contextOf(snapshot, { signal: stop.signal }), aborting), 'ABORTED')
    const killing = readerOf(snapshot, {
      onChunk: (path) => (path.endsWith('000002.copy') ? runSql(server.url, kill) : undefined),
    })
    await ended(restore(sink(), contextOf(snapshot), killing), 'POSTGRES_LOST')
    expect(await rows(live.url)).toBe(1)
  })

  it('is a process killed half-way: the next restore drops what it left', async () => {
    const kill = async (): Promise<void> => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'half-restore.ts'), live.url], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await kill()
    expect(await databasesLike(server, live.name)).toHaveLength(2)
    expect(await rows(live.url)).toBe(1)
    await expect.poll(() => cleanScratch({ connectionString: server.url, database: live.name })).toHaveLength(1)
    await kill()
    await expect
      .poll(() => queryRows(server.url, `SELECT 1 FROM pg_stat_activity WHERE datname LIKE '${live.name}_holdfast%'`))
      .toEqual([])
    await restore(sink({ keepOldMs: 0 }), contextOf(snapshot), readerOf(snapshot))
    expect(await rows(live.url)).toBe(60000)
    expect(await databasesLike(server, live.name)).toEqual([live.name])
  })

  it('is a database held by a replication slot', async () => {
    const wal = (await queryRows<{ wal_level: string }>(server.url, 'SHOW wal_level'))[0]!.wal_level
    expect(wal).toBe('logical')
    await runSql(live.url, `SELECT pg_create_logical_replication_slot('${live.name}', 'pgoutput')`)
    const plan = await sink().plan!(contextOf(snapshot), readerOf(snapshot))
    expect(plan.changes.filter((change) => change.type === 'blocked').map((change) => change.reason)).toEqual([
      `replication slot ${live.name} holds ${live.name}`,
    ])
    await expect(restore(sink(), contextOf(snapshot), readerOf(snapshot))).rejects.toMatchObject({
      code: 'RESTORE_CONFLICT',
    })
    await runSql(live.url, `SELECT pg_drop_replication_slot('${live.name}')`)
  })
})

describe('the plan', () => {
  it('says what is replaced, created, dropped, and what stands in the way', async () => {
    const facts = structuredClone(snapshot.facts) as { databases: Record<string, unknown>[] }
    Object.assign(facts.databases[0]!, {
      roles: ['postgres', 'nobody_here'],
      extensions: [{ name: 'not_there', version: '1' }],
    })
    const context = contextOf({ ...snapshot, facts: facts as never })
    const plan = await sink().plan!(context, readerOf(snapshot))
    const found = plan.changes.filter(({ path }) => !path.startsWith('pg_dump/') || path.endsWith('pre-data.sql'))
    expect(found.map(({ type, path, reason }) => [type, reason ?? path])).toEqual([
      ['blocked', 'missing roles: nobody_here: create them, or pass globals: true, or noOwner with noPrivileges'],
      ['blocked', 'extension not_there is not installed on the server'],
      ['replace', 'public/t'],
      ['drop', 'it is not in the snapshot'],
      ['create', 'pg_dump/pre-data.sql'],
    ])
    expect(plan.destructive).toBe(true)
  })
})
