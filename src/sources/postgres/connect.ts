/** Opens connections to one server: from fields, a string, the PG* environment, or a pool that is there. */
import { BackupError } from '../../errors.ts'
import { abortError, onAbort, throwIfAborted } from '../../util/abort.ts'
import type { PostgresConnection } from './connect-options.ts'
import type { Connection, PgClient, PoolLike } from './connection.ts'
import { type PgOrigin, pgError } from './pg-error.ts'

const CONNECT_TIMEOUT_MS = 30_000
const APPLICATION = 'holdfast'

type ClientClass = new (config: Record<string, unknown>) => PgClient

/** What a child of libpq needs to know to reach the same server. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly database: string | undefined
  readonly password: string | undefined
  readonly ssl: unknown
  /** As in PGOPTIONS: settings of the session, which decide what a pattern without a schema means. */
  readonly options: string | undefined
}

/**
 * Connections to one server. `connect(database)` opens one more; without a name, to the database of the options.
 * @throws BackupError PEER_MISSING, POSTGRES_AUTH, SOURCE_UNREACHABLE, SOURCE_NOT_FOUND (RESTORE_… for a sink)
 */
export class Connector {
  readonly #options: PostgresConnection
  readonly #origin: PgOrigin
  #address: ServerAddress | undefined

  constructor(options: PostgresConnection, origin: PgOrigin) {
    this.#options = options
    this.#origin = origin
  }

  /** How many connections can be open at once; a pool has its own limit. */
  get limit(): number {
    const max = (this.#options.pool as { options?: { max?: unknown } } | undefined)?.options?.max
    return typeof max === 'number' ? max : Number.POSITIVE_INFINITY
  }

  /** Where the last connection went to, with the password that was used. Known after the first connection. */
  get address(): ServerAddress {
    if (this.#address === undefined) throw new Error('no connection was opened yet')
    return this.#address
  }

  async connect(database?: string, signal?: AbortSignal): Promise<Connection> {
    throwIfAborted(signal)
    const { pool } = this.#options
    if (pool === undefined) return await this.#connectNew(await this.#config(database), signal)
    const connection = await this.#connectPool(pool, signal)
    if (database === undefined || connection.client.database === database) return connection
    // A pool knows one database only. Its client tells how to reach the others.
    await connection.end()
    return await this.#connectNew({ ...this.#pgConfig(connection.client), database }, signal)
  }

  async #config(database: string | undefined): Promise<Record<string, unknown>> {
    const { pool: _, ...own } = this.#options
    if (database === undefined || own.connectionString === undefined) {
      return database === undefined ? own : { ...own, database }
    }
    // A connection string wins over fields, so it is taken apart by pg itself first.
    const Client = await loadClient()
    return { ...this.#pgConfig(made(Client, own)), database }
  }

  #pgConfig(client: PgClient): Record<string, unknown> {
    const { host, port, user, password, ssl } = client
    const options = optionsOf(client)
    return { host, port, user, password, ssl, ...(options === undefined ? {} : { options }) }
  }

  async #connectNew(config: Record<string, unknown>, signal: AbortSignal | undefined): Promise<Connection> {
    const Client = await loadClient()
    const client = made(Client, { ...config, application_name: APPLICATION })
    const connection = new OwnConnection(client)
    const remove = onAbort(signal, () => connection.destroy())
    try {
      await client.connect()
      throwIfAborted(signal)
    } catch (error) {
      connection.destroy()
      throw this.#connectError(error, signal, client.database)
    } finally {
      remove()
    }
    this.#remember(client)
    return connection
  }

