/** The part of `pg` that is used, by its shape, so that its types need not be installed. */
import type { Duplex } from 'node:stream'

export interface QueryResult<R> {
  readonly rows: R[]
  readonly rowCount: number | null
  readonly command: string
}

/** A query that speaks the protocol itself, as COPY does. */
export interface Submittable {
  submit(connection: ProtocolConnection): unknown
}

export interface ProtocolConnection {
  readonly stream: Duplex
  query(text: string): void
}

/** `pg.Client`. */
export interface PgClient {
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly database: string | undefined
  readonly password: unknown
  readonly ssl: unknown
  readonly processID: number | null
  readonly connection: ProtocolConnection
  connect(): Promise<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: a row is whatever the query selects
  query<R = any>(text: string, values?: readonly unknown[]): Promise<QueryResult<R>>
  query<T extends Submittable>(query: T): T
  end(): Promise<void>
  on(event: string, listener: (...args: never[]) => void): unknown
  removeListener(event: string, listener: (...args: never[]) => void): unknown
}

/** Structural, so that `pg.Pool` fits and pg need not be installed for types. */
export interface PoolLike {
  connect(): Promise<unknown>
  end(): Promise<void>
}

/** An open connection and the one way to give it back. */
export interface Connection {
  readonly client: PgClient
  /** Set once the connection is lost or was destroyed; queries fail from then on. */
  readonly lost: boolean
  /** Ends it, or gives it back to its pool. Never rejects; a second call does nothing. */
  end(): Promise<void>
  /** Breaks it off at once, whatever it is doing. A pool throws it away. */
  destroy(): void
}

const ROLLBACK_MS = 2000

/** Ends the transaction, so that its locks are gone when this resolves. A connection that does not answer is destroyed. */
export async function rollback(connection: Connection): Promise<void> {
  if (connection.lost) return
  const timer = setTimeout(() => connection.destroy(), ROLLBACK_MS)
  await connection.client.query('ROLLBACK').catch(() => {})
  clearTimeout(timer)
}
