/** All that a plan says, and all that a repair works with: both look anew, so that a repair never goes by what was true once. */

import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import type { Source } from '../../sources/source.ts'
import type { Target } from '../../targets/target.ts'
import type { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { CheckWork } from '../verify/check-work.ts'
import { Findings } from '../verify/findings.ts'
import { lostPaths, readLive } from './live.ts'
import { Losses, lostChunks, type SnapshotLoss } from './losses.ts'
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
  /** With the mirrors, but before anything comes from a live source. */
  readonly before: readonly SnapshotLoss[]
  /** Chunks that mirrors, in other packs, or live sources still have, CHUNK_ROW_BYTES each. */
  readonly healable: Uint8Array
  /** What nothing can bring back. */
  readonly after: readonly SnapshotLoss[]
  /** Ids of forgotten snapshots that have lost something. */
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
    const unsound = found.snapshots.filter(({ id }) => found.unsound.has(id)).map(({ record }) => record)
    const before = await lossesOf(losses, unsound)
    const healable = await tryLive(work, run, places, reading, before)
    if (healable.length > 0) await losses.save(healable)
    const after = healable.length > 0 ? await lossesOf(losses, unsound) : before
    const isHurt = found.bad.length > 0 || unsound.length > 0
    const trash = isHurt ? (await lossesOf(losses, found.trash)).map(({ snapshot }) => snapshot) : []
    return { work, mirrors, found, before, healable, after, trash }
  } finally {
    await losses.close()
  }
}

async function lossesOf(losses: Losses, records: readonly SnapshotRecord[]): Promise<SnapshotLoss[]> {
  const lost: SnapshotLoss[] = []
  for (const record of records) {
    const loss = await losses.of(record)
    if (loss) lost.push(loss)
  }
  return lost
}

/** Reads, and stores nothing. */
async function tryLive(
  work: CheckWork,
  run: RunContext,
  { sources, mirrors }: Places,
  reading: Reading,
  losses: readonly SnapshotLoss[],
): Promise<Uint8Array> {
  const wanted = lostChunks(losses)
  if (wanted.length < CHUNK_ROW_BYTES || sources.length + mirrors.length === 0) return new Uint8Array(0)
  run.progress.phase('read sources')
  const session = await openRepair(work, reading, [])
  try {
    await session.call('wanted', wanted)
    await readMirrors(work, reading, mirrors, wanted, session)
    await readLive(work.engine, run, sources, lostPaths(losses), session)
    return await session.call<Uint8Array>('found', null)
  } finally {
    await reading.end(session)
  }
}
