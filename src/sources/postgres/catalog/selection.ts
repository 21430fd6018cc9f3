/** Which tables and sequences belong to the backup: the same ones that pg_dump picks by the same patterns. */
import { BackupError } from '../../../errors.ts'
import type { PgClient } from '../connection.ts'
import type { PatternFilter } from '../options.ts'
import { matchRelations, matchSchemas } from './patterns.ts'
import type { Unfitting } from './unfitting.ts'

/** The patterns of the options, as oids of one database at one moment. */
export interface Selection {
  readonly schemas: ReadonlySet<string> | undefined
  readonly excludedSchemas: ReadonlySet<string>
  readonly tables: ReadonlySet<string> | undefined
  readonly excludedTables: ReadonlySet<string>
  readonly withoutData: ReadonlySet<string>
  /** SQL of rows by oid of the table. */
  readonly where: ReadonlyMap<string, string>
  readonly unfitting: readonly Unfitting[]
}

/** Must run with the search path of the role: a pattern without a schema means what that path shows. */
export async function resolveSelection(
  client: PgClient,
  filter: PatternFilter,
  where: Readonly<Record<string, string>>,
  mayBeEmpty = true,
): Promise<Selection> {
  const schemas = filter.schemas.length > 0 ? await matchSchemas(client, filter.schemas) : undefined
  const tables = filter.tables.length > 0 ? await matchRelations(client, filter.tables) : undefined
  if (schemas?.size === 0 && !mayBeEmpty) throw nothingFits('schemas', filter.schemas)
  if (tables?.size === 0 && !mayBeEmpty) throw nothingFits('tables', filter.tables)
  const unfitting: Unfitting[] = []
  const leftOut = async (option: Exclude<Unfitting['option'], 'where'>): Promise<Set<string>> => {
    const match = option === 'excludeSchemas' ? matchSchemas : matchRelations
    return await matchEach(
      filter[option],
      (pattern) => match(client, [pattern]),
      (pattern) => unfitting.push({ option, pattern }),
    )
  }
  return {
    schemas,
    excludedSchemas: await leftOut('excludeSchemas'),
    tables,
    excludedTables: await leftOut('excludeTables'),
    withoutData: await leftOut('excludeTableData'),
    where: await conditionsOf(client, where, unfitting),
    unfitting,
  }
}

async function matchEach(
  patterns: readonly string[],
  match: (pattern: string) => Promise<Set<string>>,
  fitsNothing: (pattern: string) => void,
): Promise<Set<string>> {
  const all = new Set<string>()
  for (const pattern of patterns) {
    const found = await match(pattern)
    if (found.size === 0) fitsNothing(pattern)
    for (const oid of found) all.add(oid)
  }
  return all
}

const PARTITIONS = `
  SELECT p.relid::pg_catalog.oid::text AS oid FROM pg_catalog.unnest($1::oid[]) AS root(oid)
  CROSS JOIN LATERAL pg_catalog.pg_partition_tree(root.oid) AS p`

/** The rows of a partitioned table are in its partitions; one that is named itself has its own condition. */
async function conditionsOf(
  client: PgClient,
  where: Readonly<Record<string, string>>,
  unfitting: Unfitting[],
): Promise<ReadonlyMap<string, string>> {
  const own = new Map<string, string>()
  const inherited = new Map<string, string>()
  for (const [pattern, sql] of Object.entries(where)) {
    const oids = [...(await matchRelations(client, [pattern]))]
    if (oids.length === 0) unfitting.push({ option: 'where', pattern })
    for (const oid of oids) own.set(oid, sql)
    const { rows } = await client.query<{ oid: string }>(PARTITIONS, [oids])
    for (const { oid } of rows) inherited.set(oid, sql)
  }
  return new Map([...inherited, ...own])
}

/** As pg_dump, which is not asked with `dataOnly`: an empty backup would look like one that was made. */
function nothingFits(option: 'schemas' | 'tables', patterns: readonly string[]): BackupError {
  return new BackupError('SOURCE_NOT_FOUND', `no ${option} fit ${patterns.join(', ')}`, {
    origin: 'source',
    details: { option, patterns },
    hint: 'Patterns are as in psql: upper case in double quotes, and without a schema only what the search path shows',
  })
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
