/** A backup that cannot be whole is none: its own code each time, no snapshot, and nothing left on the server. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupError, type ErrorCode, memoryTarget, type Source, wrapTarget } from '../../src/index.ts'
import { scratch } from '../faults/support.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  withClient,
} from '../servers/postgres.ts'
import {
  Databases,
  expectNoChild,
  expectNothingLeft,
  interrupted,
  openEngine,
  pathsOf,
  snapshotCount,
  sourceOf,
} from './support.ts'

const place = scratch()
let server: TestServer
let databases: Databases
let live: TestDatabase
const BIG = 'public/big/000001.copy'
const TABLES = `CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i;
  CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 50);`

beforeAll(async () => {
  server = await startPostgres({ settings: {} })
  databases = new Databases(server)
  live = await databases.make(TABLES)
}, 60_000)
afterAll(async () => {
  await databases.dropAll()
  await server.stop()
})

async function refused(
  source: Source,
  code: ErrorCode,
  target = memoryTarget() as Parameters<typeof wrapTarget>[0],
): Promise<BackupError> {
  await using engine = await openEngine([source], target)
  const error = await engine.backup().then(
    () => expect.unreachable(`a backup was made, ${code} was expected`),
    (thrown: unknown) => thrown,
  )
  expect(BackupError.is(error) ? error.code : error, String(error)).toBe(code)
  expect((error as BackupError).hint ?? '', String(error)).not.toBe('')
  expect(await snapshotCount(engine)).toBe(0)
  return error as BackupError
}

const kill = (what: string): Promise<void> =>
  runSql(
    server.url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${live.name}' AND ${what}`,
  )

describe('the server', () => {
  it('is gone in the middle of a table', async () => {
    const own = await startPostgres({ settings: {} })
    await runSql(own.url, TABLES)
    let isStopped = false
    const source = interrupted(sourceOf(own, own.url), BIG, async () => {
      if (!isStopped) await own.stop()
      isStopped = true
    })
    await refused(source, 'POSTGRES_LOST')
    expectNoChild()
    await refused(sourceOf(own, own.url), 'SOURCE_UNREACHABLE')
  }, 60_000)

  it('ends the connection that reads, or the one that leads', async () => {
    await refused(
      interrupted(sourceOf(server, live.url), BIG, () => kill(`query LIKE 'COPY%'`)),
      'POSTGRES_LOST',
    )
    await expectNothingLeft(server, live.name)
    await refused(
      interrupted(sourceOf(server, live.url), BIG, () => kill('true')),
      'POSTGRES_LOST',
    )
    await expectNothingLeft(server, live.name)
  }, 60_000)

  it('does not know the password, or the database', async () => {
    const hba = join(server.dataDir!, 'pg_hba.conf')
    const before = readFileSync(hba)
    await runSql(server.url, `CREATE ROLE e2e_secret LOGIN PASSWORD 'right'`)
    writeFileSync(hba, `host all e2e_secret 127.0.0.1/32 scram-sha-256\n${before}`)
    await runSql(server.url, 'SELECT pg_reload_conf()')
    await sleep(200)
    const url = new URL(live.url)
    url.username = 'e2e_secret'
    url.password = 'sesame'
    const error = await refused(sourceOf(server, url.href), 'POSTGRES_AUTH')
    expect(JSON.stringify(error)).not.toContain('sesame')
    url.password = 'right'
    url.pathname = '/no_such_database'
    await refused(sourceOf(server, url.href), 'SOURCE_NOT_FOUND')
    await expectNothingLeft(server, live.name)
  }, 60_000)
})

describe('the target', () => {
  it('is full', async () => {
    const inner = memoryTarget()
    const full = wrapTarget(inner, {
      put: async (key, ...rest) => {
        if (key.startsWith('packs/'))
          throw new BackupError('TARGET_FULL', 'no space left', { origin: 'target', hint: 'Make room.' })
        return inner.put(key, ...rest)
      },
    })
    await refused(sourceOf(server, live.url), 'TARGET_FULL', full)
    await expectNothingLeft(server, live.name)
  }, 60_000)
})

describe('tables that change', () => {
  it('after they are locked: whoever drops, truncates or alters them waits, and the backup is whole', async () => {
    const own = await databases.make(TABLES)
    const others: Promise<void>[] = []
    const source = interrupted(sourceOf(server, own.url), BIG, async () => {
      if (others.length > 0) return
      for (const sql of ['TRUNCATE small', 'ALTER TABLE small ADD COLUMN x int', 'DROP TABLE big'])
        others.push(runSql(own.url, sql))
      await sleep(200)
    })
    await using engine = await openEngine([source])
    await engine.backup()
    await Promise.all(others)
    const facts = new Map<string, unknown>()
    for await (const entry of engine.entries({ snapshot: 'latest', path: 'main/public', recursive: true }))
      facts.set(entry.path, entry.facts.rows)
    expect([facts.get('main/public/small/000001.copy'), facts.get(`main/${BIG}`)]).toEqual([50, 20000])
    expect((await engine.verify({ level: 'content' })).findings).toEqual([])
    await expectNothingLeft(server, own.name)
  }, 60_000)

  it.each([
    ['dropped', 'DROP TABLE small', null],
    ['renamed', 'ALTER TABLE small RENAME TO other', null],
    ['truncated', 'TRUNCATE small; INSERT INTO small VALUES (1)', 1],
    ['altered', 'ALTER TABLE small ADD COLUMN x int DEFAULT 5', 50],
  ])(
    '%s while the backup waits for the lock: it begins anew',
    async (_, sql, rows) => {
      const own = await databases.make(TABLES)
      await withClient(own.url, async (other) => {
        await other.query(`BEGIN; ${sql}`)
        await using engine = await openEngine([sourceOf(server, own.url)])
        const run = engine.backup()
        const waits = `SELECT 1 FROM pg_stat_activity WHERE datname = '${own.name}' AND wait_event_type = 'Lock'`
        await expect.poll(() => queryRows(server.url, waits), { timeout: 10_000 }).not.toEqual([])
        await other.query('COMMIT')
        await run
        const paths = await pathsOf(engine, 'main/public', true)
        expect(paths.includes('main/public/small')).toBe(rows !== null)
        if (rows === null) return
        for await (const entry of engine.entries({ snapshot: 'latest', path: 'main/public/small', recursive: true })) {
          if (entry.path.endsWith('.copy')) expect(entry.facts.rows).toBe(rows)
        }
      })
      await expectNothingLeft(server, own.name)
    },
    60_000,
  )

  it('a lock that is not granted ends it in time', async () => {
    await withClient(live.url, async (holder) => {
      await holder.query('BEGIN; LOCK TABLE small IN ACCESS EXCLUSIVE MODE')
      const more = { lockWaitTimeoutMs: 300 }
      const error = await refused(sourceOf(server, live.url, more), 'POSTGRES_LOCKED')
      expect(error.retryable).toBe(true)
      await refused(sourceOf(server, live.url, { ...more, dataOnly: true }), 'POSTGRES_LOCKED')
      await holder.query('ROLLBACK')
    })
    await expectNothingLeft(server, live.name)
  }, 60_000)
})

describe('the client', () => {
  it('is missing, too old, or fails', async () => {
    await refused(sourceOf(server, live.url, { binDir: place.at('none') }), 'POSTGRES_CLIENT_MISSING')
    const program = (text: string): void => {
      writeFileSync(place.at('pg_dump'), `#!/bin/sh\n${text}\n`)
      chmodSync(place.at('pg_dump'), 0o755)
    }
    program('echo "pg_dump (PostgreSQL) 9.6.24"')
    await refused(sourceOf(server, live.url, { binDir: place.path }), 'POSTGRES_CLIENT_WRONG')
    program(
      '[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 18.1" && exit 0\necho half; echo "it broke" >&2; exit 3',
    )
    const more = { binDir: place.path, globals: 'none' as const }
    const error = await refused(sourceOf(server, live.url, more), 'POSTGRES_DUMP_FAILED')
    expect(error.message).toContain('it broke')
    await expectNothingLeft(server, live.name)
  }, 60_000)
})

describe('an abort', () => {
  it('at many moments leaves nothing', async () => {
    let aborted = 0
    for (let ms = 0; ms <= 600; ms += 50) {
      await using engine = await openEngine([sourceOf(server, live.url)])
      const stop = new AbortController()
      const run = engine.backup({ signal: stop.signal }).then(
        () => 'made',
        (error: BackupError) => error.code,
      )
      await sleep(ms)
      stop.abort()
      const ended = await run
      expect(['made', 'ABORTED']).toContain(ended)
      if (ended === 'ABORTED') aborted++
      expect(await snapshotCount(engine)).toBe(ended === 'made' ? 1 : 0)
      await expectNothingLeft(server, live.name)
    }
    expect(aborted).toBeGreaterThan(3)
  }, 60_000)
})
