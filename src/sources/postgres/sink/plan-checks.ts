/** What must be known before a restore: what stops it, and what will be different. */
import type { Json } from '../../../errors.ts'
import type { Warning } from '../../../events.ts'
import type { PgClient } from '../connection.ts'
import { providerOf } from './create-database.ts'
import type { PlanTools } from './plan.ts'
import { rootWarnings } from './root-warnings.ts'
import { settingWarnings } from './setting-warnings.ts'
import { openSessions, replicationOf } from './swap.ts'
import type { Unit } from './unit.ts'

export interface Obstacle {
  readonly reason: string
  readonly details?: Readonly<Record<string, Json>>
}

interface Rights {
  readonly role: string
  readonly superuser: boolean
  readonly createdb: boolean
  readonly createrole: boolean
  readonly versionNum: number
}

async function rightsOf(client: PgClient): Promise<Rights> {
  const { rows } = await client.query<Rights>(
    `SELECT rolname AS role, rolsuper AS superuser, rolcreatedb AS createdb, rolcreaterole AS createrole,
       current_setting('server_version_num')::int AS "versionNum"
     FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  )
  return rows[0] as Rights
}

export async function blockersOf(unit: Unit, exists: boolean, tools: PlanTools): Promise<Obstacle[]> {
  const rights = await rightsOf(tools.client)
  return [
    ...(await placeBlockers(unit, exists, rights, tools)),
    ...(await roleBlockers(unit, rights, tools)),
    ...(await extensionBlockers(unit, rights, tools.client)),
    ...superuserBlockers(unit, rights),
    ...localeBlockers(unit, rights),
  ]
}

async function placeBlockers(unit: Unit, exists: boolean, rights: Rights, tools: PlanTools): Promise<Obstacle[]> {
  const { target, strategy } = unit
  const { client, settings } = tools
  if (strategy === 'in-place') return exists ? [] : [{ reason: `database ${target} is not there` }]
  const found: Obstacle[] = []
  if (!rights.createdb && !rights.superuser) {
    found.push({
      reason: `role ${rights.role} may not create databases: grant CREATEDB, or restore with strategy in-place`,
    })
  }
  if (!exists) return found
  if (strategy === 'new-database' && !settings.dropExisting)
    return [...found, { reason: `database ${target} exists already` }]
  const { rows } = await client.query<{ owner: string; mine: boolean }>(
    `SELECT pg_catalog.pg_get_userbyid(datdba) AS owner, pg_catalog.pg_has_role(datdba, 'USAGE') AS mine
     FROM pg_catalog.pg_database WHERE datname = $1`,
    [target],
  )
  if (rows[0]?.mine === false)
    found.push({ reason: `${target} belongs to ${rows[0].owner}: only its owner may rename it` })
  for (const what of await replicationOf(client, [target])) found.push({ reason: `${what} holds ${target}` })
  return found
}

async function roleBlockers(unit: Unit, rights: Rights, { client, settings }: PlanTools): Promise<Obstacle[]> {
  const missing = await missingRoles(unit, client)
  if (missing.length === 0 || (settings.noOwner && settings.noPrivileges)) return []
  if (!settings.globals) {
    const how = 'create them, or pass globals: true, or noOwner with noPrivileges'
    return [{ reason: `missing roles: ${missing.join(', ')}: ${how}`, details: { roles: missing } }]
  }
  return rights.createrole || rights.superuser
    ? []
    : [{ reason: `role ${rights.role} may not create roles: ${missing.join(', ')}` }]
}

async function missingRoles(unit: Unit, client: PgClient): Promise<string[]> {
  const wanted = namesOf(unit.database.facts.roles)
  const { rows } = await client.query<{ name: string }>(
    'SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = name)',
    [wanted],
  )
  return rows.map((row) => row.name).filter((name) => !/^pg_|^public$/i.test(name))
}

/** Lists of names, or of objects with a name. */
function namesOf(value: Json | undefined): string[] {
  if (!Array.isArray(value)) return []
  return (value as Json[]).map((one) => (typeof one === 'string' ? one : String((one as { name?: Json } | null)?.name)))
}

async function extensionBlockers(unit: Unit, rights: Rights, client: PgClient): Promise<Obstacle[]> {
  const wanted = namesOf(unit.database.facts.extensions)
  const { rows } = await client.query<{ name: string; there: boolean; free: boolean | null }>(
    `SELECT name, EXISTS (SELECT 1 FROM pg_catalog.pg_available_extensions a WHERE a.name = wanted.name) AS there,
       (SELECT bool_or(v.trusted OR NOT v.superuser) FROM pg_catalog.pg_available_extension_versions v WHERE v.name = wanted.name) AS free
     FROM unnest($1::text[]) AS wanted(name)`,
    [wanted],
  )
  return rows.flatMap(({ name, there, free }) => {
    if (!there) return [{ reason: `extension ${name} is not installed on the server` }]
    const needsMore = free === false && !rights.superuser && name !== 'plpgsql' && unit.strategy !== 'in-place'
    return needsMore ? [{ reason: `only a superuser may create extension ${name}` }] : []
  })
}

function superuserBlockers(unit: Unit, rights: Rights): Obstacle[] {
  if (rights.superuser) return []
  const types = new Set([...unit.scripts.pre, ...unit.scripts.post].map(({ toc }) => toc?.type))
  const found = ['EVENT TRIGGER', 'FOREIGN DATA WRAPPER'].filter((type) => types.has(type))
  return unit.partial ? [] : found.map((type) => ({ reason: `only a superuser may create an ${type.toLowerCase()}` }))
}

function localeBlockers(unit: Unit, { versionNum }: Rights): Obstacle[] {
  if (unit.strategy === 'in-place') return []
  const provider = providerOf(unit.database.facts)
  const since = provider === 'icu' ? 150000 : provider === 'builtin' ? 170000 : 0
  if (versionNum >= since) return []
  return [
    {
      reason: `locale provider ${provider} needs Postgres ${since / 10000}, the server is ${Math.floor(versionNum / 10000)}`,
    },
  ]
}

export async function warningsOf(unit: Unit, exists: boolean, tools: PlanTools): Promise<Warning[]> {
  const { client, settings, context } = tools
  const rights = await rightsOf(client)
  const warnings: Warning[] = []
  const add = (code: string, message: string, details: Record<string, Json> = {}): void => {
    warnings.push({ code, message, details: { database: unit.target, ...details } })
  }
  const major = Math.floor(Number((context.facts.server as { versionNum?: Json } | undefined)?.versionNum ?? 0) / 10000)
  const here = Math.floor(rights.versionNum / 10000)
  if (here < major)
    add('RESTORE_OLDER_SERVER', `the server is Postgres ${here}, the snapshot is of ${major}`, { here, major })
  if (exists && unit.strategy !== 'in-place') {
    const sessions = await openSessions(client, [unit.target])
    const list = sessions.slice(0, 20).map((one) => ({ ...one }))
    const then = settings.sessions === 'terminate' ? 'they will be ended' : 'the restore waits for their end'
    if (list.length > 0)
      add('RESTORE_OPEN_SESSIONS', `${sessions.length} sessions use ${unit.target}: ${then}`, { sessions: list })
  }
  const missing = settings.noOwner || settings.globals ? await missingRoles(unit, client) : []
  if (missing.length > 0)
    add('RESTORE_MISSING_ROLES', `the server has no roles ${missing.join(', ')}`, { roles: missing })
  warnings.push(
    ...(await versionWarnings(unit, client)),
    ...rootWarnings(unit),
    ...(await settingWarnings(unit, client, rights)),
  )
  const bytes = Number(unit.database.facts.sizeBytes ?? 0)
  if (unit.strategy !== 'in-place')
    add('RESTORE_SPACE_UNKNOWN', 'free space on the server is not known', { neededBytes: bytes })
  return warnings
}

/** Other versions of extensions, and of the library that sorts text: indexes are built anew, so that loses nothing. */
async function versionWarnings(unit: Unit, client: PgClient): Promise<Warning[]> {
  const { facts } = unit.database
  const wanted = Array.isArray(facts.extensions) ? (facts.extensions as { name: string; version?: string }[]) : []
  const { rows } = await client.query<{ name: string; version: string }>(
    'SELECT name, default_version AS version FROM pg_catalog.pg_available_extensions WHERE name = ANY($1)',
    [wanted.map(({ name }) => name)],
  )
  const warnings = rows.flatMap(({ name, version }): Warning[] => {
    const before = wanted.find((one) => one.name === name)?.version
    if (before === undefined || before === version) return []
    const message = `extension ${name} was ${before}, the server has ${version}`
    return [{ code: 'RESTORE_EXTENSION_VERSION', message, details: { extension: name, before, here: version } }]
  })
  const collation = await collationWarning(facts, client)
  return collation === null ? warnings : [...warnings, collation]
}

async function collationWarning(facts: Readonly<Record<string, Json>>, client: PgClient): Promise<Warning | null> {
  const before = facts.collationVersion
  const { rows } = await client.query<{ version: string | null }>(
    `SELECT (SELECT pg_catalog.pg_collation_actual_version(oid) FROM pg_catalog.pg_collation
       WHERE collname = $1 OR collcollate = $1 LIMIT 1) AS version`,
    [String(facts.locale ?? facts.collate ?? '')],
  )
  const here = rows[0]?.version
  if (typeof before !== 'string' || !here || before === here) return null
  const message = `text is sorted by version ${here} of its locale, the snapshot by ${before}: order and ranges may differ`
  return { code: 'RESTORE_COLLATION_VERSION', message, details: { before, here } }
}
