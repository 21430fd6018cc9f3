/** Which statements of a snapshot's scripts are run for what was selected. */
import type { Warning } from '../../../events.ts'
import type { SqlStatement } from '../sql-split.ts'
import { keyOf, Ownership, qualifiedNames, type TableKey } from './bound.ts'
import type { TableToRestore } from './layout.ts'
import { relocated } from './relocate.ts'
import { isSetting, objectOf } from './run-script.ts'
import { encoded } from './statement.ts'

export interface Scripts {
  readonly pre: readonly SqlStatement[]
  readonly post: readonly SqlStatement[]
  readonly sequences: readonly SqlStatement[]
}

export interface SelectionRules {
  readonly tables: readonly TableToRestore[]
  /** Tables that are at their target already: their rows are replaced, nothing else of them. */
  readonly existing: ReadonlySet<TableToRestore>
  /** True for a table of the target database, which a foreign key may refer to. */
  readonly isThere: (key: TableKey) => boolean
  readonly inPlace: boolean
  /** Schema where tables are made that get another name later. */
  readonly stagingSchema: string
  warn(warning: Warning): void
}

const TABLE_TYPES: ReadonlySet<string> = new Set(['TABLE', 'FOREIGN TABLE', 'MATERIALIZED VIEW'])

/** Tables of the scripts, with their keys. */
export function tablesOfScripts(pre: readonly SqlStatement[], post: readonly SqlStatement[]): Set<TableKey> {
  const keys = new Set<TableKey>()
  for (const { text, toc } of [...pre, ...post]) {
    const first = toc && TABLE_TYPES.has(toc.type) && text.startsWith('CREATE') ? qualifiedNames(text)[0] : undefined
    if (first !== undefined) keys.add(keyOf(first))
  }
  return keys
}

/** True where the snapshot has tables that were not selected. */
export function isPartial(scripts: Pick<Scripts, 'pre' | 'post'>, tables: readonly TableToRestore[]): boolean {
  const selected = new Set(tables.map(keyInScript))
  return [...tablesOfScripts(scripts.pre, scripts.post)].some((key) => !selected.has(key))
}

/** Scripts are bytes as latin1; entries are text. */
export function keyInScript(table: TableToRestore): TableKey {
  return keyOf({ schema: encoded(table.schema), name: encoded(table.name) })
}

export function selectStatements(scripts: Scripts, rules: SelectionRules): Scripts {
  const selection = new Selection(scripts, rules)
  const moved = rules.tables.filter((table) => isRenamed(table) && !rules.existing.has(table))
  const keys = new Set(moved.map(keyInScript))
  const place = (statement: SqlStatement): SqlStatement =>
    keys.size === 0 ? statement : relocated(statement, keys, selection.ownership, rules.stagingSchema)
  const kept = selection.kept()
  return {
    pre: scripts.pre.filter((one) => kept.has(one)).map(place),
    post: scripts.post.filter((one) => kept.has(one)).map(place),
    sequences: scripts.sequences.filter((one) => selection.wantsSequence(one, kept)).map(place),
  }
}

export function isRenamed(table: TableToRestore): boolean {
  return table.target.schema !== table.schema || table.target.name !== table.name
}

class Selection {
  readonly ownership: Ownership
  readonly #scripts: Scripts
  readonly #rules: SelectionRules
  readonly #selected: Map<TableKey, TableToRestore>
  readonly #partial: boolean
  readonly #wholeSchemas: ReadonlySet<string>

  constructor(scripts: Scripts, rules: SelectionRules) {
    this.#scripts = scripts
    this.#rules = rules
    const made = tablesOfScripts(scripts.pre, scripts.post)
    this.ownership = new Ownership([...scripts.pre, ...scripts.post], made)
    this.#selected = new Map(rules.tables.map((table) => [keyInScript(table), table]))
    this.#partial = isPartial(scripts, rules.tables)
    this.#wholeSchemas = this.#findWholeSchemas()
  }

