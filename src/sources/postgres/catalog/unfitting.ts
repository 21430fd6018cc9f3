/** Patterns that mean to leave rows out, and fit nothing: what they were written for is in the snapshot. */
import { BackupError } from '../../../errors.ts'
import type { SourceContext } from '../../source.ts'
import type { PatternFilter } from '../options.ts'

export interface Unfitting {
  readonly option: 'where' | Exclude<keyof PatternFilter, 'schemas' | 'tables'>
  readonly pattern: string
}

/** Those that pg_dump takes, too, and never misses; their tables may be there at some times only. */
const MAY_BE_GONE: ReadonlySet<string> = new Set(['excludeTables', 'excludeSchemas'])

/**
 * `databases`: of each, what fits nothing in it. One that holds the table is enough. A name without wildcards that is not
 * there is refused, everything else is a warning. @throws BackupError SOURCE_NOT_FOUND
 */
export function judgeUnfitting(databases: readonly (readonly Unfitting[])[], warn: SourceContext['warn']): void {
  const [first = [], ...others] = databases
  const isNowhere = ({ option, pattern }: Unfitting): boolean =>
    others.every((list) => list.some((one) => one.option === option && one.pattern === pattern))
  for (const { option, pattern } of first.filter(isNowhere)) {
    const message = `option '${option}': nothing fits ${pattern}`
    const details = { option, pattern }
    const mustFit = !MAY_BE_GONE.has(option) && !/[*?|+[(]/.test(pattern)
    if (!mustFit) warn({ code: 'SOURCE_FINDING', message, details })
    else
      throw new BackupError('SOURCE_NOT_FOUND', message, {
        origin: 'source',
        details,
        hint: 'Correct it, so that no rows are stored that should not be: upper case in double quotes, and without a schema only what the search path shows',
      })
  }
}
