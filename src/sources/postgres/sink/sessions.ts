/** The sink's connections to one server: all of them are ended with the sink's session, and broken off by an abort. */
import { abortError, onAbort } from '../../../util/abort.ts'
import { Connector } from '../connect.ts'
import type { Connection, PgClient } from '../connection.ts'
import { sqlState } from '../pg-error.ts'
import { type Pins, sessionPins } from '../session-pins.ts'
import type { SinkSettings } from './options.ts'

export class Sessions {
  readonly #connector: Connector
  readonly #signal: AbortSignal | undefined
  readonly #open = new Map<PgClient, Connection>()
  readonly #stopListening: () => void

  constructor(settings: SinkSettings, signal?: AbortSignal) {
    this.#connector = new Connector(settings.connection, 'sink')
    this.#signal = signal
    this.#stopListening = onAbort(signal, () => {
      for (const connection of this.#open.values()) connection.destroy()
    })
  }

  async open(database: string): Promise<PgClient> {
    const connection = await this.#connector.connect(database, this.#signal)
    this.#open.set(connection.client, connection)
    // A pool wants its own back as they were.
    if (!('release' in connection.client)) await connection.client.query(OWN_SETTINGS)
    return connection.client
  }

  /** To a database that is only written to by this restore: never one of a pool's connections. */
  async openForLoading(database: string, pins: Pins): Promise<PgClient> {
    const client = await this.open(database)
    await client.query(loadingSettings(pins))
    // Where the server knows it: a backend that builds an index sees that its client was killed.
    await client.query("SET client_connection_check_interval = '2s'").catch(() => {})
    return client
  }

  /** To a database that is neither renamed nor dropped by this restore. */
  async openMaintenance(not: readonly string[], fallback: string | undefined): Promise<PgClient> {
    const candidates = [...new Set(['postgres', 'template1', ...(fallback === undefined ? [] : [fallback])])]
    const allowed = candidates.filter((name) => !not.includes(name))
    for (const name of allowed.slice(0, -1)) {
      try {
        return await this.open(name)
      } catch (error) {
        if (!MAY_TRY_NEXT.has(sqlState(error) ?? '')) throw error
      }
    }
    return await this.open(allowed.at(-1) as string)
  }

  async close(client: PgClient): Promise<void> {
    const connection = this.#open.get(client)
    this.#open.delete(client)
    await connection?.end()
  }

  /** From now on an abort breaks nothing off: what is being committed must be known to be, or not. */
  ignoreAbort(): void {
    this.#stopListening()
  }

  /** Breaks off what still runs. */
  async closeAll(): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    for (const connection of all) connection.destroy()
    await Promise.all(all.map((connection) => connection.end()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening()
    await this.closeAll()
  }

  /** A failed query of an aborted restore is the abort. */
  explain(error: unknown): unknown {
    return this.#signal?.aborted ? abortError(this.#signal.reason) : error
  }
}

/** Whatever the role or the server have: a connection waits here while others load for hours. Time limits differ by version. */
const OWN_SETTINGS = `SET default_transaction_read_only = off; SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
  WHERE name IN ('statement_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`

/** No such database, no right to connect, connections not allowed. */
const MAY_TRY_NEXT: ReadonlySet<string> = new Set(['3D000', '42501', '55000', '28000'])

function loadingSettings(settings: Pins): string {
  const pins = sessionPins(settings).replaceAll('SET LOCAL ', 'SET ')
  const memory = `SELECT pg_catalog.set_config('maintenance_work_mem', '256MB', false)
    WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) < 268435456`
  return `${pins} SET synchronous_commit = off; SET check_function_bodies = off; SET client_min_messages = warning;
    SET default_transaction_read_only = off; ${memory}`
}
