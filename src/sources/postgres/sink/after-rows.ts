/**
 * What is done for a table as soon as its own rows are there, while others are still loaded: indexes of plain columns, then
 * statistics. All else waits until all rows are there: an expression may call a function that reads other tables.
 */
import type { PgClient } from '../connection.ts'
import type { SqlStatement } from '../sql-split.ts'
import { keyOf, qualifiedNames, type TableKey } from './bound.ts'
import type { TableToRestore } from './layout.ts'
import { type Item, isIndex, runIfReady } from './post-data.ts'
import type { ScriptRules } from './run-script.ts'
import type { Task } from './tasks.ts'

export interface AfterRowsOptions {
  readonly items: readonly Item[]
  readonly tables: readonly TableToRestore[]
  readonly pre: readonly SqlStatement[]
  readonly rules: ScriptRules
  keyOf(table: TableToRestore): TableKey
  analyze(client: PgClient, table: TableToRestore): Promise<void>
}

export class AfterRows {
  readonly #options: AfterRowsOptions
  /** Their locks reach the tables below them, which may be loading. */
  readonly #parents: ReadonlySet<TableKey>
  /** What statistics are also collected for, and is built later. */
  readonly #unfinished: ReadonlySet<TableKey>
  readonly #own = new Map<TableKey, Item[]>()
  /** Items that are built. */
  readonly built = new Set<Item>()
  /** Tables that have their statistics. */
  readonly analyzed = new Set<TableToRestore>()

  constructor(options: AfterRowsOptions) {
    const { items, tables } = options
    this.#options = options
    this.#parents = parentsIn(options)
    const isHandedOn = tables.some(({ via }) => via !== undefined)
    const own = items.filter((item) => !isHandedOn && isIndex(item) && isOfPlainColumns(item))
    for (const item of own) {
      const key = item.tables[0] as TableKey
      if (!this.#parents.has(key)) this.#own.set(key, [...(this.#own.get(key) ?? []), item])
    }
    const early = new Set([...this.#own.values()].flat())
    const later = items.filter((item) => !early.has(item) && MEASURED.has(item.type))
    const named = later.flatMap(({ statements }) => statements.flatMap(({ text }) => qualifiedNames(text).map(keyOf)))
    this.#unfinished = new Set(named)
  }

  /** All rows of the table are there. */
  next(table: TableToRestore): Task[] {
    const key = this.#options.keyOf(table)
    const items = this.#own.get(key) ?? []
    let left = items.length
    if (left === 0) return this.#statistics(table, key)
    return items.map((item) => ({
      ...item,
      run: async (client) => {
        if (!(await runIfReady(client, item, this.#options.rules))) return []
        this.built.add(item)
        left--
        return left === 0 ? this.#statistics(table, key) : []
      },
    }))
  }

  #statistics(table: TableToRestore, key: TableKey): Task[] {
    const isWhole = table.kind === 'r' && table.via === undefined
    if (!isWhole || this.#parents.has(key) || this.#unfinished.has(key)) return []
    const run = async (client: PgClient): Promise<[]> => {
      await this.#options.analyze(client, table)
      this.analyzed.add(table)
      return []
    }
    return [{ tables: [key], shares: false, run }]
  }
}

const MEASURED: ReadonlySet<string> = new Set(['INDEX', 'CONSTRAINT', 'STATISTICS'])

function parentsIn({ tables, pre, keyOf: keyOfTable }: AfterRowsOptions): Set<TableKey> {
  const partitioned = tables.filter(({ kind }) => kind === 'p').map(keyOfTable)
  const inherited = pre.flatMap(({ text }) => {
    const at = text.indexOf('\nINHERITS (')
    return at < 0 ? [] : qualifiedNames(text.slice(at)).map(keyOf)
  })
  return new Set([...partitioned, ...inherited])
}

/** One pair of parentheses: that of the columns. */
function isOfPlainColumns({ statements }: Item): boolean {
  const text = statements.map((statement) => statement.text).join('\n')
  return text.replaceAll(/ (?:INCLUDE|WITH) \(/g, '').split('(').length === 2
}