  kept(): Set<SqlStatement> {
    const all = [...this.#scripts.pre, ...this.#scripts.post]
    const kept = new Set(all.filter((statement) => this.#keeps(statement)))
    if (this.#partial) this.#addWhatIsNamed(kept, all)
    return kept
  }

  #keeps(statement: SqlStatement): boolean {
    if (statement.toc === null || isSetting(statement.text)) return true
    const table = this.ownership.tableOf(statement)
    if (table !== null) return this.#keepsOfTable(statement, table)
    if (!this.#partial) return true
    const { type, name, schema } = statement.toc
    if (type === 'SCHEMA') return this.#rules.tables.some((one) => encoded(one.schema) === name)
    if (type === 'EXTENSION') return !this.#rules.inPlace
    if (type === 'SERVER' || type === 'FOREIGN DATA WRAPPER') return this.#rules.tables.some((one) => one.kind === 'f')
    return schema !== null && this.#wholeSchemas.has(schema)
  }

  #keepsOfTable(statement: SqlStatement, key: TableKey): boolean {
    const type = statement.toc?.type ?? ''
    const table = this.#selected.get(key)
    if (table === undefined || this.#rules.existing.has(table)) return false
    if (type === 'PUBLICATION TABLE') return !this.#partial
    if (type !== 'FK CONSTRAINT' && type !== 'TABLE ATTACH') return true
    const other = qualifiedNames(statement.text)[1]
    if (other === undefined || this.#selected.has(keyOf(other)) || this.#rules.isThere(keyOf(other))) return true
    this.#rules.warn({
      code: 'RESTORE_LEFT_OUT',
      message: `${objectOf(statement)} is left out: the table it refers to is not restored`,
      details: { object: objectOf(statement) },
    })
    return false
  }

  #findWholeSchemas(): Set<string> {
    const keys = [...tablesOfScripts(this.#scripts.pre, this.#scripts.post)]
    const schemaOf = (key: TableKey): string => key.slice(0, key.indexOf('\0'))
    const whole = new Set([...this.#selected.keys()].map(schemaOf))
    for (const key of keys) if (!this.#selected.has(key)) whole.delete(schemaOf(key))
    return whole
  }

  /** Types, functions and sequences that what is kept names, and what those name. */
  #addWhatIsNamed(kept: Set<SqlStatement>, all: readonly SqlStatement[]): void {
    const byName = new Map<string, SqlStatement[]>()
    for (const statement of all) {
      const { toc } = statement
      if (toc === null || toc.schema === null || kept.has(statement) || !NAMED_TYPES.has(toc.type)) continue
      const key = keyOf({ schema: toc.schema, name: toc.name.replace(/\(.*$/, '') })
      byName.set(key, [...(byName.get(key) ?? []), statement])
    }
    const queue = [...kept]
    for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
      for (const name of [...qualifiedNames(one.text), ...namesInLiterals(one.text)]) {
        const found = byName.get(keyOf(name)) ?? []
        byName.delete(keyOf(name))
        for (const statement of found) kept.add(statement)
        queue.push(...found)
      }
    }
  }

  wantsSequence(statement: SqlStatement, kept: ReadonlySet<SqlStatement>): boolean {
    const name = namesInLiterals(statement.text)[0]
    if (name === undefined) return false
    const owner = this.ownership.tableOf({ ...statement, text: `SEQUENCE ${dotted(name)}`, toc: SEQUENCE })
    if (owner !== null) return this.#selected.has(owner)
    if (!this.#partial) return true
    return [...kept].some(({ toc }) => toc?.type === 'SEQUENCE' && toc.schema === name.schema && toc.name === name.name)
  }
}

const SEQUENCE = { name: '', type: 'SEQUENCE', schema: null, owner: null }

const NAMED_TYPES: ReadonlySet<string> = new Set([
  'TYPE',
  'SHELL TYPE',
  'DOMAIN',
  'FUNCTION',
  'PROCEDURE',
  'AGGREGATE',
  'COLLATION',
  'SEQUENCE',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'TEXT SEARCH CONFIGURATION',
  'TEXT SEARCH DICTIONARY',
])

/** Literals such as 'app.orders_id_seq', as nextval and setval take them. */
function namesInLiterals(text: string): { schema: string; name: string }[] {
  const literals = text.match(/'((?:[^']|'')+)'/g) ?? []
  return literals.flatMap((literal) => {
    const inner = literal.slice(1, -1).replaceAll("''", "'")
    return inner.length > 140 ? [] : qualifiedNames(inner).slice(0, 1)
  })
}

function dotted({ schema, name }: { schema: string; name: string }): string {
  return `"${schema.replaceAll('"', '""')}"."${name.replaceAll('"', '""')}"`
}
