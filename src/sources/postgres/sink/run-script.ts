/** Runs statements of pg_dump one by one, and judges each error. */
import type { Warning } from '../../../events.ts'
import type { PgClient } from '../connection.ts'
import { sqlState } from '../pg-error.ts'
import type { SqlStatement } from '../sql-split.ts'
import { classify, sinkError } from './sql-error.ts'
import { decoded, runBytes } from './statement.ts'

export interface ScriptRules {
  readonly noOwner: boolean
  readonly noPrivileges: boolean
  /** Into a database that has objects, in its one transaction: what is there stays. */
  readonly inTransaction: boolean
  warn(warning: Warning): void
}

export async function runScript(
  client: PgClient,
  statements: readonly SqlStatement[],
  rules: ScriptRules,
): Promise<void> {
  for (const statement of statements) await runStatement(client, statement, rules)
}

export async function runStatement(client: PgClient, statement: SqlStatement, rules: ScriptRules): Promise<void> {
  if (!wanted(statement, rules)) return
  const text = rules.inTransaction ? madeLocal(statement.text) : statement.text
  try {
    await (rules.inTransaction ? runGuarded(client, text) : runBytes(client, text))
  } catch (error) {
    const { noOwner, inTransaction } = rules
    const severity = classify(error, { ...statement, noOwner, keepsExisting: inTransaction })
    if (severity === 'fatal') throw sinkError(error, `restoring ${objectOf(statement)}`, factsOf(statement))
    if (/^SET (LOCAL )?default_tablespace/.test(text)) await client.query(text.replace(/=[\s\S]*/, "= ''"))
    if (severity === 'benign') rules.warn(warningOf(error, statement))
  }
}

function wanted({ text, toc }: SqlStatement, { noOwner, noPrivileges }: ScriptRules): boolean {
  if (noPrivileges && (toc?.type === 'ACL' || toc?.type === 'DEFAULT ACL') && !isSetting(text)) return false
  return !(noOwner && isOwnerChange(text))
}

/** Settings stand between entries: they belong to none, and are needed even where the entry before them is not. */
export function isSetting(text: string): boolean {
  return /^SET [a-z_]+ = |^SELECT pg_catalog\.set_config\('search_path', '', false\)$/.test(text)
}

export function isOwnerChange(text: string): boolean {
  return /^ALTER [\s\S]* OWNER TO (?:"(?:[^"]|"")+"|[A-Za-z_0-9$\x80-\xff]+)$/.test(text)
}

/** The connection may be one of a pool: nothing outlives the transaction. */
function madeLocal(text: string): string {
  if (!isSetting(text)) return text
  return text.startsWith('SET ') ? `SET LOCAL ${text.slice(4)}` : text.replace(/false\)$/, 'true)')
}

/** A transaction goes on after an error only from a savepoint. */
async function runGuarded(client: PgClient, text: string): Promise<void> {
  await client.query('SAVEPOINT holdfast')
  try {
    await runBytes(client, text)
    await client.query('RELEASE SAVEPOINT holdfast')
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT holdfast')
    throw error
  }
}

/** 'TABLE public.orders' */
export function objectOf({ toc }: SqlStatement): string {
  if (toc === null) return 'the schema'
  return decoded(`${toc.type} ${toc.schema === null ? '' : `${toc.schema}.`}${toc.name}`)
}

function factsOf(statement: SqlStatement): Record<string, string> {
  return { object: objectOf(statement), type: statement.toc?.type ?? '' }
}

function warningOf(error: unknown, statement: SqlStatement): Warning {
  const details = { ...factsOf(statement), sqlState: sqlState(error) ?? '' }
  return { code: 'BENIGN_SQL_ERROR', message: `${objectOf(statement)}: ${(error as Error).message}`, details }
}
