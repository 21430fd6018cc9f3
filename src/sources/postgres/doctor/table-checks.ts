/** What in a database cannot be read, or is not read as users may think. */
import { type Check, nameList, namesCheck } from './check.ts'

const USER_TABLES = `
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')`
const NAME = `pg_catalog.format('%I.%I', n.nspname, c.relname) AS name`

const unreadable = namesCheck(
  `SELECT ${NAME} ${USER_TABLES} AND c.relkind IN ('r', 'p', 'm', 'S')
     AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 1`,
  (names) => ({
    code: 'TABLE_DENIED',
    severity: 'error',
    message: `This role may not read ${nameList(names)}.`,
    fix: 'GRANT pg_read_all_data TO the role (Postgres 14 and newer), or grant SELECT, or exclude them.',
  }),
)

const hiddenSchemas = namesCheck(
  `SELECT n.nspname AS name FROM pg_catalog.pg_namespace n
   WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
     AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1`,
  (names) => ({
    code: 'SCHEMA_DENIED',
    severity: 'error',
    message: `This role may not use the schemas ${nameList(names)}.`,
    fix: 'GRANT USAGE ON SCHEMA to the role, or list them in excludeSchemas.',
  }),
)

/** row_security = off makes reading such a table fail, instead of giving some of its rows. */
const rowSecurity = namesCheck(
  `SELECT ${NAME} ${USER_TABLES} AND c.relkind IN ('r', 'p') AND c.relrowsecurity
     AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)
     AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')) ORDER BY 1`,
  (names) => ({
    code: 'ROW_SECURITY',
    severity: 'error',
    message: `Row-level security would hide rows of ${nameList(names)} from this role; a backup refuses to read them.`,
    fix: 'ALTER ROLE … BYPASSRLS, or back up as the owner of the tables.',
  }),
)

const unlogged = namesCheck(
  `SELECT ${NAME} ${USER_TABLES} AND c.relkind = 'r' AND c.relpersistence = 'u' ORDER BY 1`,
  (names) => ({
    code: 'UNLOGGED_TABLE',
    severity: 'info',
    message: `Unlogged tables are empty after a crash of the server, and on a standby: ${nameList(names)}.`,
    fix: 'ALTER TABLE … SET LOGGED where their rows matter.',
  }),
)

const foreign = namesCheck(`SELECT ${NAME} ${USER_TABLES} AND c.relkind = 'f' ORDER BY 1`, (names) => ({
  code: 'FOREIGN_TABLE',
  severity: 'info',
  message: `Rows of foreign tables lie elsewhere and are not backed up: ${nameList(names)}.`,
  fix: 'Back up the server that holds them.',
}))

/** Without a key neither a row order that dedups nor a diff by row is possible. */
const keyless = namesCheck(
  `SELECT ${NAME} ${USER_TABLES} AND c.relkind = 'r' AND c.relpages > 12800
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) ORDER BY 1`,
  (names) => ({
    code: 'NO_PRIMARY_KEY',
    severity: 'info',
    message: `Tables above 100 MB without a primary key are read as they lie on disk, and dedup less after a VACUUM: ${nameList(names)}.`,
    fix: 'Add a primary key.',
  }),
)

const largeObjects: Check = async ({ client, versionNum }) => {
  const { rows } = await client.query<{ count: string; denied: string }>(
    `SELECT count(*)::text AS count, count(*) FILTER (WHERE NOT (
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) OR pg_catalog.pg_has_role(lomowner, 'USAGE')
       OR EXISTS (SELECT FROM pg_catalog.aclexplode(lomacl) a WHERE a.privilege_type = 'SELECT'
                  AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))))::text AS denied
     FROM pg_catalog.pg_largeobject_metadata`,
  )
  const denied = Number(rows[0]!.denied)
  if (denied === 0) return []
  return [
    {
      code: 'LARGE_OBJECTS_DENIED',
      severity: 'error',
      message: `This role may not read ${denied} of ${rows[0]!.count} large objects.`,
      fix:
        versionNum >= 190000
          ? 'GRANT pg_read_all_data to it, or give largeObjects: false.'
          : 'Back up as their owner or a superuser, or give largeObjects: false.',
      details: { denied, count: Number(rows[0]!.count) },
    },
  ]
}

export const TABLE_CHECKS: readonly Check[] = [
  unreadable,
  hiddenSchemas,
  rowSecurity,
  unlogged,
  foreign,
  keyless,
  largeObjects,
]
