/** The tables of one database, with what a backup needs to know of each. */
import type { PgClient } from '../connection.ts'
import { isSelected, type Selection } from './selection.ts'

export interface Column {
  readonly name: string
  readonly type: string
  /** 's' stored, 'v' virtual: computed by the server, so not copied. */
  readonly generated: '' | 's' | 'v'
  /** 'a' always, 'd' by default. */
  readonly identity: '' | 'a' | 'd'
}

export interface KeyColumn {
  readonly name: string
  /** As in pg_type: 'int8', 'timestamptz', … */
  readonly type: string
}

export interface Table {
  readonly oid: string
  readonly schema: string
  readonly schemaOid: string
  readonly name: string
  /** 'r' table, 'p' partitioned, 'm' materialised view, 'f' foreign table. */
  readonly kind: 'r' | 'p' | 'm' | 'f'
  readonly unlogged: boolean
  readonly columns: readonly Column[]
  /** The primary key, or else a unique index over columns that are never null. */
  readonly key: readonly KeyColumn[]
  readonly partitionOf: string | null
  /**
   * Where its rows have to be put in, instead of itself: partitions by the hash of an enum are others in another database,
   * since the hash is of the value's oid. pg_dump does the same.
   */
  readonly loadVia: { readonly schema: string; readonly name: string } | null
  readonly relfilenode: string
  readonly estimatedRows: number
  /** Heap and TOAST. */
  readonly sizeBytes: number
  /** Of the heap, in pages. */
  readonly pages: number
  /** The extension whose configuration the table holds. */
  readonly extension: string | null
  readonly where: string | null
  readonly withoutData: boolean
}

const COLUMNS = `
  SELECT a.attrelid, pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'generated', a.attgenerated, 'identity', a.attidentity) ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT oid FROM chosen) GROUP BY 1`

const KEYS = `
  SELECT DISTINCT ON (i.indrelid) i.indrelid, (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', t.typname) ORDER BY k.place)
      FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE k.place <= i.indnkeyatts) AS key
  FROM pg_catalog.pg_index i
  WHERE i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND i.indrelid IN (SELECT oid FROM chosen) AND NOT EXISTS (
      SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
  ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, i.indexrelid`

/** Tables of extensions are made by CREATE EXTENSION; of those that it marks as configuration, the rows are kept. */
const TABLES = `
  WITH config AS (
    SELECT pg_catalog.unnest(e.extconfig) AS oid, pg_catalog.unnest(e.extcondition) AS condition, e.extname FROM pg_catalog.pg_extension e
  ), chosen AS MATERIALIZED (
    SELECT c.*, n.nspname, x.extname, x.condition FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN config x ON x.oid = c.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_(toast|temp_)' AND (x.oid IS NOT NULL OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'))
  ), cols AS (${COLUMNS}), keys AS (${KEYS})
  SELECT c.oid::text AS oid, c.nspname AS schema, c.relnamespace::text AS "schemaOid", c.relname AS name, c.relkind AS kind,
    c.relpersistence = 'u' AS unlogged, coalesce(cols.columns, '[]') AS columns, coalesce(keys.key, '[]') AS key,
    (SELECT pn.nspname || '.' || p.relname FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
      JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE h.inhrelid = c.oid AND c.relispartition) AS "partitionOf",
    (SELECT pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname) FROM pg_catalog.pg_class r
      JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace WHERE c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid) AND EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a(relid) JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = a.relid
        JOIN pg_catalog.pg_opclass o ON o.oid = ANY (p.partclass) WHERE p.partstrat = 'h' AND o.opcname = 'enum_ops')) AS "loadVia",
    c.relfilenode::text AS relfilenode, greatest(c.reltuples, 0)::float8 AS "estimatedRows",
    :size AS "sizeBytes", :pages AS pages,
    c.extname AS extension, c.condition
  FROM chosen c LEFT JOIN cols ON cols.attrelid = c.oid LEFT JOIN keys ON keys.indrelid = c.oid
  ORDER BY c.nspname, c.relname`

const OF_TABLES = "CASE WHEN c.relkind = 'r' THEN coalesce(pg_catalog.pg_:f(c.oid), 0) ELSE 0 END::float8"
const SIZE = OF_TABLES.replace(':f', 'table_size')
const PAGES = `${OF_TABLES.replace(':f', 'relation_size')} / pg_catalog.current_setting('block_size')::int`

type Row = Omit<Table, 'where' | 'withoutData'> & { condition: string | null }

/**
 * Must run with an empty search path, so that types are named alike for everybody. Sizes only of tables that are locked:
 * to look at the size of one that somebody rewrites means to wait for them.
 */
export async function listTables(client: PgClient, selection: Selection, sizes: boolean): Promise<Table[]> {
  const sql = TABLES.replace(':size', sizes ? SIZE : '0').replace(':pages', sizes ? PAGES : '0')
  const { rows } = await client.query<Row>(sql)
  return rows.filter((row) => isSelected(selection, row)).map((row) => tableOf(row, selection))
}

function tableOf({ condition, ...row }: Row, selection: Selection): Table {
  const own = selection.where.get(row.oid)
  // The extension's own condition is a whole clause: 'WHERE NOT is_default'.
  const ofExtension = condition ? condition.replace(/^\s*where\b/i, '') : undefined
  const both = [own, ofExtension].filter((sql) => sql !== undefined).map((sql) => `(${sql}\n)`)
  return {
    ...row,
    where: both.length > 0 ? both.join(' AND ') : null,
    withoutData: selection.withoutData.has(row.oid),
  }
}
