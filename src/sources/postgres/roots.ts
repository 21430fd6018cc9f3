/** Partitioned tables that are chosen without a single partition: as with pg_dump, that is a table without rows. */
import type { SourceContext } from '../source.ts'
import type { Table } from './catalog/tables.ts'
import { quoteQualified } from './names.ts'
import type { Lead } from './snapshot-lead.ts'

const WITH_PARTITIONS = `
  SELECT oid::text AS oid FROM pg_catalog.unnest($1::oid[]) AS oid
  WHERE EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = oid)`

export async function warnOfRoots(lead: Lead, warn: SourceContext['warn']): Promise<void> {
  const parents = new Set(lead.tables.map(({ partitionOf }) => partitionOf))
  const bare = lead.tables.filter(({ kind, schema, name }) => kind === 'p' && !parents.has(`${schema}.${name}`))
  if (bare.length === 0) return
  const oids = bare.map(({ oid }) => oid)
  const { rows } = await lead.use((client) => client.query<{ oid: string }>(WITH_PARTITIONS, [oids]))
  for (const table of bare.filter(({ oid }) => rows.some((row) => row.oid === oid))) warn(findingOf(table))
}

function findingOf({ schema, name }: Table): Parameters<SourceContext['warn']>[0] {
  const table = quoteQualified(schema, name)
  const message = `${table} is partitioned, and none of its partitions is chosen: none of its rows is stored`
  return { code: 'SOURCE_FINDING', message, details: { table: `${schema}.${name}` } }
}
