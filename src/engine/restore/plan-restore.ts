/** planRestore: says what a restore would do, and touches nothing. */
import { resolve } from 'node:path'
import type { Json } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { CHANGE_TYPES, type ParsedPlanRestoreOptions } from '../options/restore.ts'
import { planDigest } from '../plan-digest.ts'
import { withReading } from '../reading/reading.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import { findSnapshot } from '../snapshots/load.ts'
import type { EngineContext } from '../types/context.ts'
import type { RestoreChange, RestorePlan, RestoreTotals } from '../types/restore.ts'
import { chooseDestinations } from './destinations.ts'
import { rememberSinks } from './plan-sinks.ts'
import { entryNotFound, type PlannedSource, planSources } from './plan-sources.ts'
import type { RestoreRequest } from './restore-request.ts'

export function planRestore(engine: EngineContext, options: ParsedPlanRestoreOptions): Promise<RestorePlan> {
  return withQuietRun(engine, { verb: 'plan-restore', options }, (run) => plan(engine, options, run))
}

async function plan(engine: EngineContext, options: ParsedPlanRestoreOptions, run: RunContext): Promise<RestorePlan> {
  const { signal } = run
  const { inlineChanges } = options
  const snapshot = await findSnapshot(engine, options.snapshot, signal)
  const request = requestOf(options, snapshot)
  const destinations = chooseDestinations(options.to, request.sources)
  for (const destination of destinations) await destination.requireEmpty()
  const planned = await withReading(engine, signal, (reading) =>
    planSources({ reading, snapshot, request, run, inlineChanges }, destinations),
  )
  const made = assemble(engine, snapshot, request, planned, inlineChanges)
  if ('sinks' in options.to) rememberSinks(engine, made.digest, options.to.sinks)
  return made
}

function requestOf({ to, select = {}, rename }: ParsedPlanRestoreOptions, { record }: SnapshotInfo): RestoreRequest {
  const there = record.sources.map(({ name }) => name)
  const wanted = select.sources ?? ('sinks' in to ? Object.keys(to.sinks) : there)
  return {
    folder: 'folder' in to ? resolve(to.folder) : null,
    sources: requireSources(wanted, there),
    include: [...(select.include ?? [])],
    exclude: [...(select.exclude ?? [])],
    changedAfter: select.changedAfter?.toISOString() ?? null,
    ...(rename !== undefined && { rename: { ...rename } }),
  }
}

export function requireSources(wanted: readonly string[], there: readonly string[]): string[] {
  const missing = wanted.find((name) => !there.includes(name))
  if (missing === undefined) return [...wanted]
  throw entryNotFound(missing, `the snapshot has no source ${JSON.stringify(missing)}, only ${there.join(', ')}`)
}

function addUp(planned: readonly PlannedSource[]): RestoreTotals {
  const totals = Object.fromEntries(CHANGE_TYPES.map((type) => [type, { count: 0, bytes: 0 }])) as RestoreTotals
  for (const { type, count, bytes } of planned.flatMap((each) => each.totals)) {
    totals[type].count += count
    totals[type].bytes += bytes
  }
  return totals
}

function assemble(
  engine: EngineContext,
  snapshot: SnapshotInfo,
  request: RestoreRequest,
  planned: readonly PlannedSource[],
  inlineChanges: number,
): RestorePlan {
  const surveys = planned.map(({ survey }) => survey)
  const needed = sum(surveys.map(({ bytes }) => bytes))
  const free = planned[0]?.freeBytes
  const totals = addUp(planned)
  const body: Omit<RestorePlan, 'digest'> = {
    kind: 'restore',
    version: 1,
    repositoryId: engine.repository.id,
    createdAt: engine.clock.now().toISOString(),
    snapshot: snapshot.id,
    request: request as unknown as Json,
    destructive: planned.some(({ destructive }) => destructive),
    totals,
    changes: firstChanges(planned, inlineChanges),
    changesTruncated: sum(Object.values(totals).map(({ count }) => count)) > inlineChanges,
    download: {
      packs: new Set(surveys.flatMap(({ packs }) => packs)).size,
      bytes: sum(surveys.map(({ downloadBytes }) => downloadBytes)),
    },
    space: { needed, ...(free !== undefined && { free }) },
    warnings: [...planned.flatMap(({ warnings }) => warnings), ...spaceWarnings(needed, free)],
  }
  return { ...body, digest: planDigest(body) }
}

/** Where not all find room, those that keep the plan from being run do. */
function firstChanges(planned: readonly PlannedSource[], limit: number): RestoreChange[] {
  const all = planned.flatMap(({ changes }) => changes)
  if (all.length <= limit) return all
  return [...all.filter(isBlocked), ...all.filter((change) => !isBlocked(change))].slice(0, limit)
}

function isBlocked({ type }: RestoreChange): boolean {
  return type === 'blocked'
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function spaceWarnings(needed: number, free: number | undefined): RestorePlan['warnings'] {
  if (free === undefined || free >= needed) return []
  return [{ code: 'SPACE_LOW', message: `${needed} bytes are needed and ${free} are free`, details: { needed, free } }]
}
