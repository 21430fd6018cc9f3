/** CREATE DATABASE as the one of the snapshot was made: encoding, locale and its provider. */
import type { Json } from '../../../errors.ts'
import type { PgClient } from '../connection.ts'
import { quoteIdent, quoteLiteral } from '../names.ts'
import { sinkError } from './sql-error.ts'

type Facts = Readonly<Record<string, Json>>

const PROVIDERS: Readonly<Record<string, string>> = { c: 'libc', i: 'icu', b: 'builtin', d: 'libc' }

/** 'libc', 'icu' or 'builtin'. */
export function providerOf(facts: Facts): string {
  const given = typeof facts.provider === 'string' ? facts.provider : 'libc'
  return PROVIDERS[given] ?? given
}

export async function createDatabase(
  client: PgClient,
  name: string,
  facts: Facts,
  tablespace: string | undefined,
): Promise<void> {
  const { rows } = await client.query<{ num: number }>("SELECT current_setting('server_version_num')::int AS num")
  const options = localeOptions(facts, rows[0]?.num ?? 0)
  // Where databases are made anyway; naming it takes a right on it.
  if (tablespace !== undefined && tablespace !== 'pg_default') options.push(`TABLESPACE ${quoteIdent(tablespace)}`)
  try {
    await client.query(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE template0 ${options.join(' ')}`)
  } catch (error) {
    throw sinkError(error, `creating database ${name}`, { database: name })
  }
}

function localeOptions(facts: Facts, serverVersion: number): string[] {
  const options: string[] = []
  const add = (keyword: string, value: Json | undefined): void => {
    if (typeof value === 'string' && value !== '') options.push(`${keyword} ${quoteLiteral(value)}`)
  }
  add('ENCODING', facts.encoding)
  add('LC_COLLATE', facts.collate)
  add('LC_CTYPE', facts.ctype)
  const provider = providerOf(facts)
  if (serverVersion < 150000) return options
  options.push(`LOCALE_PROVIDER ${provider}`)
  if (provider === 'icu') add('ICU_LOCALE', facts.locale)
  if (provider === 'icu' && serverVersion >= 160000) add('ICU_RULES', facts.icuRules)
  if (provider === 'builtin') add('BUILTIN_LOCALE', facts.locale)
  return options
}
