/** restore: does what a plan says, and takes back what it made if it cannot finish. */
import { BackupError } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { SinkSession } from '../../sources/sink.ts'
import { findSnapshot } from '../load-snapshots.ts'
import type { ParsedRestoreOptions } from '../options-restore.ts'
import { type Reading, withReading } from '../reading.ts'
import { type BodyResult, type RunContext, withRun } from '../run-context.ts'
import { describeOptions } from '../run-report.ts'
import { treeRoot } from '../snapshot-view.ts'
import type { EngineContext } from '../types-context.ts'
import type { RestorePlan, RestoreResult } from '../types-restore.ts'
import { chooseDestinations, type Destination } from './destinations.ts'
import { planDigest, type RestoreRequest, selectorOf } from './plan-restore.ts'
import { recallSinks } from './plan-sinks.ts'
import { restoreSource } from './restore-source.ts'
import { restoreThroughSink } from './sink-restore.ts'

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
  for (const destination of destinations) await stillEmpty(destination)
  const { count, bytes } = plan.totals.create
  run.progress.total({ items: count, bytes })
  run.progress.phase('restore')
  await withReading(engine, run.signal, (reading) => restoreAll(reading, snapshot, request, destinations, options, run))
  const places = Object.fromEntries(destinations.map((each) => [each.source, each.describe('')]))
  return { totals: plan.totals, verified: options.verify, places }
}

function checkPlan(engine: EngineContext, plan: RestorePlan, { confirm }: ParsedRestoreOptions): void {
  if (plan.repositoryId !== engine.repository.id) {
    throw new BackupError('PLAN_FOREIGN', 'This plan is for another repository.', { origin: 'usage' })
  }
  if (planDigest(plan) !== plan.digest) {
    throw new BackupError('PLAN_STALE', 'This plan is not as it was made: its digest differs.', {
      origin: 'usage',
      hint: 'Make a new plan; plans are not to be edited.',
    })
  }
  if (confirm !== undefined && confirm !== plan.digest) {
    throw new BackupError('CONFIRMATION_REQUIRED', 'Another plan than this one was confirmed.', { origin: 'usage' })
  }
}

async function stillThere(engine: EngineContext, plan: RestorePlan, signal: AbortSignal): Promise<SnapshotInfo> {
  try {
    return await findSnapshot(engine, plan.snapshot, signal)
  } catch (error) {
    if (!BackupError.is(error) || error.code !== 'SNAPSHOT_NOT_FOUND') throw error
    throw new BackupError('PLAN_STALE', 'The snapshot of this plan is gone.', { origin: 'usage', cause: error })
  }
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

/** Two phases: all sinks are prepared before the first one commits, and all are rolled back if one fails. */
async function restoreAll(
  reading: Reading,
  snapshot: SnapshotInfo,
  request: RestoreRequest,
  destinations: readonly Destination[],
  options: ParsedRestoreOptions,
  run: RunContext,
): Promise<void> {
  const sessions: SinkSession[] = []
  try {
    for (const destination of destinations) sessions.push(await openSink(destination, snapshot, run))
    for (const [i, destination] of destinations.entries()) {
      await restoreOne(reading, snapshot, request, destination, sessions[i]!, options, run)
    }
    for (const session of sessions) await session.prepare()
    for (const session of sessions) await session.commit()
  } catch (error) {
    await Promise.allSettled(sessions.map((session) => session.rollback(error)))
    throw error
  } finally {
    await Promise.allSettled(sessions.map((session) => session[Symbol.asyncDispose]()))
  }
}

function openSink({ source, sink }: Destination, { record }: SnapshotInfo, run: RunContext): Promise<SinkSession> {
  const facts = record.sources.find(({ name }) => name === source)?.facts ?? {}
  return sink.open({ signal: run.signal, runId: run.runId, facts, warn: (warning) => run.warn(warning) })
}

async function restoreOne(
  reading: Reading,
  { record }: SnapshotInfo,
  request: RestoreRequest,
  { source }: Destination,
  session: SinkSession,
  options: ParsedRestoreOptions,
  run: RunContext,
): Promise<void> {
  const common = {
    source,
    root: treeRoot(record.sources.find(({ name }) => name === source)),
    select: selectorOf(request),
    verify: options.verify,
    warn: run.warn,
    done: (items: number, bytes: number, path: string) =>
      run.progress.add({ items, bytes, ...(path !== '' && { currentPath: `${source}/${path}` }) }),
  }
  const { place } = session
  if (place) await restoreSource(reading, { ...common, place })
  else await restoreThroughSink(reading, session, common)
}
