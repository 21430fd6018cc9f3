/** Copies in `trash/` whose snapshots are there: a forgetting that was cut short has left them, or one is under way. */
import { newId } from '../../crypto/random.ts'
import { MAX_FORGETS } from '../../model/run.ts'
import { decodeSnapshotObject } from '../../model/tombstone.ts'
import { snapshotKey, trashKey } from '../keys-layout.ts'
import type { Records } from '../records.ts'
import { announceRun, leaveRun } from '../runs.ts'
import { SURE_TO_LIVE_MS } from '../runs-heartbeat.ts'
import { announcedAbout, whoLives } from './announced.ts'
import type { PruneOptions } from './types.ts'
import { PRUNE_VERB } from './wait.ts'

/**
 * Takes them away, unless one who lives is about to forget that snapshot: then the copy may be all that is left of it in a
 * moment. Whoever comes later sees `runs/<id>` of this, and waits until it is over.
 */
export async function tidyTrash(left: readonly string[], options: PruneOptions): Promise<void> {
  for (let at = 0; at < left.length; at += MAX_FORGETS) await tidySome(left.slice(at, at + MAX_FORGETS), options)
}

async function tidySome(forgets: readonly string[], options: PruneOptions): Promise<void> {
  const { records, clock, host, signal, stillMs, pollMs, waitMs, onWait } = options
  const runId = newId(clock.now())
  const presence = await announceRun(records, { runId, verb: PRUNE_VERB, host, clock, signal, forgets })
  try {
    const others = await announcedAbout(records, new Set(forgets), { self: runId, signal })
    const rivals = others.filter(({ verb }) => verb !== PRUNE_VERB)
    const wait = (): void => onWait?.(rivals.map(({ run }) => run))
    const living = await whoLives(rivals, {
      records,
      clock,
      signal,
      stillMs,
      pollMs,
      waitMs,
      until: 'life',
      onWait: wait,
    })
    for (const id of forgets) {
      if (living.some(({ ids }) => ids.has(id)) || !(await isThere(records, id, signal))) continue
      // Silent for too long: others may have taken this run for dead, and be at work.
      if (presence.heartbeat.longestSilenceMs > SURE_TO_LIVE_MS) return
      await records.target.delete([trashKey(id)], { signal })
    }
  } finally {
    await leaveRun(records, runId, presence)
  }
}

async function isThere(records: Records, id: string, signal: AbortSignal): Promise<boolean> {
  const key = snapshotKey(id)
  const stored = await records.find(key, { signal })
  return stored !== undefined && 'snapshot' in decodeSnapshotObject(records.open('snapshots', key, stored), key)
}
