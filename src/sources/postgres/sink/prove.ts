/** That the restored tables hold what the snapshot holds, before anything goes live. */
import { sha256Stream } from '../../../crypto/hash.ts'
import { BackupError } from '../../../errors.ts'
import type { PgClient } from '../connection.ts'
import { quoteQualified } from '../names.ts'
import { copyEncoding } from '../ranges.ts'
import { type Pins, sessionPins } from '../session-pins.ts'
import { copyOut } from './copy-in.ts'
import { ownRows } from './extension-rows.ts'
import type { TableToRestore } from './layout.ts'
import { columnList } from './load.ts'
import type { SqlCheck } from './options.ts'
import { sinkError } from './sql-error.ts'

/** Counts all rows again. @throws BackupError RESTORE_MISMATCH */
export async function proveCounts(client: PgClient, tables: readonly TableToRestore[]): Promise<void> {
  const handedOn = new Map<string, { root: TableToRestore; count: number; expected: number }>()
  for (const table of tables) {
    if (table.rows === undefined || table.ranges.length === 0) continue
    const count = await countOf(client, table)
    if (table.via === undefined) refuseCount(table, count, table.rows)
    else {
      const key = quoteQualified(table.via.schema, table.via.name)
      const sums = handedOn.get(key) ?? { root: { ...table, target: table.via }, count: 0, expected: 0 }
      handedOn.set(key, { ...sums, count: sums.count + count, expected: sums.expected + table.rows })
    }
  }
  for (const { root, count, expected } of handedOn.values()) refuseCount(root, count, expected)
}

async function countOf(client: PgClient, table: TableToRestore): Promise<number> {
  const { target } = table
  const sql = `SELECT count(*) FROM ONLY ${quoteQualified(target.schema, target.name)}${ownRows(table)}`
  return Number((await client.query<{ count: string }>(sql)).rows[0]?.count)
}

function refuseCount(table: TableToRestore, count: number, expected: number): void {
  if (count !== expected) throw mismatch(table, `it has ${count} rows, the snapshot ${expected}`)
}

/**
 * Reads every table again, in the order of its file, and compares the hash of each range with what was read at backup.
 * Tables were loaded range after range by one connection each, so that this is the order. Rows that were handed on to
 * partitions, or lie among those of an extension, have none: they are only counted.
 */
export async function proveHashes(
  client: PgClient,
  tables: readonly TableToRestore[],
  pins: Pins,
  inTransaction: boolean,
): Promise<void> {
  const provable = tables.filter(
    (table) =>
      table.via === undefined && ownRows(table) === '' && table.ranges.length > 0 && table.ranges.every(hasProof),
  )
  try {
    if (!inTransaction) await client.query(`BEGIN; ${sessionPins(pins)}`)
    for (const table of provable) await proveTable(client, table)
    if (!inTransaction) await client.query('COMMIT')
  } catch (error) {
    throw sinkError(error, 'reading restored rows again')
  }
}

function hasProof({ facts }: TableToRestore['ranges'][number]): boolean {
  return typeof facts.rows === 'number' && typeof facts.sha256 === 'string'
}

async function proveTable(client: PgClient, table: TableToRestore): Promise<void> {
  const { schema, name } = table.target
  const sql = `COPY ${quoteQualified(schema, name)} ${columnList(table)} TO STDOUT${copyEncoding(table.encoding)}`
  const hashes = new RangeHashes(table.ranges.map(({ facts }) => Number(facts.rows)))
  for await (const chunk of await copyOut(client, sql)) hashes.update(chunk)
  const found = hashes.end()
  const wrong = table.ranges.find(({ facts }, at) => facts.sha256 !== found[at])
  if (wrong !== undefined) throw mismatch(table, `${wrong.path} reads differently from what was backed up`)
}

const LINE_FEED = 0x0a

/** One hash for each run of so many lines. What follows the last one is part of it. */
class RangeHashes {
  readonly #rows: readonly number[]
  readonly #found: string[] = []
  #state = sha256Stream()
  #left: number

  constructor(rows: readonly number[]) {
    this.#rows = rows
    this.#left = rows[0] ?? 0
    this.#closeEmpty()
  }

  update(chunk: Uint8Array): void {
    let from = 0
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) {
      if (--this.#left > 0 || this.#isLast()) continue
      this.#state.update(chunk.subarray(from, at + 1))
      from = at + 1
      this.#close()
      this.#closeEmpty()
    }
    this.#state.update(chunk.subarray(from))
  }

  end(): string[] {
    return [...this.#found, this.#state.digestHex()]
  }

  #isLast(): boolean {
    return this.#found.length >= this.#rows.length - 1
  }

  #close(): void {
    this.#found.push(this.#state.digestHex())
    this.#state = sha256Stream()
    this.#left = this.#rows[this.#found.length] ?? 0
  }

  #closeEmpty(): void {
    while (this.#left === 0 && !this.#isLast()) this.#close()
  }
}

/** With the search_path that applications begin with; what the SQL changes is undone. @throws BackupError RESTORE_MISMATCH */
export async function runChecks(client: PgClient, checks: readonly SqlCheck[], inTransaction: boolean): Promise<void> {
  if (checks.length === 0) return
  await client.query(`${inTransaction ? 'SAVEPOINT holdfast_checks' : 'BEGIN'}; SET LOCAL search_path TO DEFAULT`)
  for (const check of checks) await runCheck(client, check)
  await client.query(inTransaction ? 'ROLLBACK TO SAVEPOINT holdfast_checks' : 'ROLLBACK')
}

async function runCheck(client: PgClient, { name, sql, expect }: SqlCheck): Promise<void> {
  const value = await resultOf(client, name, sql)
  if (asText(value) === asText(expect)) return
  throw new BackupError('RESTORE_MISMATCH', `check '${name}' gave ${asText(value)}, not ${asText(expect)}`, {
    origin: 'sink',
    details: { check: name, value: asText(value), expected: asText(expect) },
    hint: 'The snapshot does not hold what the check expects: look into it, or choose another snapshot',
  })
}

async function resultOf(client: PgClient, name: string, sql: string): Promise<unknown> {
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql)
    return Object.values(rows[0] ?? {})[0]
  } catch (error) {
    throw sinkError(error, `check '${name}'`, { check: name })
  }
}

function asText(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  return typeof value === 'object' && !(value instanceof Date) ? JSON.stringify(value) : String(value)
}

function mismatch({ target, entry }: TableToRestore, what: string): BackupError {
  return new BackupError('RESTORE_MISMATCH', `${target.schema}.${target.name}: ${what}`, {
    origin: 'sink',
    details: { path: entry.path, table: `${target.schema}.${target.name}` },
    hint: 'Nothing was changed. Run verify on the snapshot, then restore again',
  })
}
