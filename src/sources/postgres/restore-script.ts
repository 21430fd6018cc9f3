/** The script for psql that loads a database out of a restored folder, so that nobody needs this package for it. */
import type { Table } from './catalog/tables.ts'
import { quoteIdent, quoteQualified, rangeFile, tablePath } from './names.ts'
import { copyEncoding } from './ranges.ts'
import { MONETARY, rowEncoding } from './session-pins.ts'

export interface ScriptPart {
  readonly table: Table
  readonly ranges: number
}

export interface ScriptParts {
  readonly encoding: string
  readonly schema: boolean
  readonly tables: readonly ScriptPart[]
  /** Ranges of large objects. */
  readonly largeObjects: number
}

const HEAD = `-- Loads this database into an empty one. Run it in the folder that holds "pg_dump":
--   createdb --template=template0 NAME && psql --dbname=NAME --file=pg_dump/restore.sql
-- Roles and tablespaces come first, once for a server: psql --dbname=postgres --file=pg_dump/globals.sql
\\set ON_ERROR_STOP on
`

export function restoreScript(parts: ScriptParts): string {
  const encoding = parts.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'
  const lines = [
    `SET lc_monetary = '${MONETARY}';`,
    ...(parts.schema ? ['\\ir pre-data.sql'] : []),
    `SET client_encoding = '${encoding}';`,
    'SET row_security = off;',
    'SET array_nulls = on;',
    ...parts.tables.flatMap(({ table, ranges }) => copies(table, ranges, rowEncoding(parts.encoding))),
    ...largeObjects(parts.largeObjects),
    '\\ir sequences.sql',
    ...(parts.schema ? ['\\ir post-data.sql'] : []),
    // Before anybody's right to call the functions of indexes is taken away.
    'ANALYZE;',
    ...(parts.schema ? ['\\ir privileges.sql'] : []),
  ]
  return `${HEAD}${lines.join('\n')}\n`
}

function copies(table: Table, ranges: number, encoding: string | undefined): string[] {
  const columns = table.columns.filter(({ generated }) => generated === '').map(({ name }) => quoteIdent(name))
  const list = columns.length > 0 ? ` (${columns.join(', ')})` : ''
  const folder = tablePath('', table.schema, table.name)
  const into = quoteQualified((table.loadVia ?? table).schema, (table.loadVia ?? table).name)
  const files = Array.from({ length: ranges }, (_, index) => `${folder}/${rangeFile(index + 1)}`.replaceAll("'", "''"))
  // A command of psql ends with its line, whatever quotes are open.
  if (/[\r\n]/.test(into + list)) return files.flatMap((file) => copyThrough(into, columns, file, encoding))
  return files.map((file) => `\\copy ${into}${list} from '${file}'${copyEncoding(encoding)}`)
}

/** Rows go through a table whose names have no line feed. */
function copyThrough(into: string, columns: readonly string[], file: string, encoding: string | undefined): string[] {
  const renamed = columns.map((column, index) => `${column} AS c${index}`)
  return [
    `CREATE TEMPORARY TABLE holdfast_rows AS SELECT ${renamed.join(', ')} FROM ${into} LIMIT 0;`,
    `\\copy pg_temp.holdfast_rows from '${file}'${copyEncoding(encoding)}`,
    `INSERT INTO ${into} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE SELECT * FROM pg_temp.holdfast_rows;`,
    'DROP TABLE pg_temp.holdfast_rows;',
  ]
}

function largeObjects(ranges: number): string[] {
  if (ranges === 0) return []
  const files = Array.from({ length: ranges }, (_, index) => rangeFile(index + 1))
  return [
    '\\ir ../pg_largeobject/objects.sql',
    'CREATE TEMPORARY TABLE holdfast_pages (loid oid, pageno bigint, data bytea);',
    ...files.map((file) => `\\copy pg_temp.holdfast_pages from 'pg_largeobject/${file}'`),
    'SELECT count(pg_catalog.lo_put(loid, pageno * 2048, data)) FROM pg_temp.holdfast_pages;',
    'DROP TABLE pg_temp.holdfast_pages;',
  ]
}
