/** What a plan keeps of its request: enough to run it, where no sink object is needed. */
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import type { EntryPath } from '../types/browse.ts'

export interface RestoreRequest {
  folder: string | null
  sources: string[]
  include: string[]
  exclude: string[]
  changedAfter: string | null
  rename?: Readonly<Record<EntryPath, EntryPath>>
}

export function selectorOf({
  include,
  exclude,
  changedAfter,
}: Pick<RestoreRequest, 'include' | 'exclude' | 'changedAfter'>): SelectorPlain {
  return {
    include,
    exclude,
    ...(changedAfter !== null && { changedAfterNs: BigInt(Date.parse(changedAfter)) * 1_000_000n }),
  }
}
