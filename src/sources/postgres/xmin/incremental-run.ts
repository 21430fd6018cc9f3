/** `incremental: 'xmin'` for one database: what is proved unchanged is not read, and what the next run needs is kept. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Json } from '../../../errors.ts'
import type { PgClient } from '../connection.ts'
import type { TableReading } from '../reading-tables.ts'
import type { Lead } from '../snapshot-lead.ts'
import type { SnapshotWorkers } from '../snapshot-workers.ts'
import { columnPrints } from './column-print.ts'
import { partsOf } from './counted-ranges.ts'
import { isSameTable, isUnchanged, type KnownRange, knownRange, unchangedRanges } from './decide.ts'
import { distrust, type IncrementalState, lsnNumber, type ServerState, type TableState } from './incremental-state.ts'
import { tableCount } from './table-count.ts'

export interface IncrementalParts {
  readonly lead: Lead
  readonly workers: SnapshotWorkers
  readonly tables: readonly TableReading[]
  /** Of the server; null where it does not tell, and then nothing is trusted. */
  readonly systemIdentifier: string | null
  readonly versionNum: number
  readonly previous: IncrementalState | undefined
  readonly fullEvery: number
}

type TableIdentity = Pick<TableState, 'oid' | 'relfilenode' | 'print' | 'cut'>

/** "At most three times wal_writer_delay": manual of Postgres, Asynchronous Commit. */
const FLUSH_ROUNDS = 3
const FLUSH_POLL_MS = 20

export class IncrementalRun {
  readonly #parts: IncrementalParts
  readonly #server: ServerState
  readonly #identities: ReadonlyMap<TableReading, TableIdentity>
  readonly #why: string | undefined
  readonly #beganAt = performance.now()

  private constructor(
    parts: IncrementalParts,
    server: ServerState,
    identities: ReadonlyMap<TableReading, TableIdentity>,
  ) {
    this.#parts = parts
    this.#server = server
    this.#identities = identities
    this.#why = distrust(parts.previous, server, parts.fullEvery)
  }

  /** Undefined where the server cannot be trusted to be the same one again. */
  static async open(parts: IncrementalParts): Promise<IncrementalRun | undefined> {
    const server = await serverState(parts)
    if (!server) return undefined
    const run = new IncrementalRun(parts, server, await identitiesOf(parts))
    await run.#prove()
    return run
  }

  /** Every table that can be tracked gets a name for the content of each range: the one it had, or a new one. */
  async #prove(): Promise<void> {
    const proofs = [...this.#identities].map(async ([table, identity]) =>
      table.track(await this.#known(table, identity)),
    )
    for (const proof of await Promise.allSettled(proofs)) if (proof.status === 'rejected') throw proof.reason
  }

  async #known(table: TableReading, identity: TableIdentity): Promise<readonly (KnownRange | undefined)[]> {
    const { previous, workers } = this.#parts
    const before = previous?.tables[table.path]
    if (this.#why !== undefined || !isSameTable(before, identity)) return []
    const { bounds, order } = table.plan!
    const { schema, name, pages } = table.table
    const key = order === 'key' ? table.table.key[0]! : null
    const count = tableCount(workers, { schema, name, bounds, key }, partsOf(pages), previous!.xmin)
    const whole = await count.whole()
    if (whole !== undefined && isUnchanged(before, whole)) return before.ranges.map(knownRange)
    // Counting its only range would say the same again.
    if (bounds.length === 0) return []
    return unchangedRanges(before, await count.ranges())
  }

  /**
   * What the next run needs. Not before a crash of the server can undo nothing any more that the snapshot saw, since ids of
   * transactions that were lost are used a second time. A crash until then has ended our connection.
   */
  async describe(): Promise<Json> {
    const { previous, lead } = this.#parts
    await lead.use((client) => this.#flushed(client))
    const tables = [...this.#identities].map(([table, identity]) => [
      table.path,
      { ...identity, ranges: table.tracked.map(({ token, rows, bytes }) => [token, rows, bytes]) },
    ])
    const runs = this.#why === undefined ? previous!.runs + 1 : 0
    return { ...this.#server, runs, readAllBecause: this.#why ?? null, tables: Object.fromEntries(tables) }
  }

  /** Commits that did not wait for the disk are there after three rounds of the WAL writer; mostly long since. */
  async #flushed(client: PgClient): Promise<void> {
    const sql = `SELECT pg_catalog.pg_current_wal_flush_lsn()::text AS lsn,
      (SELECT setting::float8 FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay') AS "roundMs"`
    for (;;) {
      const waitedMs = performance.now() - this.#beganAt
      const { lsn, roundMs } = (await client.query<{ lsn: string; roundMs: number }>(sql)).rows[0]!
      if (lsnNumber(lsn) >= lsnNumber(this.#server.lsn) || waitedMs > FLUSH_ROUNDS * roundMs + FLUSH_POLL_MS) return
      await sleep(FLUSH_POLL_MS)
    }
  }
}

/** A standby may follow another server without telling so at once; it is never trusted. */
async function serverState({ lead, systemIdentifier, versionNum }: IncrementalParts): Promise<ServerState | undefined> {
  if (systemIdentifier === null) return undefined
  const { rows } = await lead.use((client) =>
    client.query<{ standby: boolean }>('SELECT pg_catalog.pg_is_in_recovery() AS standby'),
  )
  if (rows[0]!.standby) return undefined
  // The control file learns of a new timeline only at its next checkpoint; names of log files have it at once.
  const position = await lead.use((client) =>
    client.query<{ lsn: string; file: string; startedAt: string }>(
      `SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn,
        pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) AS file,
        extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text AS "startedAt"`,
    ),
  )
  const { lsn, file, startedAt } = position.rows[0]!
  return {
    systemIdentifier,
    versionNum,
    startedAt,
    timeline: Number.parseInt(file.slice(0, 8), 16),
    xmin: lead.snapshot.xmin,
    lsn,
  }
}

/** Not those with a condition: what is true of a row may change without the row. */
async function identitiesOf({ lead, tables }: IncrementalParts): Promise<Map<TableReading, TableIdentity>> {
  const read = tables.filter(({ plan, table }) => plan !== undefined && table.where === null)
  const prints = await lead.use((client) =>
    columnPrints(
      client,
      read.map(({ table }) => table.oid),
    ),
  )
  const identities = new Map<TableReading, TableIdentity>()
  for (const reading of read) {
    const { oid, relfilenode } = reading.table
    const { order, key, bounds } = reading.plan!
    const print = prints.get(oid)
    if (print !== undefined) {
      identities.set(reading, { oid, relfilenode, print, cut: JSON.stringify([order, key, bounds]) })
    }
  }
  return identities
}
