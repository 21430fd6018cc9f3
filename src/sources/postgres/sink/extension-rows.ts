/**
 * Tables that CREATE EXTENSION makes and fills, with rows of the user among them (PostGIS: spatial_ref_sys). The snapshot holds
 * the user's rows only, by the extension's own condition: just these are replaced, the extension's own stay.
 */
import type { SinkReader } from '../../sink.ts'
import type { PgClient } from '../connection.ts'
import { quoteQualified } from '../names.ts'
import type { TableToRestore } from './layout.ts'
import { loadRange } from './load.ts'
import { sinkError } from './sql-error.ts'

export function isOfExtension({ entry }: Pick<TableToRestore, 'entry'>): boolean {
  return typeof entry.facts.extension === 'string'
}

/** What is true of the rows that the snapshot holds; '' where it holds all. */
export function ownRows(table: Pick<TableToRestore, 'entry'>): string {
  const { where } = table.entry.facts
  return isOfExtension(table) && typeof where === 'string' ? ` WHERE ${where}` : ''
}

export async function replaceOwnRows(client: PgClient, table: TableToRestore, reader: SinkReader): Promise<void> {
  const { schema, name } = table.target
  if (table.ranges.length > 0) {
    try {
      await client.query(`DELETE FROM ONLY ${quoteQualified(schema, name)}${ownRows(table)}`)
    } catch (error) {
      throw sinkError(error, `replacing rows of ${schema}.${name}`, { table: `${schema}.${name}` })
    }
    for (const range of table.ranges) await loadRange(client, { table, at: table.target }, range, reader)
  }
  reader.done(table.entry)
}
