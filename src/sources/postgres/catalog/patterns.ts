/** Patterns of names as psql and pg_dump read them, as conditions of the catalogue. */
import type { PgClient } from '../connection.ts'

/** Each part as a regular expression of Postgres for the whole name. */
export interface NamePattern {
  readonly schema?: string
  readonly name: string
}

/**
 * Letters become lower case, `*` is any characters, `?` is one, '.' stands between schema and name; in double quotes all
 * characters stand for themselves. Other signs of regular expressions keep their meaning, except `$`.
 */
export function parsePattern(pattern: string): NamePattern {
  const parts = ['']
  let quoted = false
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!
    const last = parts.length - 1
    if (character === '"') {
      if (quoted && pattern[i + 1] === '"') {
        parts[last] += '"'
        i++
      } else quoted = !quoted
    } else if (!quoted && character === '.') parts.push('')
    else parts[last] += quoted ? literally(character) : asPattern(character)
  }
  const name = parts.pop()!
  // As pg_dump: what stands before the schema would be the database, which is connected to anyway.
  const schema = parts.pop()
  return schema === undefined ? { name: anchored(name) } : { schema: anchored(schema), name: anchored(name) }
}

function asPattern(character: string): string {
  if (character === '*') return '.*'
  if (character === '?') return '.'
  return character === '$' ? '\\$' : character.toLowerCase()
}

function literally(character: string): string {
  return /[|*+?()[\]{}.^$\\]/.test(character) ? `\\${character}` : character
}

function anchored(regex: string): string {
  return `^(${regex})$`
}

const RELATIONS = `
  SELECT c.oid::text AS oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r','S','v','m','f','p') AND c.relname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default AND
    CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
    ELSE n.nspname OPERATOR(pg_catalog.~) $2 COLLATE pg_catalog.default END`

const SCHEMAS = `
  SELECT n.oid::text AS oid FROM pg_catalog.pg_namespace n
  WHERE n.nspname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default`

/** Oids of the tables, views and sequences that fit. Without a schema, only those that the search path shows. */
export async function matchRelations(client: PgClient, patterns: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>()
  for (const pattern of patterns.map(parsePattern)) {
    const { rows } = await client.query<{ oid: string }>(RELATIONS, [pattern.name, pattern.schema ?? null])
    for (const { oid } of rows) found.add(oid)
  }
  return found
}

/** Oids of the schemas that fit. */
export async function matchSchemas(client: PgClient, patterns: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>()
  for (const pattern of patterns.map(parsePattern)) {
    const { rows } = await client.query<{ oid: string }>(SCHEMAS, [pattern.name])
    for (const { oid } of rows) found.add(oid)
  }
  return found
}
