/**
 * What comes after the rows. Indexes, and constraints that are indexes, are built several at once; then foreign keys in
 * the same way; all else in pg_dump's order, event triggers at the very end.
 */
import type { PgClient } from '../connection.ts'
import { sqlState } from '../pg-error.ts'
import type { SqlStatement } from '../sql-split.ts'
import { keyOf, qualifiedNames, type TableKey } from './bound.ts'
import { isSetting, runScript, type ScriptRules } from './run-script.ts'
import { runTasks } from './tasks.ts'

/** Statements of one entry, with the settings that hold for them. */
export interface Item {
  readonly type: string
  readonly settings: readonly SqlStatement[]
  readonly statements: readonly SqlStatement[]
  /** What it locks. */
  readonly tables: readonly TableKey[]
  /** Builds an index beside others on its table; all else wants the table for itself. */
  readonly shares: boolean
  readonly bytes: number
}

export interface PostDataOptions {
  readonly items: readonly Item[]
  /** Tables that pre-data has made: what is built on others waits for its turn. */
  readonly tables: ReadonlySet<TableKey>
  readonly rules: ScriptRules
}

export async function runPostData(clients: readonly PgClient[], options: PostDataOptions): Promise<void> {
  const [main] = clients as [PgClient, ...PgClient[]]
  const { items, rules } = options
  const early = items.filter((item) => isIndex(item) && item.tables.every((table) => options.tables.has(table)))
  const rest = items.filter((item) => !early.includes(item))
  const postponed = await runTogether(clients, early, rules)
  const inOrder = items.filter((item) => postponed.has(item) || (rest.includes(item) && !isLate(item)))
  for (const run of runsOf(inOrder)) {
    if (run[0]?.type === 'FK CONSTRAINT')
      for (const item of await runTogether(clients, run, rules)) await runItem(main, item, rules)
    else for (const item of run) await runItem(main, item, rules)
  }
  for (const item of rest.filter(isLate)) await runItem(main, item, rules)
}

/** The same order for one connection. */
export function eventTriggersLast(statements: readonly SqlStatement[]): SqlStatement[] {
  const late = (one: SqlStatement): boolean =>
    !isSetting(one.text) && isLate({ type: one.toc?.type ?? '', statements: [one] })
  return [...statements.filter((one) => !late(one)), ...statements.filter(late)]
}

export function isIndex({ type }: Item): boolean {
  return type === 'INDEX' || type === 'CONSTRAINT'
}

/** They would fire at what we do ourselves. */
function isLate({ type, statements }: Pick<Item, 'type' | 'statements'>): boolean {
  return type === 'EVENT TRIGGER' || statements.some(({ text }) => /^(COMMENT ON|ALTER) EVENT TRIGGER /.test(text))
}

/** `bytesOf`: how large a table is. */
export function itemsOf(statements: readonly SqlStatement[], bytesOf: (table: TableKey) => number): Item[] {
  const items: Item[] = []
  const settings = new Map<string, SqlStatement>()
  let group: SqlStatement[] = []
  const close = (): void => {
    const first = group[0]
    if (first !== undefined) items.push(itemOf(first, group, [...settings.values()], bytesOf))
    group = []
  }
  for (const statement of statements) {
    if (group.length > 0 && (isSetting(statement.text) || statement.toc !== group[0]?.toc)) close()
    if (isSetting(statement.text)) settings.set(statement.text.replace(/ = .*$/s, ''), statement)
    else group.push(statement)
  }
  close()
  return items
}

function itemOf(
  first: SqlStatement,
  statements: SqlStatement[],
  settings: SqlStatement[],
  bytesOf: (table: TableKey) => number,
): Item {
  const type = first.toc?.type ?? ''
  const names = qualifiedNames(first.text).slice(0, type === 'FK CONSTRAINT' ? 2 : 1)
  const tables = names.map(keyOf)
  const bytes = tables.reduce((sum, table) => sum + bytesOf(table), 0)
  return { type, settings, statements, tables, shares: type === 'INDEX' && statements.length === 1, bytes }
}

/** Runs of foreign keys, and what lies between them. */
function runsOf(items: readonly Item[]): Item[][] {
  const runs: Item[][] = []
  for (const item of items) {
    const last = runs.at(-1)
    if (last && (last[0]?.type === 'FK CONSTRAINT') === (item.type === 'FK CONSTRAINT')) last.push(item)
    else runs.push([item])
  }
  return runs
}

/** Objects that come later in the script: their item gets its turn there. */
const NOT_YET: ReadonlySet<string> = new Set(['42P01', '42883', '42704', '42703'])

/**
 * Several at once, the largest tables first, never two that would wait for each other's locks. Gives back those that
 * need something that is not there yet.
 */
async function runTogether(
  clients: readonly PgClient[],
  items: readonly Item[],
  rules: ScriptRules,
): Promise<Set<Item>> {
  const postponed = new Set<Item>()
  const run = async (client: PgClient, item: Item): Promise<[]> => {
    if (!(await runIfReady(client, item, rules))) postponed.add(item)
    return []
  }
  const largest = [...items].sort((a, b) => b.bytes - a.bytes)
  await runTasks(
    clients,
    largest.map((item) => ({ ...item, run: (client) => run(client, item) })),
  )
  return postponed
}

/** False where it needs something that comes later. */
export async function runIfReady(client: PgClient, item: Item, rules: ScriptRules): Promise<boolean> {
  try {
    await runItem(client, item, rules)
    return true
  } catch (error) {
    if (!NOT_YET.has(sqlState(error) ?? '')) throw error
    return false
  }
}

/** The settings that a connection was given last: most items want the same. */
const given = new WeakMap<PgClient, readonly SqlStatement[]>()

async function runItem(client: PgClient, item: Item, rules: ScriptRules): Promise<void> {
  const last = given.get(client) ?? []
  await runScript(
    client,
    item.settings.filter((one) => !last.includes(one)),
    rules,
  )
  given.set(client, item.settings)
  await runScript(client, item.statements, rules)
}
