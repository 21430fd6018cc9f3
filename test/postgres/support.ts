/** Engines over real databases, for the tests that run all parts together. */
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { afterAll, expect } from 'vitest'
import {
  BackupEngine,
  type EngineOptions,
  type EntryFacts,
  memoryTarget,
  type PlanRestoreOptions,
  type RestoreResult,
  type Sink,
  type Source,
  type SourceEntry,
  type Target,
  workerPool,
} from '../../src/index.ts'
import {
  type PostgresOptions,
  type PostgresSinkOptions,
  postgres,
  postgresSink,
} from '../../src/sources/postgres/index.ts'
import { KEY } from '../faults/support.ts'
import { queryRows, runSql, type TestDatabase, type TestServer, testDatabase } from '../servers/postgres.ts'

const pool = workerPool({ threads: 2 })
afterAll(() => pool.close())

/** Encrypted, in memory unless said otherwise. */
export function openEngine(
  sources: readonly Source[],
  target: Target = memoryTarget(),
  over: Partial<EngineOptions> = {},
): Promise<BackupEngine> {
  return BackupEngine.open({ target, key: KEY, sources: [...sources], workers: pool, ...over })
}

export function sourceOf(server: TestServer, url: string, more: Partial<PostgresOptions> = {}): Source {
  const connection = more.pool ? {} : { connectionString: url }
  return postgres({ name: 'main', ...connection, binDir: server.binDir, jobs: 2, ...more })
}

/** The same source with other entries, or other facts. */
export function bent(
  source: Source,
  change: (entry: SourceEntry) => SourceEntry,
  facts: (facts: EntryFacts) => EntryFacts = (same) => same,
): Source {
  return {
    ...source,
    async open(context) {
      const session = await source.open(context)
      return {
        describe: async () => facts(await session.describe()),
        concurrency: session.concurrency ?? 1,
        async *entries() {
          for await (const batch of session.entries()) yield batch.map(change)
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      }
    },
  }
}

/** Something happens before a piece of a stream is given on. */
export function interrupted(source: Source, path: string, before: () => Promise<unknown> | unknown): Source {
  return bent(source, (entry) => {
    const { content } = entry
    if (entry.path !== path || content?.from !== 'stream') return entry
    async function* open(options: { signal: AbortSignal }): AsyncGenerator<Uint8Array> {
      if (content?.from !== 'stream') return
      for await (const piece of await content.open(options)) {
        await before()
        yield piece
      }
    }
    return { ...entry, content: { ...content, open } }
  })
}

export function sinkOf(server: { url: string }, more: PostgresSinkOptions = {}): Sink {
  const connection = more.pool ? {} : { connectionString: server.url }
  return postgresSink({ ...connection, jobs: 2, ...more })
}

/** The newest snapshot's source `main` goes into the sink, as its plan says. */
export async function restoreInto(
  engine: BackupEngine,
  sink: Sink,
  more: Partial<PlanRestoreOptions> = {},
): Promise<RestoreResult> {
  const plan = await engine.planRestore({ snapshot: 'latest', to: { sinks: { main: sink } }, ...more })
  return await engine.restore(plan, { confirm: plan.digest })
}

export async function snapshotCount(engine: BackupEngine): Promise<number> {
  let count = 0
  for await (const _ of engine.snapshots()) count++
  return count
}

/** What lies directly in a folder of the newest snapshot, or anywhere below it. */
export async function pathsOf(engine: BackupEngine, path: string, recursive = false): Promise<string[]> {
  const paths: string[] = []
  for await (const entry of engine.entries({ snapshot: 'latest', path, recursive })) paths.push(entry.path)
  return paths
}

/** Names that nothing else in the server begins with, and that are gone with `dropAll`. */
export class Databases {
  readonly #server: TestServer
  readonly #all: TestDatabase[] = []

  constructor(server: TestServer) {
    this.#server = server
  }

  async make(sql = '', options = {}): Promise<TestDatabase> {
    const database = await testDatabase(this.#server, options)
    this.#all.push(database)
    if (sql !== '') await runSql(database.url, sql)
    return database
  }

  /** Drops them and all that was named after them. */
  async dropAll(): Promise<void> {
    for (const { name } of this.#all.splice(0)) {
      for (const one of await databasesLike(this.#server, name)) {
        await runSql(this.#server.url, `DROP DATABASE "${one}" WITH (FORCE)`)
      }
    }
  }
}

export async function databasesLike(server: { url: string }, name: string): Promise<string[]> {
  const sql = 'SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname'
  return (await queryRows<{ datname: string }>(server.url, sql, [name])).map(({ datname }) => datname)
}

export function urlOf(server: { url: string }, database: string): string {
  const url = new URL(server.url)
  url.pathname = `/${encodeURIComponent(database)}`
  return url.href
}

/** No session, no lock and no scratch database is left of anything named after `database`; ended sessions take a moment. */
export async function expectNothingLeft(server: { url: string }, database: string): Promise<void> {
  const sessions = `SELECT pid, datname, application_name, state, query FROM pg_stat_activity WHERE starts_with(datname, $1)`
  const locks = `SELECT l.* FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE starts_with(d.datname, $1)`
  await expect.poll(() => queryRows(server.url, sessions, [database]), { timeout: 20_000 }).toEqual([])
  expect(await queryRows(server.url, locks, [database])).toEqual([])
  expect((await databasesLike(server, database)).filter((name) => name.includes('_holdfast_scratch_'))).toEqual([])
  expectNoChild()
}

const children = new Set<ChildProcess>()
subscribe('child_process', (message) => {
  const { process: child } = message as { process: ChildProcess }
  children.add(child)
  child.once('exit', () => children.delete(child)).once('error', () => child.pid ?? children.delete(child))
})

/** Every pg_dump, pg_dumpall and pg_restore that this process has started has ended, and it knows. */
export function expectNoChild(): void {
  const running = [...children].map(({ spawnargs }) => spawnargs.join(' '))
  expect(running.filter((line) => /pg_dump|pg_restore/.test(line))).toEqual([])
}
