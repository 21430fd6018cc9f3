/** Large objects: what they hold as ranges of pages, and a script that makes them with owner, rights and comment. */
import type { Table } from './catalog/tables.ts'
import type { PgClient } from './connection.ts'
import { quoteIdent, quoteLiteral } from './names.ts'
import type { PostgresSettings } from './options.ts'
import type { Range } from './ranges.ts'
import type { Lead } from './snapshot-lead.ts'

export interface LargeObjects {
  readonly count: number
  /** Stands for them where ranges are planned: cut by oid. */
  readonly table: Table
  /** May read pg_largeobject, as superusers may; others ask for each object by itself. */
  readonly direct: boolean
}

const OVERVIEW = `
  SELECT (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)::float8 AS count,
    pg_catalog.pg_table_size('pg_catalog.pg_largeobject')::float8 AS bytes,
    (pg_catalog.pg_relation_size('pg_catalog.pg_largeobject_metadata') / pg_catalog.current_setting('block_size')::int)::float8 AS pages,
    pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') AS direct`

export async function lookAtLargeObjects(client: PgClient): Promise<LargeObjects | undefined> {
  const { rows } = await client.query<{ count: number; bytes: number; pages: number; direct: boolean }>(OVERVIEW)
  const { count, bytes, pages, direct } = rows[0]!
  if (count === 0) return undefined
  const table: Table = {
    oid: '0',
    schema: 'pg_catalog',
    schemaOid: '0',
    name: 'pg_largeobject_metadata',
    kind: 'r',
    unlogged: false,
    columns: [],
    key: [{ name: 'oid', type: 'oid' }],
    partitionOf: null,
    loadVia: null,
    relfilenode: '0',
    estimatedRows: count,
    sizeBytes: bytes,
    pages,
    extension: null,
    where: null,
    withoutData: false,
  }
  return { count, table, direct }
}

/** Lines of oid, page number, bytes. A page is 2048 bytes; pages that are not stored are zeros. */
export function largeObjectStatement(direct: boolean, { lower, upper }: Range): string {
  const column = direct ? 'loid' : 'm.oid'
  const conditions = [
    ...(lower === null ? [] : [`${column} >= ${quoteLiteral(String(lower))}`]),
    ...(upper === null ? [] : [`${column} < ${quoteLiteral(String(upper))}`]),
  ]
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
  if (direct) {
    return `COPY (SELECT loid, pageno, data FROM pg_catalog.pg_largeobject${where} ORDER BY loid, pageno) TO STDOUT`
  }
  return `COPY (SELECT o.oid, p.n, pg_catalog.lo_get(o.oid, p.n * 2048, 2048) FROM (
    SELECT s.oid, s.size, pg_catalog.lo_close(s.fd) FROM (
      SELECT f.oid, f.fd, pg_catalog.lo_lseek64(f.fd, 0, 2) AS size FROM (
        SELECT m.oid, pg_catalog.lo_open(m.oid, 262144) AS fd FROM pg_catalog.pg_largeobject_metadata m${where} ORDER BY m.oid OFFSET 0
      ) f OFFSET 0) s OFFSET 0) o, LATERAL pg_catalog.generate_series(0, (o.size - 1) / 2048) AS p(n)
    WHERE o.size > 0) TO STDOUT`
}

const OBJECTS = `
  SELECT m.oid::text AS oid, pg_catalog.pg_get_userbyid(m.lomowner) AS owner, pg_catalog.obj_description(m.oid, 'pg_largeobject') AS comment,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('to', CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
      'right', a.privilege_type, 'grantable', a.is_grantable) ORDER BY a.grantee, a.privilege_type)
      FROM pg_catalog.aclexplode(m.lomacl) a) AS acl
  FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid > $1::pg_catalog.oid ORDER BY m.oid LIMIT 5000`

interface ObjectRow {
  readonly oid: string
  readonly owner: string
  readonly comment: string | null
  readonly acl: readonly { to: string | null; right: string; grantable: boolean }[] | null
}

export async function* largeObjectsScript(
  lead: Lead,
  settings: PostgresSettings,
): AsyncGenerator<Uint8Array, void, undefined> {
  let last = '0'
  for (;;) {
    const { rows } = await lead.use((client) => client.query<ObjectRow>(OBJECTS, [last]))
    if (rows.length === 0) return
    last = rows.at(-1)!.oid
    yield new TextEncoder().encode(rows.map((row) => statementsOf(row, settings)).join(''))
  }
}

function statementsOf({ oid, owner, comment, acl }: ObjectRow, settings: PostgresSettings): string {
  const lines = [`SELECT pg_catalog.lo_create('${oid}');`]
  if (!settings.noOwner) lines.push(`ALTER LARGE OBJECT ${oid} OWNER TO ${quoteIdent(owner)};`)
  if (acl !== null && !settings.noPrivileges) {
    lines.push(`REVOKE ALL ON LARGE OBJECT ${oid} FROM ${quoteIdent(owner)};`)
    for (const { to, right, grantable } of acl) {
      const role = to === null ? 'PUBLIC' : quoteIdent(to)
      lines.push(`GRANT ${right} ON LARGE OBJECT ${oid} TO ${role}${grantable ? ' WITH GRANT OPTION' : ''};`)
    }
  }
  if (comment !== null) lines.push(`COMMENT ON LARGE OBJECT ${oid} IS ${quoteLiteral(comment).trim()};`)
  return lines.map((line) => `${line}\n`).join('')
}
