/** What is kept about a database as a whole, and pg_dump leaves out. */
import type { Json } from '../../../errors.ts'
import type { PgClient } from '../connection.ts'

const DATABASE = `
  SELECT pg_catalog.to_jsonb(d.*) AS row, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
    pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datacl::text[] AS acl, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
    CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END::float8 AS size,
    (SELECT spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace,
    (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('role', r.rolname, 'setting', s.setconfig) ORDER BY r.rolname), '[]')
      FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid) AS settings,
    (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', e.extname, 'version', e.extversion, 'schema', n.nspname) ORDER BY e.extname), '[]')
      FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace) AS extensions,
    (SELECT coalesce(pg_catalog.json_agg(DISTINCT r.rolname), '[]') FROM pg_catalog.pg_roles r WHERE r.oid = d.datdba OR r.oid IN (
      SELECT refobjid FROM pg_catalog.pg_shdepend WHERE dbid IN (d.oid, 0) AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass)) AS roles,
    (SELECT coalesce(pg_catalog.json_agg(DISTINCT t.spcname), '[]') FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace OR t.oid IN (
      SELECT reltablespace FROM pg_catalog.pg_class WHERE reltablespace <> 0 AND NOT relisshared)) AS tablespaces
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`

type Values = Readonly<Record<string, Json>>

/** Names of columns of pg_database differ by version: `daticulocale` became `datlocale`. */
export async function readDatabaseFacts(client: PgClient): Promise<Values> {
  const { rows } = await client.query<{ row: Values } & Values>(DATABASE)
  const { row, size, ...facts } = rows[0]!
  const provider = row.datlocprovider ?? 'c'
  return {
    ...facts,
    name: row.datname!,
    collate: row.datcollate ?? null,
    ctype: row.datctype ?? null,
    provider: provider === 'i' ? 'icu' : provider === 'b' ? 'builtin' : 'libc',
    locale: row.datlocale ?? row.daticulocale ?? null,
    icuRules: row.daticurules ?? null,
    collationVersion: row.datcollversion ?? null,
    connectionLimit: row.datconnlimit ?? -1,
    sizeBytes: size ?? null,
  }
}
