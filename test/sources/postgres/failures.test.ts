import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupError } from '../../../src/errors.ts'
import {
  queryRows,
  runSql,
  startPostgres,
  type TestDatabase,
  type TestServer,
  testDatabase,
  withClient,
} from '../../servers/postgres.ts'
import { readSource } from './read-source.ts'

let server: TestServer
let database: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  database = await testDatabase(server)
  await runSql(
    database.url,
    `CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i;
     CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 50);`,
  )
})
afterAll(async () => {
  await database.drop()
  await server.stop()
})

async function failure(run: Promise<unknown>): Promise<BackupError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(BackupError.is(error), String(error)).toBe(true)
  return error as BackupError
}

/** Sessions of the source that are still there; the server may take a moment to see that one is gone. */
async function sessions(): Promise<number> {
  for (let wait = 0; ; wait += 20) {
    const [row] = await queryRows<{ n: number }>(
      server.url,
      'SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
      [database.name],
    )
    if (row!.n === 0 || wait > 1000) return row!.n
    await sleep(20)
  }
}

describe('what can go wrong', () => {
  it('a wrong address, database or client has its own code, and no password in it', async () => {
    const { binDir } = server
    const url = new URL(database.url)
    url.password = 'sesame-open'
    url.pathname = '/no_such_database'
    const missing = await failure(readSource({ connectionString: url.href, binDir }))
    expect([missing.code, missing.details.sqlState]).toEqual(['SOURCE_NOT_FOUND', '3D000'])
    expect(JSON.stringify(missing)).not.toContain('sesame-open')
    const away = await failure(readSource({ host: '127.0.0.1', port: 1, user: 'u', database: 'd', binDir }))
    expect([away.code, away.retryable]).toEqual(['SOURCE_UNREACHABLE', true])
    const noClient = await failure(readSource({ connectionString: database.url, binDir: '/nowhere' }))
    expect(noClient.code).toBe('POSTGRES_CLIENT_MISSING')
    expect(await sessions()).toBe(0)
  })

  it('an abort in the middle ends every connection and child', async () => {
    const stop = new AbortController()
    const options = { connectionString: database.url, binDir: server.binDir, jobs: 2 }
    const onPiece = (path: string): void => {
      if (path.startsWith('public/big')) stop.abort('enough')
    }
    expect((await failure(readSource(options, { signal: stop.signal, onPiece }))).code).toBe('ABORTED')
    expect(await sessions()).toBe(0)
  })

  it('a backend that is killed ends the run', async () => {
    const onPiece = (path: string): Promise<void> | undefined =>
      path.startsWith('public/big')
        ? runSql(
            server.url,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}' AND query LIKE 'COPY%'`,
          )
        : undefined
    const error = await failure(readSource({ connectionString: database.url, binDir: server.binDir }, { onPiece }))
    expect([error.code, error.retryable, error.details.table]).toEqual(['POSTGRES_LOST', true, 'public.big'])
    expect(await sessions()).toBe(0)
  })

  it('a lock that is not granted ends it in time', async () => {
    await withClient(database.url, async (holder) => {
      await holder.query('BEGIN; LOCK TABLE small IN ACCESS EXCLUSIVE MODE')
      const options = { connectionString: database.url, binDir: server.binDir, lockWaitTimeoutMs: 200, dataOnly: true }
      expect((await failure(readSource(options))).code).toBe('POSTGRES_LOCKED')
      await holder.query('ROLLBACK')
    })
    expect(await sessions()).toBe(0)
  })

  it('row-level security and missing rights are told apart', async () => {
    const role = `limited_${process.pid}`
    await runSql(
      database.url,
      `CREATE ROLE ${role} LOGIN PASSWORD 'p'; CREATE SCHEMA hidden; CREATE TABLE hidden.rows (id int);
       ALTER TABLE hidden.rows ENABLE ROW LEVEL SECURITY; INSERT INTO hidden.rows VALUES (1); GRANT USAGE ON SCHEMA hidden TO ${role};`,
    )
    const url = new URL(database.url)
    url.username = role
    url.password = 'p'
    const options = { connectionString: url.href, binDir: server.binDir, schemas: ['hidden'], dataOnly: true }
    try {
      expect((await failure(readSource(options))).code).toBe('SOURCE_DENIED')
      await runSql(database.url, `GRANT SELECT ON hidden.rows TO ${role}`)
      expect((await failure(readSource(options))).code).toBe('POSTGRES_ROW_SECURITY')
    } finally {
      await runSql(database.url, `DROP SCHEMA hidden CASCADE; DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })

  it('somebody who waits to truncate a table neither blocks nor empties it', async () => {
    await withClient(database.url, async (other) => {
      let waiting: Promise<unknown> = Promise.resolve()
      const onOpen = async (): Promise<void> => {
        waiting = other.query('TRUNCATE small')
        await sleep(100)
      }
      const result = await readSource({ connectionString: database.url, binDir: server.binDir }, { onOpen })
      expect(result.get('public/small/000001.copy').facts.rows).toBe(50)
      await waiting
    })
    const again = await failure(
      readSource(
        { connectionString: database.url, binDir: server.binDir, maxRowDrop: 0.5 },
        { parent: { databases: [{ name: database.name, state: { 'public/small': [50, 141] } }] } },
      ),
    )
    expect(again.code).toBe('SOURCE_SHRUNK')
  })
})
