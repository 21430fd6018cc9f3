/**
 * pg_dump puts a random word around what it writes for psql, so that nothing in a database can pass for psql's own commands;
 * the script would be another one each time for that alone. One word for all snapshots of a source, kept in their facts, is
 * as good: who could write it into the database would have to read the snapshots first.
 */
import { randomBytes } from '../../crypto/random.ts'
import type { Json } from '../../errors.ts'
import type { PostgresSettings } from './options.ts'

const own = new WeakMap<PostgresSettings, string>()

/** Of the previous snapshot, or else of this source in this process. */
export function restrictKey(settings: PostgresSettings, parent: Readonly<Record<string, Json>> | undefined): string {
  const before = parent?.restrictKey
  if (typeof before === 'string' && /^[A-Za-z0-9]{16,64}$/.test(before)) return before
  const key = own.get(settings) ?? Buffer.from(randomBytes(24)).toString('hex')
  own.set(settings, key)
  return key
}

/** The first releases of each major that take it as an option; those before write no such word. */
const SINCE: Readonly<Record<string, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 }

/** `version` of the program, as in '15.18'. */
export function takesRestrictKey(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major >= 18 || minor >= (SINCE[major] ?? Number.POSITIVE_INFINITY)
}
