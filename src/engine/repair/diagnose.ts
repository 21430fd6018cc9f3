/** All that a plan says, and all that a repair works with: both look anew, so that a repair never goes by what was true once. */
import type { Source } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import type { FoundChunks } from '../../workers/repair/heal.ts'
import { IdSet, type LostRows } from '../../workers/repair/losses.ts'
import type { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { CheckWork } from '../verify/check-work.ts'
import { Findings } from '../verify/findings.ts'
import { type LostPaths, readLive } from './live.ts'
import { Losses, type SnapshotLoss } from './losses.ts'
import { readMirrors } from './mirror-chunks.ts'
import { Mirrors } from './mirrors.ts'
import { openRepair } from './stock.ts'
import { type Survey, survey } from './survey.ts'

export interface Places {
  readonly sources: readonly Source[]
  readonly mirrors: readonly Target[]
}

export interface Diagnosis {
  readonly work: CheckWork
  readonly mirrors: Mirrors
  readonly found: Survey
  /** Entries that had lost something before anything comes from mirrors, chunk by chunk, or from a live source. */
  readonly paths: LostPaths
  /** Chunks that mirrors, in other packs, or live sources still have, CHUNK_ROW_BYTES each. */
  readonly healable: Uint8Array
  /** False: below pages that come back there may be more that can be had. */
  readonly isWhole: boolean
  /** What nothing can bring back. */
  readonly after: readonly SnapshotLoss[]
  /** Ids of forgotten snapshots that have lost something for good. */
  readonly trash: readonly string[]
}

export async function diagnose(
  engine: EngineContext,
  level: 'structure' | 'data',
  places: Places,
  run: RunContext,
  reading: Reading,
): Promise<Diagnosis> {
  const { signal, progress } = run
  const work: CheckWork = { engine, options: { level, snapshots: 'all' }, signal, progress, findings: new Findings() }
  const mirrors = new Mirrors(engine, places.mirrors, signal)
  const found = await survey(work, reading, mirrors)
  const losses = await Losses.open(work, reading, mirrors, found)
  try {
    progress.phase('assess')
    return { work, mirrors, found, ...(await assess(losses, found, new Search(work, run, places, reading))) }
  } finally {
    await losses.close()
  }
}

/** Pages and lists that are found again name more that may be lost, and found: so in rounds. */
async function assess(
  losses: Losses,
  found: Survey,
  search: Search,
): Promise<Pick<Diagnosis, 'paths' | 'healable' | 'isWhole' | 'after' | 'trash'>> {
  const snapshots = found.snapshots.filter(({ id }) => found.unsound.has(id)).map(({ record }) => record)
  const forgotten = found.trash.filter(({ id }) => found.unsoundTrash.has(id))
  let isWhole = true
  for (;;) {
    const [after, trash] = await losses.all(snapshots, forgotten)
    const more = await search.more(losses)
    if (!more) {
      const { paths, healable } = search
      return {
        paths,
        healable: Buffer.concat(healable),
        isWhole,
        after: after!,
        trash: trash!.map((each) => each.snapshot),
      }
    }
    isWhole = (await losses.save(more)) && isWhole
  }
}

/** Looks for what is lost, in mirrors and live sources. Reads, and stores nothing. */
class Search {
  readonly paths = new Map<string, Set<string>>()
  readonly healable: Uint8Array[] = []
  private readonly tried = new IdSet()
  private readonly work: CheckWork
  private readonly run: RunContext
  private readonly places: Places
  private readonly reading: Reading

  constructor(work: CheckWork, run: RunContext, places: Places, reading: Reading) {
    this.work = work
    this.run = run
    this.places = places
    this.reading = reading
  }

  /** Of what was not looked for before; undefined: nothing was found. */
  async more(losses: Losses): Promise<FoundChunks | undefined> {
    const { sources, mirrors } = this.places
    if (sources.length + mirrors.length === 0) return undefined
    const { rows: all, naming } = await losses.lostRows()
    const rows = this.tried.addAll(all)
    if (rows.length === 0) return undefined
    for (const [source, paths] of await losses.lostPaths()) {
      const known = this.paths.get(source) ?? new Set()
      this.paths.set(source, known)
      for (const path of paths) known.add(path)
    }
    const found = await this.look({ rows, naming })
    if (found.rows.length === 0) return undefined
    this.healable.push(found.rows)
    return found
  }

  private async look(wanted: LostRows): Promise<FoundChunks> {
    const { work, run, places, reading } = this
    run.progress.phase('read sources')
    const session = await openRepair(work, reading, [])
    try {
      await session.call('wanted', wanted)
      await readMirrors(work, reading, places.mirrors, wanted.rows, session)
      await readLive(work.engine, run, places.sources, this.paths, session)
      return await session.call<FoundChunks>('found', null)
    } finally {
      await reading.end(session)
    }
  }
}
