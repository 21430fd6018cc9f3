/** What of the trees of snapshots is to be erased, and which other entries hold the same content. */
import type { SnapshotRecord, SnapshotSourceRecord } from '../../model/snapshot.ts'
import { rangeThrough } from '../../repository/cache/object-cache.ts'
import type { SelectorPlain } from '../../workers/browse/entry-selector.ts'
import type { EraseCount, EraseFindings, EraseInit, EraseJob } from '../../workers/rewrite/erase.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import type { Handlers, Session } from '../../workers/threads/rpc.ts'
import { moved, type Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { treeRoot } from '../snapshots/view.ts'

/** So many paths are listed, of each kind. */
const MAX_LISTED = 1000

/** A snapshot's record, or that of a forgotten one. */
export type Looked = Pick<SnapshotRecord, 'id' | 'sources'>

export interface CountedSource {
  readonly source: SnapshotSourceRecord
  readonly count: EraseCount
}

export class EraseSurvey {
  private readonly session: Session

  private constructor(session: Session) {
    this.session = session
  }

  static async open(reading: Reading, drop: SelectorPlain, run: RunContext): Promise<EraseSurvey> {
    const { repository } = reading.engine
    const { cache } = repository.repository
    const init: EraseInit = { vault: repository.vault(), tables: repository.index.plain, drop, listed: MAX_LISTED }
    const handlers: Handlers = {
      range: async (request: RangeRequest) => moved(await rangeThrough(cache, request, () => reading.range(request))),
      walked: (entries: number) => run.progress.add({ items: entries }),
    }
    return new EraseSurvey(reading.track(await reading.lease.threads[0]!.open('erase', init, handlers)))
  }

  /** Of each source that holds any. */
  async count({ sources }: Looked): Promise<CountedSource[]> {
    const counted: CountedSource[] = []
    for (const source of sources) {
      const root = treeRoot(source)
      const job: EraseJob | undefined = root ? { source: source.name, root } : undefined
      const count = job && (await this.session.call<EraseCount>('count', job))
      if (count && count.entries > 0) counted.push({ source, count })
    }
    return counted
  }

  /** Once all was counted: what else there is of that content, in these. */
  async share(all: readonly Looked[]): Promise<EraseFindings> {
    for (const { sources } of all) {
      for (const source of sources) {
        const root = treeRoot(source)
        if (root) await this.session.call('share', { source: source.name, root } satisfies EraseJob)
      }
    }
    return await this.session.call<EraseFindings>('findings', null)
  }
}

/** Patterns name sources, too: those that are not meant are left out as a whole. */
export function dropOf(
  { paths, sources }: { paths: readonly string[]; sources?: readonly string[] },
  all: readonly Looked[],
): SelectorPlain {
  const names = new Set(all.flatMap((each) => each.sources.map(({ name }) => name)))
  return { include: paths, exclude: sources ? [...names].filter((name) => !sources.includes(name)) : [] }
}
