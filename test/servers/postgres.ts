/**
 * Real Postgres servers for tests and benchmarks: the one that HOLDFAST_TEST_POSTGRES_URL names, else one in Docker,
 * else one started from the programs on this machine (installed by apt-get where that is possible). Without any of
 * them the tests fail and say what to install.
 */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { dockerAnswers } from './docker.ts'
import { findPrograms, installPrograms, type Programs } from './postgres-find.ts'
import { launchPostgres } from './postgres-launch.ts'

export interface TestServer {
  /** Of a superuser, to the database `postgres`. */
  readonly url: string
  readonly port: number
  /** Absolute folder of pg_dump, pg_restore and psql. Their major is at least the server's, unless `major` was asked. */
  readonly binDir: string
  /** As in '15.18'. */
  readonly version: string
  readonly major: number
  /** The server's data folder, where it was started here. */
  readonly dataDir?: string
  stop(): Promise<void>
}

export interface StartOptions {
  /** Only a server of this major. Default: whatever is there. */
  readonly major?: number
  /** Added settings, as in `{ max_connections: '20' }`; such a server is always started here, from programs. */
  readonly settings?: Readonly<Record<string, string>>
  /** A server with a system identifier of its own: those started here are else copies of one another. Takes 1 s more. */
  readonly ownIdentity?: boolean
  /** Works on a copy of the data folder of a server of the same major, as after a crash: its disk, put back. */
  readonly dataFrom?: string
}

const NONE = `No Postgres server for the tests. Do one of these:
- set HOLDFAST_TEST_POSTGRES_URL to the address of a superuser (Postgres 14 or later; databases are created in it)
- start Docker
- install Postgres with its client programs and contrib modules (Debian, Ubuntu: apt-get install postgresql
  postgresql-contrib; Fedora: dnf install postgresql-server postgresql-contrib; macOS: brew install postgresql@17)`

/** Starts (or finds) a server. Ends with this process, however that ends. @throws Error that says what to install. */
export async function startPostgres(options: StartOptions = {}): Promise<TestServer> {
  const own = options.settings !== undefined || options.ownIdentity === true || options.dataFrom !== undefined
  const url = process.env.HOLDFAST_TEST_POSTGRES_URL
  if (url && !own) {
    const found = await givenServer(url)
    if (options.major === undefined || options.major === found.major) return found
  }
  if (!own && (await dockerAnswers())) return dockerServer(options.major)
  const programs = (await findPrograms(options.major)) ?? (await installPrograms(options.major))
  if (!programs) throw new Error(options.major ? `${NONE}\nAsked for was major ${options.major}.` : NONE)
  return launchPostgres(programs, options)
}

async function clientPrograms(major: number): Promise<Programs> {
  const programs = (await findPrograms(major)) ?? (await findPrograms()) ?? (await installPrograms())
  if (programs) return programs
  throw new Error(`No pg_dump for the tests: install the client programs of Postgres ${major} or later`)
}

async function givenServer(url: string): Promise<TestServer> {
  const version = await withClient(url, async (client) => {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
    return rows[0]?.server_version.split(' ')[0] ?? ''
  })
  const major = Number.parseInt(version, 10)
  const { binDir } = await clientPrograms(major)
  return { url, port: Number(new URL(url).port || 5432), binDir, version, major, stop: async () => {} }
}

/** The image has the major of the client programs here, so that these fit. */
async function dockerServer(major?: number): Promise<TestServer> {
  const programs = await clientPrograms(major ?? 17)
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer(`postgres:${major ?? programs.major}`)
    .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust' })
    .withCommand(['postgres', '-c', 'fsync=off', '-c', 'max_connections=300', '-c', 'wal_level=logical'])
    .withExposedPorts(5432)
    // The image starts its server twice; the first only for its own setup.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .start()
  const url = `postgres://postgres@${container.getHost()}:${container.getMappedPort(5432)}/postgres`
  return {
    ...(await givenServer(url)),
    stop: async () => {
      await container.stop()
    },
  }
}

export interface TestDatabase {
  readonly url: string
  readonly name: string
  /** Ends its sessions and drops it. */
  drop(): Promise<void>
}

export interface DatabaseOptions {
  readonly template?: string
  /** SQL that follows CREATE DATABASE, as in `ENCODING 'LATIN1' LOCALE 'C'`. */
  readonly with?: string
}

/** A new, empty database of its own name. */
export async function testDatabase(server: { url: string }, options: DatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${process.pid}_${randomBytes(5).toString('hex')}`
  const template = options.template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(options.template)}`
  await runSql(server.url, `CREATE DATABASE ${name}${template} ${options.with ?? ''}`)
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return { url: url.href, name, drop: () => runSql(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }
}

/** Runs one text of SQL, which may hold several statements. */
export async function runSql(url: string, sql: string): Promise<void> {
  await withClient(url, (client) => client.query(sql))
}

/** Rows of one query, as objects. */
export async function queryRows<T extends object = Record<string, unknown>>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<T[]> {
  return withClient(url, async (client) => (await client.query<T & pg.QueryResultRow>(sql, values)).rows)
}

export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  // A server that ends while the client is idle: the next query says it.
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
