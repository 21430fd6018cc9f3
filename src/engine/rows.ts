/** Rows of tables, where a source counts them: the fact `rows` of an entry with content. */
import type { EntryFacts } from '../sources/source.ts'

export function rowsIn(facts: EntryFacts | undefined): number | undefined {
  const rows = facts?.rows
  return typeof rows === 'number' && Number.isSafeInteger(rows) && rows >= 0 ? rows : undefined
}
