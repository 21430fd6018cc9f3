/** Which rows of a table differ between two snapshots, by its primary key. */
import type { Json } from '../../../errors.ts'
import { BackupError } from '../../../errors.ts'
import { mergeRows } from './merge-rows.ts'
import { partitionRows } from './partition-rows.ts'
import { type RowSide, RowTable } from './row-table.ts'

export interface RowChange {
  type: 'added' | 'modified' | 'deleted'
  /** Values of the primary key's columns, as Postgres prints them. */
  key: Readonly<Record<string, string | null>>
  /** The row in the base snapshot, by column; absent when added. */
  before?: Readonly<Record<string, string | null>>
  /** The row in the head snapshot; absent when deleted. */
  after?: Readonly<Record<string, string | null>>
}

export interface DiffRowsOptions<Ref = string> {
  base: Ref
  head: Ref
  /** `<source>/<schema>/<table>`. */
  table: string
  signal?: AbortSignal
}

/** The part of a `BackupEngine` that this needs. */
export interface RowEngine<Ref> {
  entries(options: { snapshot: Ref; path: string; signal?: AbortSignal }): AsyncIterable<RowEntry>
  read(options: { snapshot: Ref; path: string; signal?: AbortSignal }): Promise<AsyncIterable<Uint8Array>>
}

export interface RowEntry {
  readonly path: string
  readonly type: string
  readonly size: number
  readonly facts: Readonly<Record<string, Json>>
}

/**
 * Rows added, modified and deleted. Ranges that are equal on both sides are not read. Where both sides lie in the order of
 * an integer or uuid key, the two are merged as they stream, in key order; else they are matched in as many passes as it
 * takes to hold 64 MiB at a time, in no order.
 * @throws BackupError ENTRY_NOT_FOUND: neither snapshot has the table; INVALID_OPTIONS: it has no primary key, or not the same
 */
export async function* diffRows<Ref>(engine: RowEngine<Ref>, options: DiffRowsOptions<Ref>): AsyncGenerator<RowChange> {
  const { base, head, table, signal } = options
  const [before, after] = await Promise.all([
    RowTable.open(engine, base, table, signal),
    RowTable.open(engine, head, table, signal),
  ])
  const known = after ?? before
  if (!known) throw notFound(table)
  const key = keyOf(before, after, table)
  const [left, right] = differingSides(before, after)
  const isMerged = [before, after].every((each) => each === undefined || each.isOrderedBy(key))
  yield* isMerged ? mergeRows(left, right, key) : partitionRows(left, right, key)
}

/** Ranges of the same content on both sides hold the same rows, so neither side needs to be read. */
function differingSides(before: RowTable | undefined, after: RowTable | undefined): [RowSide | null, RowSide | null] {
  const sameColumns = before?.columns.join('\t') === after?.columns.join('\t')
  const common = sameColumns ? commonHashes(before, after) : new Set<string>()
  return [before?.side(common) ?? null, after?.side(common) ?? null]
}

function commonHashes(before: RowTable | undefined, after: RowTable | undefined): Set<string> {
  const known = new Set(before?.hashes)
  return new Set((after?.hashes ?? []).filter((hash) => known.has(hash)))
}

function keyOf(before: RowTable | undefined, after: RowTable | undefined, table: string): readonly string[] {
  const key = (after ?? before)!.primaryKey
  const same = !before || !after || before.primaryKey.join('\t') === after.primaryKey.join('\t')
  if (key.length > 0 && same) return key
  const why = key.length === 0 ? 'has no primary key' : 'has another primary key than before'
  throw new BackupError('INVALID_OPTIONS', `Rows of ${table} cannot be compared: the table ${why}.`, {
    origin: 'usage',
    details: { table },
    hint: 'engine.diff() says which ranges of it differ.',
  })
}

function notFound(table: string): BackupError {
  return new BackupError('ENTRY_NOT_FOUND', `Neither snapshot has a table ${JSON.stringify(table)}.`, {
    origin: 'usage',
    details: { path: table },
    hint: 'Tables are named <source>/<schema>/<table>: list the entries of the source.',
  })
}
