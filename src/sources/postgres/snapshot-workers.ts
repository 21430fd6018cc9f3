/** Connections that see the snapshot of the lead: made when they are needed, at most so many, used again. */
import { BackupError } from '../../errors.ts'
import type { Connector } from './connect.ts'
import { type Connection, rollback } from './connection.ts'
import { quoteLiteral, quoteQualified } from './names.ts'
import { sqlState } from './pg-error.ts'
import { sessionPins } from './session-pins.ts'
import type { Lead } from './snapshot-lead.ts'

export interface Worker {
  readonly connection: Connection
  readonly locked: Set<string>
}

export class SnapshotWorkers {
  readonly #connector: Connector
  readonly #lead: Lead
  readonly #limit: number
  readonly #signal: AbortSignal
  readonly #idle: Worker[] = []
  readonly #all = new Set<Worker>()
  readonly #waiting: (() => void)[] = []
  #busy = 0
  #closed = false

  /** `limit` of 0: everything is read through the lead. */
  constructor(connector: Connector, lead: Lead, limit: number, signal: AbortSignal) {
    this.#connector = connector
    this.#lead = lead
    this.#limit = limit
    this.#signal = signal
  }

  /**
   * Calls `fn` with a connection that holds the lock on the table. Where somebody waits for an exclusive lock on it, a
   * worker cannot get one without waiting for us, for ever: then the lead reads it, which has the lock.
   */
  async *read(
    table: { schema: string; name: string } | undefined,
    fn: (connection: Connection) => AsyncGenerator<Uint8Array, void, undefined>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#limit === 0) return yield* this.#readByLead(fn)
    const worker = await this.#acquire()
    let given = false
    try {
      if (table !== undefined && !(await lockNow(worker, table))) {
        this.#release(worker)
        given = true
        return yield* this.#readByLead(fn)
      }
      yield* fn(worker.connection)
    } finally {
      if (!given) this.#release(worker)
    }
  }

  /** The same for one answer instead of bytes. */
  async run<T>(table: { schema: string; name: string }, fn: (connection: Connection) => Promise<T>): Promise<T> {
    let answer: T | undefined
    const asked = this.read(table, async function* (connection) {
      answer = await fn(connection)
      yield* []
    })
    for await (const _ of asked);
    return answer as T
  }

  async *#readByLead(
    fn: (connection: Connection) => AsyncGenerator<Uint8Array, void, undefined>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const turn = await new Promise<() => void>((granted) => {
      void this.#lead.use(() => new Promise<void>((release) => granted(release)))
    })
    try {
      yield* fn(this.#lead.connection)
    } finally {
      turn()
    }
  }

  async #acquire(): Promise<Worker> {
    while (this.#busy >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#busy++
    try {
      return this.#idle.pop() ?? (await this.#open())
    } catch (error) {
      this.#freed()
      throw error
    }
  }

  async #open(): Promise<Worker> {
    const connection = await this.#connector.connect(this.#lead.client.database, this.#signal).catch((error) => {
      throw goneMeanwhile(error)
    })
    const worker: Worker = { connection, locked: new Set() }
    this.#all.add(worker)
    if (this.#closed) connection.destroy()
    try {
      // In one go: the role's own limit for an idle transaction holds until it is set.
      await connection.client.query(
        `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${quoteLiteral(this.#lead.snapshot.id)};
        ${sessionPins(this.#lead.pins)}`,
      )
      return worker
    } catch (error) {
      this.#all.delete(worker)
      await connection.end()
      throw goneMeanwhile(error)
    }
  }

  #release(worker: Worker): void {
    if (worker.connection.lost || this.#closed) this.#all.delete(worker)
    else this.#idle.push(worker)
    this.#freed()
  }

  #freed(): void {
    this.#busy--
    this.#waiting.shift()?.()
  }

  /** Ids of the server's processes that are at work for us. */
  get busyProcesses(): number[] {
    const busy = [...this.#all].filter((worker) => !this.#idle.includes(worker))
    return busy.flatMap(({ connection }) => connection.client.processID ?? [])
  }

  /** Breaks off what runs, ends what is idle. */
  async close(): Promise<void> {
    this.#closed = true
    const idle = new Set(this.#idle.splice(0))
    const all = [...this.#all]
    this.#all.clear()
    for (const { connection } of all.filter((worker) => !idle.has(worker))) connection.destroy()
    await Promise.all(all.map(({ connection }) => rollback(connection).then(() => connection.end())))
  }
}

/** SET TRANSACTION SNAPSHOT, once the lead that exported it is gone: 22023, from Postgres 17 on 42704. A server that stops: 57P03. */
const GONE = ['22023', '42704', '57P03']

/** The server was there when the reading began: that it cannot be reached now means that it was lost. */
function goneMeanwhile(error: unknown): unknown {
  const state = sqlState(error)
  const isUnreachable = state === undefined && BackupError.is(error) && error.code === 'SOURCE_UNREACHABLE'
  if (!isUnreachable && !GONE.includes(state ?? '')) return error
  return new BackupError('POSTGRES_LOST', `the server was lost while tables were read: ${(error as Error).message}`, {
    origin: 'source',
    retryable: true,
    hint: 'Run it again; if it comes back, see the server log for who ended the connection',
    cause: error,
  })
}

/** False where the lock would have to wait. */
async function lockNow(worker: Worker, table: { schema: string; name: string }): Promise<boolean> {
  const name = quoteQualified(table.schema, table.name)
  if (worker.locked.has(name)) return true
  const { client } = worker.connection
  try {
    await client.query(
      `SAVEPOINT holdfast; LOCK TABLE ONLY ${name} IN ACCESS SHARE MODE NOWAIT; RELEASE SAVEPOINT holdfast`,
    )
  } catch (error) {
    if (sqlState(error) !== '55P03') throw error
    await client.query('ROLLBACK TO SAVEPOINT holdfast; RELEASE SAVEPOINT holdfast')
    return false
  }
  worker.locked.add(name)
  return true
}
