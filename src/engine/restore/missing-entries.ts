/** What a repair had to leave out of a snapshot is said whenever that is restored. */
import type { Json } from '../../errors.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { MISSING_FACT } from '../rewrite/rewrite-snapshot.ts'
import type { RunContext } from '../run/context.ts'

const MAX_PATHS = 5

export function warnOfMissing({ id, rewrittenFrom, sources }: SnapshotRecord, run: RunContext): void {
  if (rewrittenFrom?.why !== 'repair') return
  const { entries, bytes, snapshot: from } = rewrittenFrom
  const paths = sources.flatMap(({ name, facts }) => pathsOf(name, facts[MISSING_FACT])).slice(0, MAX_PATHS)
  const message = `Snapshot ${id} lacks ${entries} entries (${bytes} bytes): a repair left them out of ${from}, since their content was lost.`
  run.warn({ code: 'ENTRIES_LOST', message, details: { snapshot: id, from, entries, bytes, paths } })
}

function pathsOf(source: string, fact: Json | undefined): string[] {
  const { list = [] } = (fact ?? {}) as { list?: { path: string }[] }
  return list.map(({ path }) => `${source}/${path}`)
}
