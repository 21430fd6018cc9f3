/** A text that changes whenever the schema of a database does, except by temporary tables. For seconds, on one server. */
import type { PgClient } from '../connection.ts'

/** What changes in pg_class by VACUUM, ANALYZE, TRUNCATE and the like, and no dump tells. */
const VOLATILE =
  'relfilenode,relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid,relhasindex,relhassubclass'

/** Catalogues of parts of relations, with the column that says of which. */
const PARTS = {
  pg_attribute: 'attrelid',
  pg_attrdef: 'adrelid',
  pg_constraint: 'conrelid',
  pg_foreign_table: 'ftrelid',
  pg_index: 'indrelid',
  pg_inherits: 'inhrelid',
  pg_partitioned_table: 'partrelid',
  pg_policy: 'polrelid',
  pg_publication_rel: 'prrelid',
  pg_rewrite: 'ev_class',
  pg_sequence: 'seqrelid',
  pg_statistic_ext: 'stxrelid',
  pg_trigger: 'tgrelid',
}

/**
 * Of these the transactions that wrote their rows are enough, and three times as fast as the rows: every change makes a
 * row of a new transaction or takes one away. (In pg_class it may be a change that does not matter.)
 */
const WHOLE = [
  'pg_aggregate',
  'pg_am',
  'pg_amop',
  'pg_amproc',
  'pg_cast',
  'pg_collation',
  'pg_conversion',
  'pg_default_acl',
  'pg_description',
  'pg_enum',
  'pg_event_trigger',
  'pg_extension',
  'pg_foreign_data_wrapper',
  'pg_foreign_server',
  'pg_init_privs',
  'pg_language',
  'pg_opclass',
  'pg_operator',
  'pg_opfamily',
  'pg_proc',
  'pg_publication',
  'pg_range',
  'pg_seclabel',
  'pg_transform',
  'pg_ts_config',
  'pg_ts_config_map',
  'pg_ts_dict',
  'pg_ts_parser',
  'pg_ts_template',
]

const hashOf = (text: string): string => `pg_catalog.sum(pg_catalog.hashtextextended(${text}, 0))`
const FIRST_OF_USERS = 16_384

const SQL = `
  WITH rel AS MATERIALIZED (
    SELECT c.* FROM pg_catalog.pg_class c WHERE c.relpersistence <> 't' AND c.oid >= ${FIRST_OF_USERS} AND c.relkind <> 't'
  ), spaces AS MATERIALIZED (
    SELECT n.* FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp_'
  )
  SELECT pg_catalog.concat_ws('/',
    (SELECT ${hashOf(`(pg_catalog.to_jsonb(r.*) - '{${VOLATILE}}'::text[])::text`)} FROM rel r),
    (SELECT ${hashOf('s::text')} FROM spaces s),
    (SELECT ${hashOf('t::text')} FROM pg_catalog.pg_type t WHERE t.typnamespace IN (SELECT oid FROM spaces) AND t.oid >= ${FIRST_OF_USERS}),
    ${Object.entries(PARTS)
      .map(([name, column]) => `(SELECT ${hashOf('p::text')} FROM pg_catalog.${name} p WHERE ${ofUsers(name, column)})`)
      .join(',\n    ')},
    ${WHOLE.map((name) => `(SELECT ${hashOf('w.xmin::text')} FROM pg_catalog.${name} w)`).join(',\n    ')}
  ) AS print`

function ofUsers(name: string, column: string): string {
  const ofRelation = `p.${column} IN (SELECT oid FROM rel)`
  // Constraints of domains belong to no relation.
  return name === 'pg_constraint' ? `(p.conrelid = 0 OR ${ofRelation})` : ofRelation
}

export async function schemaFingerprint(client: PgClient): Promise<string> {
  const { rows } = await client.query<{ print: string }>(SQL)
  return rows[0]!.print
}
