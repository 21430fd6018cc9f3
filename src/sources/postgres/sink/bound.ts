/** Which table a statement of pg_dump belongs to, read from the statement itself: its comment is ambiguous. */
import { type Piece, pieces } from '../sql-lex.ts'
import type { SqlStatement } from '../sql-split.ts'
import type { TableName } from './layout.ts'

/** `schema NUL name`: a key for maps. Names as they are in the script. */
export type TableKey = string

export function keyOf({ schema, name }: TableName): TableKey {
  return `${schema}\0${name}`
}

/** Types of entries that belong to the first table they name. */
const BY_FIRST_NAME: ReadonlySet<string> = new Set([
  'TABLE',
  'FOREIGN TABLE',
  'MATERIALIZED VIEW',
  'MATERIALIZED VIEW DATA',
  'TABLE ATTACH',
  'DEFAULT',
  'CONSTRAINT',
  'FK CONSTRAINT',
  'CHECK CONSTRAINT',
  'INDEX',
  'TRIGGER',
  'RULE',
  'POLICY',
  'ROW SECURITY',
  'PUBLICATION TABLE',
])

/** What the tables of a script own. */
export class Ownership {
  /** Sequences, indexes and the like, to their table. */
  readonly #owner = new Map<TableKey, TableKey>()

  /** Views have rules, rights and comments of the same types, and belong to no table. */
  readonly #tables: ReadonlySet<TableKey>

  constructor(statements: readonly SqlStatement[], tables: ReadonlySet<TableKey>) {
    this.#tables = tables
    for (const statement of statements) this.#learn(statement)
  }

  /** The table; null for what belongs to none (a type, a function, a view). */
  tableOf(statement: SqlStatement): TableKey | null {
    const named = this.#namedBy(statement)
    return named !== null && this.#tables.has(named) ? named : null
  }

  #namedBy(statement: SqlStatement): TableKey | null {
    const type = statement.toc?.type ?? ''
    if (type === 'STATISTICS') return this.#owned(statement)
    const names = qualifiedNames(statement.text)
    const first = names[0]
    if (first === undefined) return null
    if (BY_FIRST_NAME.has(type)) return keyOf(first)
    if (type === 'INDEX ATTACH') return this.#owner.get(keyOf(names[1] ?? first)) ?? null
    if (type === 'SEQUENCE' || type === 'SEQUENCE OWNED BY' || type === 'SEQUENCE SET') {
      return this.#owner.get(keyOf(first)) ?? (isAlterTable(statement.text) ? keyOf(first) : null)
    }
    if (type === 'COMMENT' || type === 'ACL') return this.#tableOfNote(statement, first)
    return null
  }

  /** The table of a sequence, index or statistics object. */
  ownerOf(key: TableKey): TableKey | undefined {
    return this.#owner.get(key)
  }

  #tableOfNote({ text, toc }: SqlStatement, first: TableName): TableKey | null {
    const kind = /^(TABLE|COLUMN|MATERIALIZED VIEW|FOREIGN TABLE|CONSTRAINT|TRIGGER|RULE|POLICY) /.exec(toc?.name ?? '')
    if (kind !== null) return keyOf(first)
    return /^(SEQUENCE|INDEX|STATISTICS) /.test(toc?.name ?? '') || / ON SEQUENCE /.test(text)
      ? (this.#owner.get(keyOf(first)) ?? null)
      : null
  }

  #owned({ text }: SqlStatement): TableKey | null {
    const first = qualifiedNames(text)[0]
    return first === undefined ? null : (this.#owner.get(keyOf(first)) ?? null)
  }

  #learn({ text, toc }: SqlStatement): void {
    const names = qualifiedNames(text)
    const [first, second] = names
    if (first === undefined) return
    const type = toc?.type
    if (type === 'SEQUENCE OWNED BY' && second) this.#owner.set(keyOf(first), keyOf(second))
    else if (type === 'SEQUENCE' && isAlterTable(text) && second) this.#owner.set(keyOf(second), keyOf(first))
    else if (type === 'STATISTICS' && /^CREATE/.test(text)) this.#owner.set(keyOf(first), keyOf(names.at(-1) ?? first))
    else if (type === 'INDEX' || type === 'CONSTRAINT') this.#learnIndex(text, first)
  }

  /** An index has the schema of its table. */
  #learnIndex(text: string, table: TableName): void {
    const found = createdName(text)
    if (found !== undefined) this.#owner.set(keyOf({ schema: table.schema, name: found }), keyOf(table))
  }
}

function isAlterTable(text: string): boolean {
  return /^ALTER (FOREIGN )?TABLE /.test(text)
}

/** The name after INDEX in CREATE INDEX, after CONSTRAINT in ADD CONSTRAINT. */
function createdName(text: string): string | undefined {
  let wanted = false
  for (const piece of pieces(text)) {
    if (wanted) return piece.value
    wanted = piece.kind === 'word' && (piece.value === 'index' || piece.value === 'constraint')
  }
  return undefined
}

/** Every `schema.name` of a statement, in order; of `schema.table.column` the first two. */
export function qualifiedNames(text: string): TableName[] {
  return qualifiedPlaces(text).map(({ schema, name }) => ({ schema: schema.value, name: name.value }))
}

export interface QualifiedPlace {
  readonly schema: Piece
  readonly name: Piece
}

export function qualifiedPlaces(text: string): QualifiedPlace[] {
  const found: QualifiedPlace[] = []
  const all = [...pieces(text)]
  for (let at = 0; at + 2 < all.length; at++) {
    const [schema, dot, name] = [all[at] as Piece, all[at + 1] as Piece, all[at + 2] as Piece]
    if (!isName(schema) || dot.value !== '.' || !isName(name)) continue
    found.push({ schema, name })
    at += all[at + 3]?.value === '.' ? 4 : 2
  }
  return found
}

function isName({ kind }: Piece): boolean {
  return kind === 'word' || kind === 'quoted'
}
