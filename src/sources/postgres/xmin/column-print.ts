/** A fingerprint of all that decides how a row of a table prints, beside the row itself. */
import type { PgClient } from '../connection.ts'

/** Types whose values print as names: renaming what they point to changes the text and no row. */
const BY_NAME = [
  'regproc',
  'regprocedure',
  'regoper',
  'regoperator',
  'regclass',
  'regtype',
  'regrole',
  'regnamespace',
  'regconfig',
  'regdictionary',
  'regcollation',
  'aclitem',
]

/**
 * Columns with their types and the values that older rows lack (a column added with a default writes no row); labels of
 * enums (a renamed one writes no row either), parts of composites, elements, all the way down; versions of the
 * extensions that types come from.
 */
const PRINTS = `
  WITH RECURSIVE used (rel, type) AS (
    SELECT attrelid, atttypid FROM pg_catalog.pg_attribute
    WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
    UNION
    SELECT u.rel, n.type FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.type CROSS JOIN LATERAL (
      SELECT t.typelem UNION ALL SELECT t.typbasetype
      UNION ALL SELECT rngsubtype FROM pg_catalog.pg_range WHERE t.oid IN (rngtypid, rngmultitypid)
      UNION ALL SELECT atttypid FROM pg_catalog.pg_attribute
        WHERE t.typrelid <> 0 AND attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
    ) n (type) WHERE n.type <> 0
  ), parts (rel, part) AS (
    SELECT attrelid, pg_catalog.format('column %s %s %s %s %s %s', attnum, attname, atttypid, atttypmod, attgenerated, attmissingval)
    FROM pg_catalog.pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT u.rel, pg_catalog.format('type %s %s %s %s %s', t.oid, t.typname, t.typoutput::oid, t.typtypmod, e.extversion)
    FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.type
    LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e'
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    UNION ALL
    SELECT u.rel, pg_catalog.format('label %s %s %s', e.enumtypid, e.oid, e.enumlabel)
    FROM used u JOIN pg_catalog.pg_enum e ON e.enumtypid = u.type
    UNION ALL
    SELECT u.rel, pg_catalog.format('field %s %s %s %s', a.attrelid, a.attnum, a.atttypid, a.atttypmod)
    FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.type AND t.typrelid <> 0
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  )
  SELECT rel::text AS oid, pg_catalog.md5(pg_catalog.string_agg(part, E'\\n' ORDER BY part COLLATE "C")) AS print,
    EXISTS (SELECT FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.type
            WHERE u.rel = parts.rel AND t.typname = ANY ($2::text[])) AS "byName"
  FROM parts GROUP BY rel`

/** By oid of the table. A table that is not in it prints in ways that no fingerprint tells, and must be read. */
export async function columnPrints(client: PgClient, oids: readonly string[]): Promise<Map<string, string>> {
  if (oids.length === 0) return new Map()
  const { rows } = await client.query<{ oid: string; print: string; byName: boolean }>(PRINTS, [oids, BY_NAME])
  return new Map(rows.filter(({ byName }) => !byName).map(({ oid, print }) => [oid, print]))
}
