/** restore: does what a plan says, and takes back what it made if it cannot finish. */
import { BackupError } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { ParsedRestoreOptions } from '../options/restore.ts'
import { requireConfirmation, requireOwnPlan } from '../plan-digest.ts'
import { withReading } from '../reading/reading.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import { findSnapshot } from '../snapshots/load.ts'
import type { EngineContext } from '../types/context.ts'
import type { RestorePlan, RestoreResult } from '../types/restore.ts'
import { chooseDestinations, type Destination } from './destinations.ts'
import { warnOfMissing } from './missing-entries.ts'
import { recallSinks } from './plan-sinks.ts'
import type { RestoreRequest } from './restore-request.ts'
import { SinkRun } from './sink-run.ts'

export function restore(
  engine: EngineContext,
  plan: RestorePlan,
  options: ParsedRestoreOptions,
): Promise<RestoreResult> {
  const call = {
    verb: 'restore' as const,
    options,
    describe: describeOptions(options),
    summarize: ({ totals }: BodyResult<'restore'>) => ({
      snapshot: plan.snapshot,
      counts: { created: totals.create.count, bytes: totals.create.bytes },
    }),
  }
  return withRun(engine, call, (run) => runRestore(engine, plan, options, run))
}

async function runRestore(
  engine: EngineContext,
  plan: RestorePlan,
  options: ParsedRestoreOptions,
  run: RunContext,
): Promise<BodyResult<'restore'>> {
  checkPlan(engine, plan, options)
  const request = plan.request as unknown as RestoreRequest
  const to = request.folder === null ? { sinks: recallSinks(engine, plan.digest) } : { folder: request.folder }
  const destinations = chooseDestinations(to, request.sources)
  const snapshot = await stillThere(engine, plan, run.signal)
  warnOfMissing(snapshot.record, run)
  for (const destination of destinations) await stillEmpty(destination)
  const isCounted = destinations.every(({ sink }) => sink.plan === undefined)
  run.progress.total({ items: isCounted ? plan.totals.create.count : null, bytes: plan.space.needed })
  run.progress.phase('restore')
  return withReading(engine, run.signal, async (reading) => {
    const sinks = new SinkRun({ reading, snapshot, request, run, verify: options.verify, drill: false })
    await restoreAll(sinks, destinations, run).catch(async (error: unknown) => {
      throw (await forgottenMeanwhile(engine, plan.snapshot, error, run.signal)) ?? error
    })
    return { totals: plan.totals, verified: sinks.isVerified, places: sinks.places() }
  })
}

function checkPlan(engine: EngineContext, plan: RestorePlan, { confirm }: ParsedRestoreOptions): void {
  requireOwnPlan(plan, engine.repository.id)
  refuseBlocked(plan)
  requireConfirmation(plan, confirm)
}

const MAX_NAMED = 20

function refuseBlocked({ totals, changes }: RestorePlan): void {
  const { count } = totals.blocked
  if (count === 0) return
  const named = changes.filter(({ type }) => type === 'blocked').slice(0, MAX_NAMED)
  const reasons = named.map(({ to, reason }) => (reason === undefined ? to : `${to}: ${reason}`))
  throw new BackupError('RESTORE_BLOCKED', `${count} of the plan's changes cannot be made: ${reasons.join('; ')}`, {
    origin: 'sink',
    details: { count, blocked: named.map(({ path, to, reason = null }) => ({ path, to, reason })) },
    hint: 'Remove what is in the way, or select without it, and make a new plan.',
  })
}

async function stillThere(engine: EngineContext, plan: RestorePlan, signal: AbortSignal): Promise<SnapshotInfo> {
  try {
    return await findSnapshot(engine, plan.snapshot, signal)
  } catch (error) {
    if (!BackupError.is(error) || error.code !== 'SNAPSHOT_NOT_FOUND') throw error
    throw new BackupError('PLAN_STALE', 'The snapshot of this plan is gone.', {
      origin: 'usage',
      hint: 'Make a plan for another snapshot.',
      cause: error,
    })
  }
}

/** What looks like damage is none where the snapshot was forgotten, and a prune has freed what it needed. */
async function forgottenMeanwhile(
  engine: EngineContext,
  snapshot: string,
  error: unknown,
  signal: AbortSignal,
): Promise<BackupError | undefined> {
  if (!BackupError.is(error) || error.origin !== 'repository' || signal.aborted) return undefined
  const found = await findSnapshot(engine, snapshot, signal).catch((cause: unknown) => cause)
  if (!BackupError.is(found) || found.code !== 'SNAPSHOT_NOT_FOUND') return undefined
  return new BackupError('SNAPSHOT_NOT_FOUND', `Snapshot ${snapshot} was forgotten and pruned while it was restored.`, {
    origin: 'repository',
    details: { snapshot },
    hint: 'Nothing of it was left at the destination. Restore another snapshot.',
    cause: error,
  })
}

async function stillEmpty(destination: Destination): Promise<void> {
  try {
    await destination.requireEmpty()
  } catch (error) {
    if (!BackupError.is(error) || error.code !== 'RESTORE_CONFLICT') throw error
    throw new BackupError('PLAN_STALE', `Something has come where this plan would restore to: ${error.message}`, {
      origin: 'usage',
      details: error.details,
      hint: 'Make a new plan.',
      cause: error,
    })
  }
}

/** Two phases: all sinks are prepared before the first one commits, and all is taken back if one fails. */
async function restoreAll(sinks: SinkRun, destinations: readonly Destination[], run: RunContext): Promise<void> {
  try {
    await sinks.fill(destinations)
    run.progress.phase('prepare')
    await sinks.prepare()
    run.progress.phase('commit')
    await sinks.commit()
  } catch (error) {
    await sinks.rollback(error)
    throw error
  } finally {
    await sinks.close()
  }
}
