/** The switches of pg_dump and pg_dumpall for the options of the source. */
import type { PostgresSettings } from './options.ts'

/**
 * The schema as an archive. Not by `--schema-only`, which leaves out the REFRESH of materialised views; large objects are
 * made by a script of their own.
 */
export function schemaArguments(settings: PostgresSettings, snapshot: string, encoding: string): string[] {
  const rest = settings.schemaOnly ? ['--schema-only'] : each('--exclude-table-data', settings.filter.excludeTableData)
  // As rows are read: names are found again in the script whatever the encoding of the database.
  const text = `--encoding=${encoding === 'SQL_ASCII' ? encoding : 'UTF8'}`
  const shape = ['--format=custom', '--section=pre-data', '--section=post-data']
  return [...shape, text, '--no-blobs', ...rest, ...common(settings, snapshot)]
}

/** For pg_restore: one section of that archive as text, or both; the same bytes as pg_dump would write of it. */
export function sectionArguments(settings: PostgresSettings, section: 'pre-data' | 'post-data' | 'both'): string[] {
  return [
    '--file=-',
    ...(section === 'both' ? [] : [`--section=${section}`]),
    // An archive always has the owners.
    ...(settings.noOwner ? ['--no-owner'] : []),
  ]
}

/** Everything, for mode 'pg_dump': not compressed, so that what did not change is recognised. */
export function archiveArguments(settings: PostgresSettings, snapshot: string): string[] {
  const { schemaOnly, dataOnly, largeObjects, filter } = settings
  return [
    '--format=custom',
    '--compress=0',
    ...(schemaOnly ? ['--schema-only'] : []),
    ...(dataOnly ? ['--data-only'] : []),
    ...(schemaOnly ? [] : [largeObjects ? '--blobs' : '--no-blobs']),
    ...each('--exclude-table-data', filter.excludeTableData),
    ...common(settings, snapshot),
  ]
}

export function globalsArguments(settings: PostgresSettings, database: string): string[] {
  return [
    '--globals-only',
    '--no-password',
    `--database=${database}`,
    ...(settings.globals === 'without-passwords' ? ['--no-role-passwords'] : []),
    ...(settings.noPrivileges ? ['--no-privileges'] : []),
  ]
}

function common(settings: PostgresSettings, snapshot: string): string[] {
  const { filter, noOwner, noPrivileges, lockWaitTimeoutMs } = settings
  return [
    '--no-password',
    '--no-sync',
    `--snapshot=${snapshot}`,
    `--lock-wait-timeout=${lockWaitTimeoutMs}`,
    ...(noOwner ? ['--no-owner'] : []),
    ...(noPrivileges ? ['--no-privileges'] : []),
    ...each('--schema', filter.schemas),
    ...each('--exclude-schema', filter.excludeSchemas),
    ...each('--table', filter.tables),
    ...each('--exclude-table', filter.excludeTables),
  ]
}

function each(name: string, patterns: readonly string[]): string[] {
  return patterns.map((pattern) => `${name}=${pattern}`)
}
