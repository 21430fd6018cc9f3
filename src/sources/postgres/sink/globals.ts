/** Roles of the snapshot that the server does not have. Those that are there are left exactly as they are. */
import type { Warning } from '../../../events.ts'
import type { PgClient } from '../connection.ts'
import { pieces } from '../sql-lex.ts'
import type { SqlStatement } from '../sql-split.ts'
import { sinkError } from './sql-error.ts'
import { decoded, runBytes } from './statement.ts'

/** @returns the roles that were created */
export async function createRoles(
  client: PgClient,
  statements: readonly SqlStatement[],
  warn: (warning: Warning) => void,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('SELECT rolname AS name FROM pg_catalog.pg_roles')
  const there = new Set(rows.map((row) => row.name))
  const created = new Set<string>()
  for (const { text } of statements) {
    const role = roleOf(text)
    if (role === undefined) continue
    const isCreate = /^CREATE ROLE /.test(text)
    if (isCreate ? there.has(role) : !created.has(role)) continue
    await runForRole(client, text, role, isCreate, warn)
    if (isCreate) created.add(role)
  }
  return [...created]
}

/** Never the statement itself in an error: it may hold a password. */
async function runForRole(
  client: PgClient,
  text: string,
  role: string,
  isCreate: boolean,
  warn: (warning: Warning) => void,
): Promise<void> {
  try {
    await runBytes(client, text)
  } catch (error) {
    if (isCreate) throw sinkError(error, `creating role ${role}`, { object: `ROLE ${role}` })
    const details = { object: `ROLE ${role}`, sqlState: String((error as { code?: unknown }).code ?? '') }
    warn({ code: 'BENIGN_SQL_ERROR', message: `an attribute of role ${role} could not be set`, details })
  }
}

/** The role that a statement of globals.sql is about: CREATE ROLE x, ALTER ROLE x, GRANT a TO x, COMMENT ON ROLE x. */
function roleOf(text: string): string | undefined {
  const all = [...pieces(text)]
  const words = all.map((piece) => (piece.kind === 'word' ? piece.value : ''))
  const isGrant = words[0] === 'grant'
  const at = isGrant ? words.indexOf('to') : words.indexOf('role')
  if (at < 0 || (!isGrant && !['create', 'alter', 'comment'].includes(words[0] ?? ''))) return undefined
  const name = all[at + 1]
  return name === undefined ? undefined : decoded(name.value)
}

export async function dropRoles(client: PgClient, names: readonly string[]): Promise<void> {
  for (const name of names) await client.query(`DROP ROLE IF EXISTS "${name.replaceAll('"', '""')}"`)
}
