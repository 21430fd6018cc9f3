/** restore: does what a plan says, and takes back what it made if it cannot finish. */
import { BackupError } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { SinkSession } from '../../sources/sink.ts'
import { throwIfAborted } from '../../util/abort.ts'
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
import { type FolderRestore, openFolderRestore, type SourceRestore } from './restore-source.ts'
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
    throw new BackupError('PLAN_FOREIGN', 'This plan is for another repository.', {
      origin: 'usage',
      hint: 'Make a plan with this engine, or run this one with an engine of the repository it was made for.',
    })
  }
  if (planDigest(plan) !== plan.digest) {
    throw new BackupError('PLAN_STALE', 'This plan is not as it was made: its digest differs.', {
      origin: 'usage',
      hint: 'Make a new plan; plans are not to be edited.',
    })
  }
  if (confirm !== undefined && confirm !== plan.digest) {
    throw new BackupError('CONFIRMATION_REQUIRED', 'Another plan than this one was confirmed.', {
      origin: 'usage',
      hint: 'Give the digest of this plan as confirm.',
    })
  }
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
async function restoreAll(
  reading: Reading,
  snapshot: SnapshotInfo,
  request: RestoreRequest,
  destinations: readonly Destination[],
  options: ParsedRestoreOptions,
  run: RunContext,
): Promise<void> {
  const sessions: SinkSession[] = []
  const folders: FolderRestore[] = []
  try {
    for (const destination of destinations) sessions.push(await openSink(destination, snapshot, request, run))
    for (const [i, destination] of destinations.entries()) {
      const common = sourceOptions(snapshot, request, destination, options, run)
      const { place } = sessions[i]!
      if (!place) await restoreThroughSink(reading, sessions[i]!, common)
      else {
        folders.push(await openFolderRestore(reading, { ...common, place }))
        await folders.at(-1)!.run()
      }
    }
    for (const session of sessions) await session.prepare()
    throwIfAborted(run.signal)
    for (const session of sessions) await session.commit()
  } catch (error) {
    for (const folder of folders.reverse()) await folder.undo()
    await Promise.allSettled(sessions.map((session) => session.rollback(error)))
    throw error
  } finally {
    for (const folder of folders) await folder.conclude().catch(() => undefined)
    for (const folder of folders) await folder.close()
    await Promise.allSettled(sessions.map((session) => session[Symbol.asyncDispose]()))
  }
}

/** The facts of the root are those of a whole source: a part of it leaves the folder's own as they are. */
function openSink(
  { source, sink }: Destination,
  { record }: SnapshotInfo,
  { include, exclude, changedAfter }: RestoreRequest,
  run: RunContext,
): Promise<SinkSession> {
  const { root, ...others } = record.sources.find(({ name }) => name === source)?.facts ?? {}
  const isWhole = include.length === 0 && exclude.length === 0 && changedAfter === null
  const facts = isWhole && root !== undefined ? { ...others, root } : others
  return sink.open({ signal: run.signal, runId: run.runId, facts, warn: (warning) => run.warn(warning) })
}

function sourceOptions(
  { record }: SnapshotInfo,
  request: RestoreRequest,
  { source }: Destination,
  { verify }: ParsedRestoreOptions,
  run: RunContext,
): Omit<SourceRestore, 'place'> {
  return {
    source,
    root: treeRoot(record.sources.find(({ name }) => name === source)),
    select: selectorOf(request),
    verify,
    warn: run.warn,
    done: (items: number, bytes: number, path: string) =>
      run.progress.add({ items, bytes, ...(path !== '' && { currentPath: `${source}/${path}` }) }),
  }
}
