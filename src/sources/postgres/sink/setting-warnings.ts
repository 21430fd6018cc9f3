/** Settings of the database that the role may not give to the new one. */
import type { Warning } from '../../../events.ts'
import type { PgClient } from '../connection.ts'
import { propertiesOfFacts, readProperties, settingName } from './properties.ts'
import type { Unit } from './unit.ts'

/** $1 names of settings, $2 roles that have them, or null. Settings that only superusers set can be granted since 15. */
const DENIED = `
  SELECT wanted.name, wanted.role FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(name, role)
  LEFT JOIN pg_catalog.pg_settings s ON s.name = lower(wanted.name) LEFT JOIN pg_catalog.pg_roles r ON r.rolname = wanted.role
  WHERE s.context = 'superuser' AND NOT :granted OR r.rolname <> current_user AND (r.rolsuper OR NOT :admin)`
const GRANTED = "pg_catalog.has_parameter_privilege(s.name, 'SET')"
const CREATEROLE = '(SELECT rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user)'
const ADMIN = `${CREATEROLE} AND pg_catalog.pg_has_role(r.oid, 'USAGE WITH ADMIN OPTION')`

export async function settingWarnings(
  unit: Unit,
  client: PgClient,
  { superuser, versionNum }: { superuser: boolean; versionNum: number },
): Promise<Warning[]> {
  if (superuser || unit.strategy === 'in-place') return []
  const { settings } = (await readProperties(client, unit.target)) ?? propertiesOfFacts(unit.database.facts)
  const all = settings.flatMap(({ role, setting }) => setting.map((one) => ({ role, name: settingName(one) })))
  const sql = DENIED.replace(':granted', versionNum >= 150000 ? GRANTED : 'false').replace(
    ':admin',
    versionNum >= 160000 ? `(${ADMIN})` : CREATEROLE,
  )
  const { rows } = await client.query<{ name: string; role: string | null }>(sql, [
    all.map(({ name }) => name),
    all.map(({ role }) => role),
  ])
  return rows.map(({ name, role }) => {
    const whose = role === null ? '' : ` of role ${role}`
    const message = `the setting ${name}${whose} will be left out: the role may not set it; restore as a superuser, or set it later`
    const details = { database: unit.target, setting: name, ...(role === null ? {} : { role }) }
    return { code: 'RESTORE_SETTING_DENIED', message, details }
  })
}
