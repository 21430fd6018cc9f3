/** Which tables and sequences belong to the backup: the same ones that pg_dump picks by the same patterns. */
import type { PgClient } from '../connection.ts'
import type { PatternFilter } from '../options.ts'
import { matchRelations, matchSchemas } from './patterns.ts'

/** The patterns of the options, as oids of one database at one moment. */
export interface Selection {
  readonly schemas: ReadonlySet<string> | undefined
  readonly excludedSchemas: ReadonlySet<string>
  readonly tables: ReadonlySet<string> | undefined
  readonly excludedTables: ReadonlySet<string>
  readonly withoutData: ReadonlySet<string>
  /** SQL of rows by oid of the table. */
  readonly where: ReadonlyMap<string, string>
}

/** Must run with the search path of the role: a pattern without a schema means what that path shows. */
export async function resolveSelection(
  client: PgClient,
  filter: PatternFilter,
  where: Readonly<Record<string, string>>,
): Promise<Selection> {
  const conditions = new Map<string, string>()
  for (const [pattern, sql] of Object.entries(where)) {
    for (const oid of await matchRelations(client, [pattern])) conditions.set(oid, sql)
  }
  return {
    schemas: filter.schemas.length > 0 ? await matchSchemas(client, filter.schemas) : undefined,
    excludedSchemas: await matchSchemas(client, filter.excludeSchemas),
    tables: filter.tables.length > 0 ? await matchRelations(client, filter.tables) : undefined,
    excludedTables: await matchRelations(client, filter.excludeTables),
    withoutData: await matchRelations(client, filter.excludeTableData),
    where: conditions,
  }
}

export function isSelected(
  selection: Selection,
  relation: { oid: string; schemaOid: string; schema: string },
): boolean {
  if (selection.excludedTables.has(relation.oid)) return false
  if (selection.tables !== undefined) return selection.tables.has(relation.oid)
  if (selection.excludedSchemas.has(relation.schemaOid)) return false
  if (selection.schemas !== undefined) return selection.schemas.has(relation.schemaOid)
  return !relation.schema.startsWith('pg_') && relation.schema !== 'information_schema'
}
