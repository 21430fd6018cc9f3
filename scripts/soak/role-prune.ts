/** Forgets snapshots and prunes, again and again, beside everybody else. */
import { type BackupEngine, BackupError } from '../../src/index.ts'
import type { Journal } from './journal.ts'
import type { Actor } from './roles.ts'
import { openEngine } from './settings.ts'

/** Of those that may go. */
const FORGOTTEN = 0.4
const PAUSE_MS = 1500
/** The least that is allowed: by a hurried clock that is some seconds. */
export const DEAD_RUN_MS = 180_000

export async function forgetAndPrune(actor: Actor): Promise<void> {
  const { settings } = actor
  while (!actor.stopped()) {
    const engine = await openEngine(settings, settings.name)
    try {
      await forgetSome(engine, actor)
      await pruneOnce(engine, actor.journal)
      actor.pieceDone()
    } finally {
      await engine.close()
    }
    await actor.pause(PAUSE_MS * actor.random())
  }
}

async function forgetSome(engine: BackupEngine, { settings, journal, random }: Actor): Promise<void> {
  const seen = new Map<string, number>()
  const old = (await engine.snapshots().toArray()).filter(({ host }) => {
    const nth = (seen.get(host) ?? 0) + 1
    seen.set(host, nth)
    return nth > settings.keep
  })
  const snapshots = old.map(({ id }) => id).filter(() => random() < FORGOTTEN)
  if (snapshots.length === 0) return
  const plan = await engine.planForget({ snapshots })
  journal.write({ what: 'forget', ids: snapshots })
  await engine.forget(plan, { confirm: plan.digest, deadRunMs: DEAD_RUN_MS })
}

async function pruneOnce(engine: BackupEngine, journal: Journal): Promise<void> {
  const plan = await engine.planPrune({ keepDeletedMs: 0 })
  try {
    const { state, freedBytes, deleted, rewritten, rescued } = await engine.prune(plan, {
      confirm: plan.digest,
      deadRunMs: DEAD_RUN_MS,
      // Longer than the dead are waited for, and not for ever.
      waitMs: DEAD_RUN_MS * 2,
    })
    journal.write({
      what: 'pruned',
      state,
      freedBytes,
      deletedPacks: deleted.packs,
      rewrittenPacks: rewritten.packs,
      rescued,
    })
  } catch (error) {
    // The prune of the life before had an outcome only now.
    if (!BackupError.is(error) || error.code !== 'PLAN_STALE') throw error
    journal.write({ what: 'failed', code: error.code, message: error.message, retryable: true })
  }
}
