/** After an erasure: what has come since its plan was made, and holds the entries, or may come and hold them. */
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { isMissing } from '../../repository/prune/survey.ts'
import { isDamage } from '../../repository/records-listing.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { ErasePlan } from '../types/erase.ts'
import { unlooked } from './everything.ts'
import { dropOf, EraseSurvey } from './survey.ts'

/** Ids that a warning lists; it counts all. */
const MAX_NAMED = 20

interface Erased {
  readonly engine: EngineContext
  readonly request: ErasePlan['request']
  readonly run: RunContext
  readonly lease: Lease
  /** Snapshots that hold nothing of it, or were named. */
  readonly looked: ReadonlySet<string>
}

export async function warnOfOthers(erased: Erased): Promise<void> {
  const { engine, run, looked } = erased
  const { snapshots: others, runs } = await unlooked(engine.repository.repository, looked, { signal: run.signal })
  const snapshots = others.length > 0 ? await holding(others, erased) : []
  const said = [
    ...(snapshots.length > 0 ? [`${snapshots.length} snapshots that came after the plan hold the entries`] : []),
    ...(runs.length > 0 ? [`${runs.length} runs are under way, or have died, that may still store them`] : []),
  ]
  if (said.length === 0) return
  run.warn({
    code: 'ERASE_AGAIN',
    message: `${said.join(', and ')}: make another plan${runs.length > 0 ? ' when they are over' : ''}`,
    details: {
      count: snapshots.length,
      snapshots: snapshots.slice(0, MAX_NAMED),
      ...(runs.length > 0 && { runs: runs.slice(0, MAX_NAMED) }),
    },
  })
}

/** Ids. One of which something is lost may hold them. */
async function holding(others: readonly SnapshotRecord[], { engine, request, run, lease }: Erased): Promise<string[]> {
  run.progress.phase('look again')
  run.progress.total({ items: others.flatMap(({ sources }) => sources).reduce((sum, { entries }) => sum + entries, 0) })
  await engine.repository.refreshIndex(lease, run.signal)
  const reading = new Reading(engine, { ...lease, release: () => undefined }, run.signal)
  try {
    const survey = await EraseSurvey.open(reading, dropOf(request, others), run)
    const found: string[] = []
    for (const record of others) if (await holds(survey, record)) found.push(record.id)
    return found.sort()
  } finally {
    await reading.close()
  }
}

async function holds(survey: EraseSurvey, record: SnapshotRecord): Promise<boolean> {
  try {
    return (await survey.count(record)).length > 0
  } catch (error) {
    if (isLost(error)) return true
    throw error
  }
}

function isLost(error: unknown): boolean {
  return isDamage(error) || isMissing(error)
}
