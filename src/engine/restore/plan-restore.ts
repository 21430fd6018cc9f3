/** planRestore: says what a restore would do, and touches nothing. */
import { resolve } from 'node:path'
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError, type Json } from '../../errors.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { SelectorPlain } from '../../workers/entry-selector.ts'
import type { Survey } from '../../workers/restore-survey.ts'
import { findSnapshot } from '../load-snapshots.ts'
import type { ParsedPlanRestoreOptions } from '../options-restore.ts'
import { type Reading, withReading } from '../reading.ts'
import { type RunContext, withQuietRun } from '../run-context.ts'
import { treeRoot } from '../snapshot-view.ts'
import type { EngineContext } from '../types-context.ts'
import type { RestoreChange, RestoreChangeType, RestorePlan, RestoreTotals } from '../types-restore.ts'
import { chooseDestinations, type Destination } from './destinations.ts'
import { rememberSinks } from './plan-sinks.ts'

/** What a plan keeps of its request: enough to run it, where no sink object is needed. */
export interface RestoreRequest {
  folder: string | null
  sources: string[]
  include: string[]
  exclude: string[]
  changedAfter: string | null
}

export function planRestore(engine: EngineContext, options: ParsedPlanRestoreOptions): Promise<RestorePlan> {
  return withQuietRun(engine, { verb: 'plan-restore', options }, (run) => plan(engine, options, run))
}

async function plan(engine: EngineContext, options: ParsedPlanRestoreOptions, run: RunContext): Promise<RestorePlan> {
  const { signal } = run
  const snapshot = await findSnapshot(engine, options.snapshot, signal)
  const request = requestOf(options, snapshot)
  const destinations = chooseDestinations(options.to, request.sources)
  for (const destination of destinations) await destination.requireEmpty()
  const surveys = await withReading(engine, signal, (reading) =>
    surveyAll(reading, snapshot, destinations, request, options.inlineChanges, run),
  )
  const free = await destinations[0]?.freeBytes()
  const made = assemble(engine, snapshot, request, destinations, surveys, options.inlineChanges, free)
  if ('sinks' in options.to) rememberSinks(engine, made.digest, options.to.sinks)
  return made
}

function requestOf({ to, select = {} }: ParsedPlanRestoreOptions, { record }: SnapshotInfo): RestoreRequest {
  const there = record.sources.map(({ name }) => name)
  const wanted = select.sources ?? ('sinks' in to ? Object.keys(to.sinks) : there)
  return {
    folder: 'folder' in to ? resolve(to.folder) : null,
    sources: requireSources(wanted, there),
    include: [...(select.include ?? [])],
    exclude: [...(select.exclude ?? [])],
    changedAfter: select.changedAfter?.toISOString() ?? null,
  }
}

function requireSources(wanted: readonly string[], there: readonly string[]): string[] {
  const missing = wanted.find((name) => !there.includes(name))
  if (missing === undefined) return [...wanted]
  throw entryNotFound(missing, `the snapshot has no source ${JSON.stringify(missing)}, only ${there.join(', ')}`)
}

function entryNotFound(path: string, message: string): BackupError {
  return new BackupError('ENTRY_NOT_FOUND', message, {
    origin: 'usage',
    details: { path },
    hint: 'List its entries to see what it holds; patterns begin with the name of the source.',
  })
}

export function selectorOf({
  include,
  exclude,
  changedAfter,
}: Omit<RestoreRequest, 'folder' | 'sources'>): SelectorPlain {
  return {
    include,
    exclude,
    ...(changedAfter !== null && { changedAfterNs: BigInt(Date.parse(changedAfter)) * 1_000_000n }),
  }
}

async function surveyAll(
  reading: Reading,
  { record }: SnapshotInfo,
  destinations: readonly Destination[],
  request: RestoreRequest,
  inlineChanges: number,
  run: RunContext,
): Promise<Survey[]> {
  const surveys: Survey[] = []
  run.progress.phase('plan')
  for (const { source } of destinations) {
    const root = treeRoot(record.sources.find(({ name }) => name === source))
    const session = await reading.open('restore-survey', { root, source, select: selectorOf(request) })
    surveys.push(await session.call<Survey>('survey', inlineChanges + 1))
  }
  if (surveys.every(({ entries }) => entries === 0) && request.include.length > 0) {
    throw entryNotFound(request.include.join(', '), `nothing in the snapshot fits ${request.include.join(', ')}`)
  }
  return surveys
}

const NOTHING = { count: 0, bytes: 0 }

export function createTotals(count: number, bytes: number): RestoreTotals {
  const types: RestoreChangeType[] = ['update-content', 'update-metadata', 'replace-type', 'delete-extra', 'identical']
  const conflicts: RestoreChangeType[] = ['conflict-modified', 'conflict-deleted', 'conflict-extra', 'blocked']
  const none = Object.fromEntries([...types, ...conflicts].map((type) => [type, { ...NOTHING }]))
  return { ...none, create: { count, bytes } } as RestoreTotals
}

function assemble(
  engine: EngineContext,
  snapshot: SnapshotInfo,
  request: RestoreRequest,
  destinations: readonly Destination[],
  surveys: readonly Survey[],
  inlineChanges: number,
  free: number | undefined,
): RestorePlan {
  const entries = surveys.reduce((sum, each) => sum + each.entries, 0)
  const bytes = surveys.reduce((sum, each) => sum + each.bytes, 0)
  const changes = surveys.flatMap((survey, i) => survey.listed.map((each) => changeOf(destinations[i]!, each)))
  const packs = new Set(surveys.flatMap((survey) => survey.packs))
  const body: Omit<RestorePlan, 'digest'> = {
    kind: 'restore',
    version: 1,
    repositoryId: engine.repository.id,
    createdAt: engine.clock.now().toISOString(),
    snapshot: snapshot.id,
    request: request as unknown as Json,
    destructive: false,
    totals: createTotals(entries, bytes),
    changes: changes.slice(0, inlineChanges),
    changesTruncated: entries > inlineChanges,
    download: { packs: packs.size, bytes: surveys.reduce((sum, each) => sum + each.downloadBytes, 0) },
    space: { needed: bytes, ...(free !== undefined && { free }) },
    warnings: spaceWarnings(bytes, free),
  }
  return { ...body, digest: planDigest(body) }
}

function changeOf(destination: Destination, { path, bytes }: Survey['listed'][number]): RestoreChange {
  const to = destination.describe(path)
  return { path: `${destination.source}/${path}`, to, type: 'create', decision: 'fail', bytes }
}

function spaceWarnings(needed: number, free: number | undefined): RestorePlan['warnings'] {
  if (free === undefined || free >= needed) return []
  return [{ code: 'SPACE_LOW', message: `${needed} bytes are needed and ${free} are free`, details: { needed, free } }]
}

/** Over everything but itself, whatever the order of keys. */
export function planDigest({ digest: _, ...plan }: Omit<RestorePlan, 'digest'> & { digest?: string }): string {
  return sha256Hex(new TextEncoder().encode(canonical(plan as unknown as Json)))
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`
}
