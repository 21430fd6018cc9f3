/** Names of the database: as segments of entry paths, and quoted for SQL. */
import { BackupError } from '../../errors.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not stand in a path
const UNSAFE = /[\x00-\x1f\x7f%/]|^\./g

/**
 * A schema, table or database name as one segment of a path: '/', '%', control characters and a leading '.' are
 * percent-encoded; an empty name is '%'. Every other character stays, so most names read as they are.
 */
export function encodeName(name: string): string {
  if (name === '') return '%'
  return name.replace(UNSAFE, (unsafe) => `%${unsafe.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`)
}

/** The inverse of `encodeName`. @throws BackupError INVALID_OPTIONS for what it never gives */
export function decodeName(segment: string): string {
  if (segment === '%') return ''
  if (/%(?![0-9A-F]{2})/.test(segment)) {
    throw new BackupError('INVALID_OPTIONS', `'${segment}' is not an encoded name`, {
      origin: 'usage',
      details: { segment },
    })
  }
  return segment.replace(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** An identifier for SQL, always in double quotes. */
export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `"schema"."name"`. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`
}

/** A string for SQL, safe whatever `standard_conforming_strings` is. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** Folder of a table's entries, below the prefix of its database ('' or 'name/'). */
export function tablePath(prefix: string, schema: string, name: string): string {
  return `${prefix}${encodeName(schema)}/${encodeName(name)}`
}

/** Name of the n-th range of a table or of the large objects; the first is 1. */
export function rangeFile(number: number): string {
  return `${String(number).padStart(6, '0')}.copy`
}
