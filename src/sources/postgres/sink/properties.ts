/** What belongs to a database and not to what is in it: owner, rights, settings, comment, limit of connections. */
import type { Json } from '../../../errors.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteLiteral } from '../names.ts'

export interface DatabaseProperties {
  readonly owner: string | null
  /** As Postgres writes an access right: `app=CTc/postgres`; null: the default rights. */
  readonly acl: readonly string[] | null
  readonly comment: string | null
  readonly connectionLimit: number
  readonly tablespace: string | null
  /** `role` null: for all. `setting` are texts such as `work_mem=64MB`. */
  readonly settings: readonly { readonly role: string | null; readonly setting: readonly string[] }[]
}

/** Of a database that is there; null where it is not. */
export async function readProperties(client: PgClient, name: string): Promise<DatabaseProperties | null> {
  const { rows } = await client.query<Omit<DatabaseProperties, 'settings'> & { oid: string }>(
    `SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datacl::text[] AS acl, t.spcname AS tablespace,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment, d.datconnlimit AS "connectionLimit"
     FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`,
    [name],
  )
  const found = rows[0]
  if (found === undefined) return null
  const { rows: settings } = await client.query<{ role: string | null; setting: string[] }>(
    `SELECT r.rolname AS role, s.setconfig AS setting FROM pg_catalog.pg_db_role_setting s
     LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = $1 ORDER BY r.rolname NULLS FIRST`,
    [found.oid],
  )
  const { owner, acl, tablespace, comment, connectionLimit } = found
  return { owner, acl, tablespace, comment, connectionLimit, settings }
}

/** As the snapshot has them: for a database that is not there yet. */
export function propertiesOfFacts(facts: Readonly<Record<string, Json>>): DatabaseProperties {
  const text = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)
  const settings = Array.isArray(facts.settings) ? (facts.settings as Readonly<Record<string, Json>>[]) : []
  return {
    owner: text(facts.owner),
    acl: aclOf(facts.acl),
    comment: text(facts.comment),
    connectionLimit: -1,
    tablespace: null,
    settings: settings.map(({ role, setting }) => ({
      role: text(role) === '' ? null : text(role),
      setting: Array.isArray(setting) ? setting.map(String) : [],
    })),
  }
}

function aclOf(value: Json | undefined): string[] | null {
  return Array.isArray(value) ? value.map(String) : null
}

export interface PropertyRules {
  readonly noOwner: boolean
  readonly noPrivileges: boolean
}

export interface PropertyStatement {
  readonly sql: string
  /** Name of the setting. What the role may not set is left out, and said: the database is the same without. */
  readonly setting?: string
}

/** Statements that give `name` these properties. Run in one transaction with the renames. */
export async function propertyStatements(
  client: PgClient,
  name: string,
  properties: DatabaseProperties,
  rules: PropertyRules,
): Promise<PropertyStatement[]> {
  const database = quoteIdent(name)
  const { owner, comment, connectionLimit, settings, acl } = properties
  const plain = (sql: string): PropertyStatement => ({ sql })
  const statements = [plain(`COMMENT ON DATABASE ${database} IS ${comment === null ? 'NULL' : quoteLiteral(comment)}`)]
  if (connectionLimit !== -1) statements.push(plain(`ALTER DATABASE ${database} CONNECTION LIMIT ${connectionLimit}`))
  for (const { role, setting } of settings) {
    const whom = role === null ? `DATABASE ${database}` : `ROLE ${quoteIdent(role)} IN DATABASE ${database}`
    statements.push(
      ...setting.map((one) => ({ sql: `ALTER ${whom} SET ${settingClause(one)}`, setting: settingName(one) })),
    )
  }
  if (!rules.noPrivileges && acl !== null) statements.push(...(await grantStatements(client, database, acl)).map(plain))
  if (!rules.noOwner && owner !== null)
    statements.push(plain(`ALTER DATABASE ${database} OWNER TO ${quoteIdent(owner)}`))
  return statements
}

/** Their values are lists of names, quoted one by one: as one literal they would be one name. */
const LISTS =
  /^(local_preload_libraries|search_path|session_preload_libraries|shared_preload_libraries|temp_tablespaces|unix_socket_directories)$/i

export function settingName(setting: string): string {
  return setting.slice(0, setting.indexOf('='))
}

function settingClause(setting: string): string {
  const at = setting.indexOf('=')
  const [name, value] = [setting.slice(0, at), setting.slice(at + 1)]
  const quotedName = name.split('.').map(quoteIdent).join('.')
  const values = LISTS.test(name) ? listItems(value).map(quoteLiteral).join(', ') : quoteLiteral(value)
  return `${quotedName} TO ${values === '' ? "''" : values}`
}

function listItems(value: string): string[] {
  const items = value.match(/"(?:[^"]|"")*"|[^,\s][^,]*/g) ?? []
  return items.map((item) => (item.startsWith('"') ? item.slice(1, -1).replaceAll('""', '"') : item.trim()))
}

/** The server itself takes the rights apart. Roles that are gone are left out. */
async function grantStatements(client: PgClient, database: string, acl: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ grantee: string | null; privilege: string; grantable: boolean }>(
    `SELECT r.rolname AS grantee, a.privilege_type AS privilege, a.is_grantable AS grantable
     FROM pg_catalog.aclexplode($1::text[]::aclitem[]) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
     WHERE a.grantee = 0 OR r.rolname IS NOT NULL`,
    [acl],
  )
  const grants = rows.map(({ grantee, privilege, grantable }) => {
    const whom = grantee === null ? 'PUBLIC' : quoteIdent(grantee)
    return `GRANT ${privilege} ON DATABASE ${database} TO ${whom}${grantable ? ' WITH GRANT OPTION' : ''}`
  })
  return [`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`, ...grants]
}