  async #connectPool(pool: PoolLike, signal: AbortSignal | undefined): Promise<Connection> {
    const waiting = pool.connect() as Promise<PooledClient>
    try {
      const client = await abortable(waiting, signal)
      this.#remember(client)
      return new PooledConnection(client)
    } catch (error) {
      // A client that comes too late is not wanted any more.
      waiting.then((late) => late.release()).catch(() => {})
      throw this.#connectError(error, signal, undefined)
    }
  }

  #connectError(error: unknown, signal: AbortSignal | undefined, database: string | undefined): BackupError {
    if (signal?.aborted) return abortError(signal.reason)
    return pgError(error, this.#origin, 'cannot connect to Postgres', database === undefined ? {} : { database })
  }

  #remember(client: PgClient): void {
    const { host, port, user, database, password, ssl } = client
    const known = typeof password === 'string' && password !== '' ? password : undefined
    this.#address = { host, port, user, database, password: known, ssl, options: optionsOf(client) }
  }
}

/** Calls `fn` with a connection that is ended afterwards. */
export async function withClient<T>(
  connector: Connector,
  database: string | undefined,
  fn: (client: PgClient) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const connection = await connector.connect(database, signal)
  const remove = onAbort(signal, () => connection.destroy())
  try {
    return await fn(connection.client)
  } catch (error) {
    throw signal?.aborted ? abortError(signal.reason) : error
  } finally {
    remove()
    await connection.end()
  }
}

class OwnConnection implements Connection {
  readonly client: PgClient
  lost = false
  #ending: Promise<void> | undefined

  constructor(client: PgClient) {
    this.client = client
    // Without a listener a broken connection would end the process. Who queries next is told.
    client.on('error', () => {
      this.lost = true
    })
  }

  end(): Promise<void> {
    if (this.lost) this.client.connection.stream.destroy()
    this.#ending ??= this.lost ? Promise.resolve() : this.client.end().catch(() => {})
    return this.#ending
  }

  destroy(): void {
    this.lost = true
    this.client.connection.stream.destroy()
  }
}

type PooledClient = PgClient & { release(error?: boolean | Error): void }

class PooledConnection implements Connection {
  readonly client: PooledClient
  lost = false
  #released = false
  readonly #onError = (): void => {
    this.lost = true
  }

  constructor(client: PooledClient) {
    this.client = client
    client.on('error', this.#onError)
  }

  async end(): Promise<void> {
    if (this.#released) return
    this.#released = true
    // Should the caller have ended the work half-way, its transaction must not stay with the pool.
    if (!this.lost) await this.client.query('ROLLBACK').catch(this.#onError)
    this.client.removeListener('error', this.#onError)
    this.client.release(this.lost)
  }

  destroy(): void {
    this.lost = true
    this.client.connection.stream.destroy()
    void this.end()
  }
}

/** Loads `pg` while something else goes on, as an engine that derives its key. Who connects is told if it is missing. */
export function preloadClient(): void {
  loadClient().catch(() => {})
}

async function loadClient(): Promise<ClientClass> {
  try {
    const { default: pg } = await import('pg')
    return pg.Client as unknown as ClientClass
  } catch (cause) {
    throw new BackupError('PEER_MISSING', "Postgres needs the package 'pg'", {
      origin: 'usage',
      hint: 'npm install pg pg-copy-streams',
      details: { package: 'pg' },
      cause,
    })
  }
}

/** pg throws while it takes a bad connection string apart, and its message may hold the string: it is left out. */
function made(Client: ClientClass, config: Record<string, unknown>): PgClient {
  try {
    return new Client({ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, ...config })
  } catch {
    throw new BackupError('INVALID_OPTIONS', "option 'connectionString' cannot be read", {
      origin: 'usage',
      details: { option: 'connectionString', rule: 'must be a postgres:// URL' },
    })
  }
}

function optionsOf(client: PgClient): string | undefined {
  const { options } = (client as { connectionParameters?: { options?: unknown } }).connectionParameters ?? {}
  return typeof options === 'string' && options !== '' ? options : undefined
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const remove = onAbort(signal, (reason) => reject(abortError(reason)))
    promise.then(resolve, reject).finally(remove)
  })
}
