/** A restore that fails leaves the live database as it was, and nothing beside it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type BackupEngine,
  type BackupError,
  type ErrorCode,
  localTarget,
  type Sink,
  type Source,
} from '../../src/index.ts'
import { cleanScratch } from '../../src/sources/postgres/index.ts'
import { scratchName } from '../../src/sources/postgres/sink/databases.ts'
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
  bent,
  Databases,
  databasesLike,
  expectNothingLeft,
  openEngine,
  restoreInto,
  sinkOf,
  sourceOf,
} from './support.ts'

const place = scratch()
let server: TestServer
let databases: Databases
let original: TestDatabase
let live: TestDatabase
let engine: BackupEngine
const TABLES = `CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i;
  CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 50);`

beforeAll(async () => {
  server = await startPostgres()
  databases = new Databases(server)
  original = await databases.make(TABLES)
  engine = await openEngine([sourceOf(server, original.url)])
  await engine.backup()
}, 60_000)
beforeEach(async () => {
  live = await databases.make('CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (7)')
})
afterAll(async () => {
  await engine.close()
  await databases.dropAll()
  await server.stop()
})

async function isUntouched(): Promise<void> {
  await expectNothingLeft(server, live.name)
  expect(await databasesLike(server, live.name)).toEqual([live.name])
  expect(await queryRows(live.url, 'SELECT id FROM small')).toEqual([{ id: 7 }])
}

async function refused(sink: Sink, code: ErrorCode, from = engine): Promise<BackupError> {
  const error = (await restoreInto(from, sink).then(
    () => expect.unreachable(`it was restored, ${code} was expected`),
    (thrown: unknown) => thrown,
  )) as BackupError
  expect(error.code, String(error)).toBe(code)
  expect(error.hint ?? '', String(error)).not.toBe('')
  await isUntouched()
  return error
}

async function engineOf(source: Source): Promise<BackupEngine> {
  const own = await openEngine([source])
  await own.backup()
  return own
}

describe('a snapshot', () => {
  it.each(['scratch-swap', 'in-place'] as const)(
    'whose rows were cut between two rows is not restored, %s',
    async (strategy) => {
      const cut = bent(sourceOf(server, original.url), (entry) => {
        const { content } = entry
        if (entry.path !== 'public/big/000001.copy' || content?.from !== 'stream') return entry
        async function* open(options: { signal: AbortSignal }): AsyncGenerator<Uint8Array> {
          if (content?.from !== 'stream') return
          const all: Uint8Array[] = []
          for await (const piece of await content.open(options)) all.push(piece)
          const bytes = Buffer.concat(all)
          yield new Uint8Array(bytes.subarray(0, bytes.lastIndexOf(10, bytes.length - 2) + 1))
        }
        const finish = () => ({ rows: 20_000, bytes: 20_128_894, sha256: '0'.repeat(64) })
        return { ...entry, content: { ...content, open, finish } }
      })
      await using own = await engineOf(cut)
      await refused(sinkOf(live, { strategy }), 'RESTORE_MISMATCH', own)
    },
    60_000,
  )

  it('that needs an extension, or a role, that the server lacks', async () => {
    const facts = (given: object) => {
      const { databases: list, ...rest } = given as { databases: object[] }
      const extensions = [{ name: 'not_there', version: '1.0', schema: 'public' }]
      return { ...rest, databases: [{ ...list[0], extensions }] } as never
    }
    await using own = await engineOf(bent(sourceOf(server, original.url), (entry) => entry, facts))
    const error = await refused(sinkOf(live), 'RESTORE_BLOCKED', own)
    expect(`${error.message} ${JSON.stringify(error.details)}`).toContain('not_there')
  }, 60_000)

  it('whose schema needs what only the server turns out to lack', async () => {
    const sql = '--\n-- Name: not_there; Type: EXTENSION; Schema: -; Owner: -\n--\n\nCREATE EXTENSION not_there;\n'
    const content = { from: 'bytes' as const, bytes: new TextEncoder().encode(sql) }
    const change = (entry: Parameters<Parameters<typeof bent>[1]>[0]) =>
      entry.path === 'pg_dump/pre-data.sql' ? { ...entry, content } : entry
    await using own = await engineOf(bent(sourceOf(server, original.url), change))
    const error = await refused(sinkOf(live, { strategy: 'scratch-swap' }), 'RESTORE_REJECTED', own)
    expect(error.details).toMatchObject({ object: 'EXTENSION not_there' })
  }, 60_000)
})

describe('the server', () => {
  it('has sessions on the live database', async () => {
    await withClient(live.url, async (client) => {
      await client.query("SET application_name = 'the app'")
      const error = await restoreInto(engine, sinkOf(live, { swapTimeoutMs: 300 })).catch(
        (thrown: BackupError) => thrown,
      )
      expect(error).toMatchObject({ code: 'RESTORE_CONFLICT', details: { sessions: [{ application: 'the app' }] } })
    })
    await isUntouched()
  }, 60_000)

  it('cannot be reached, does not let us in, has no such database', async () => {
    const at = (change: Partial<Pick<URL, 'port' | 'username'>>): Sink =>
      sinkOf({ url: Object.assign(new URL(live.url), change).href })
    await refused(at({ port: '1' }), 'RESTORE_UNREACHABLE')
    await refused(at({ username: 'nobody_here' }), 'POSTGRES_AUTH')
    const missing = sinkOf({ url: live.url.replace(live.name, `${live.name}_none`) }, { strategy: 'in-place' })
    const error = await restoreInto(engine, missing).catch((thrown: BackupError) => thrown)
    expect(['RESTORE_NOT_FOUND', 'RESTORE_BLOCKED']).toContain((error as BackupError).code)
    await isUntouched()
  }, 60_000)

  it('ends the connection that loads', async () => {
    const stop = new AbortController()
    const ending = (async () => {
      const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '${live.name}_holdfast%' AND query LIKE 'COPY%'`
      while (!stop.signal.aborted) await runSql(server.url, sql).then(() => sleep(2))
    })()
    try {
      await refused(sinkOf(live), 'POSTGRES_LOST')
    } finally {
      stop.abort()
      await ending
    }
  }, 60_000)
})

describe('the process', () => {
  it('is killed half-way: the live database stays, the next restore drops what was left', async () => {
    const repository = place.at('repository')
    await using own = await openEngine([sourceOf(server, original.url)], localTarget(repository))
    await own.backup()
    const child = spawn(process.execPath, [join(import.meta.dirname, 'restore-child.ts'), repository, live.url], {
      stdio: 'inherit',
    })
    const exit = once(child, 'exit')
    const asleep = `SELECT 1 FROM pg_stat_activity WHERE datname LIKE '${live.name}_holdfast%' AND query LIKE '%pg_sleep%'`
    await expect.poll(() => queryRows(server.url, asleep), { timeout: 20_000 }).not.toEqual([])
    child.kill('SIGKILL')
    await exit
    expect(await databasesLike(server, live.name)).toHaveLength(2)
    expect(await queryRows(live.url, 'SELECT id FROM small')).toEqual([{ id: 7 }])
    const sessions = `SELECT 1 FROM pg_stat_activity WHERE datname LIKE '${live.name}_holdfast%'`
    await expect.poll(() => queryRows(server.url, sessions), { timeout: 10_000 }).toEqual([])
    await restoreInto(own, sinkOf(live, { keepOldMs: 0 }))
    expect(await databasesLike(server, live.name)).toEqual([live.name])
    expect(await queryRows(live.url, 'SELECT count(*)::int AS n FROM small')).toEqual([{ n: 50 }])
  }, 60_000)

  it('is killed before it could mark its database: that one is found by its name', async () => {
    const name = scratchName(live.name, 'killed')
    const others = [`${live.name}_holdfast_scratch_notours`, `${live.name}_more_holdfast_scratch_0123456789`]
    for (const one of [name, ...others]) await runSql(server.url, `CREATE DATABASE "${one}"`)
    expect(await cleanScratch({ connectionString: server.url, database: live.name })).toEqual([name])
    expect(await databasesLike(server, live.name)).toEqual([live.name, ...others].sort())
  }, 60_000)

  it.each(['scratch-swap', 'in-place'] as const)(
    'is told to stop, at many moments, %s',
    async (strategy) => {
      let aborted = 0
      for (let ms = 0; ms <= 1500; ms += 25) {
        const stop = new AbortController()
        const plan = await engine.planRestore({
          snapshot: 'latest',
          to: { sinks: { main: sinkOf(live, { strategy }) } },
        })
        const run = engine.restore(plan, { confirm: plan.digest, signal: stop.signal }).then(
          () => 'restored',
          (error: BackupError) => error.code,
        )
        await sleep(ms)
        stop.abort()
        const ended = await run
        await expectNothingLeft(server, live.name)
        if (ended === 'restored') break
        expect(ended).toBe('ABORTED')
        aborted++
        await isUntouched()
      }
      expect(aborted).toBeGreaterThan(2)
    },
    60_000,
  )
})
