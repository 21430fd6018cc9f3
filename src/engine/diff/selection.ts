/** From what users select to what workers test entries with. */
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import { invalidOption } from '../options/index.ts'
import type { Selection } from '../types/browse.ts'

export function selectorPlain({ include, exclude, changedAfter }: Selection = {}): SelectorPlain {
  return {
    include: include ?? [],
    exclude: exclude ?? [],
    ...(changedAfter && { changedAfterNs: BigInt(changedAfter.getTime()) * 1_000_000n }),
  }
}

/** A name that nobody has is a mistake, which would look like "no change". */
export function assertSources(wanted: readonly string[] | undefined, known: ReadonlySet<string>, of: string): void {
  const foreign = wanted?.find((name) => !known.has(name))
  if (foreign !== undefined) throw invalidOption('select.sources', `names of sources of ${of}`, foreign, 'diff')
}
