/** What a restore would do with each source: as its sink says, or that all of it is new. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import type { SinkChange, SinkPlan } from '../../sources/sink.ts'
import { latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import type { Survey } from '../../workers/restore/survey.ts'
import { fromPlugin } from '../plugin-errors.ts'
import type { Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { RestoreChange, RestoreChangeType } from '../types/restore.ts'
import type { Destination } from './destinations.ts'
import { parseRenames, renamesOf } from './renames.ts'
import { type RestoreRequest, selectorOf } from './restore-request.ts'
import { selectedEntries } from './selected-entries.ts'
import { readerOptions, sinkContext } from './sink-run.ts'
import { SnapshotReader } from './snapshot-reader.ts'

export interface PlanWork {
  readonly reading: Reading
  readonly snapshot: SnapshotInfo
  readonly request: RestoreRequest
  readonly run: RunContext
  readonly inlineChanges: number
}

export interface PlannedSource {
  readonly survey: Survey
  /** All of a sink's own plan; else the first ones. */
  readonly changes: readonly RestoreChange[]
  readonly totals: readonly { type: RestoreChangeType; count: number; bytes: number }[]
  readonly destructive: boolean
  readonly warnings: readonly Warning[]
  readonly freeBytes: number | undefined
}

export async function planSources(work: PlanWork, destinations: readonly Destination[]): Promise<PlannedSource[]> {
  const { request } = work
  const planned: PlannedSource[] = []
  work.run.progress.phase('plan')
  for (const destination of destinations) planned.push(await planSource(work, destination))
  if (planned.every(({ survey }) => survey.entries === 0) && request.include.length > 0) {
    throw entryNotFound(request.include.join(', '), `nothing in the snapshot fits ${request.include.join(', ')}`)
  }
  const stranger = [...parseRenames(request.rename).keys()].find((source) => !request.sources.includes(source))
  if (stranger !== undefined) throw entryNotFound(stranger, `rename is of ${stranger}, which is not restored`)
  return planned
}

export function entryNotFound(path: string, message: string): BackupError {
  return new BackupError('ENTRY_NOT_FOUND', message, {
    origin: 'usage',
    details: { path },
    hint: 'List its entries to see what it holds; patterns and paths begin with the name of the source.',
  })
}

async function planSource(work: PlanWork, destination: Destination): Promise<PlannedSource> {
  const { reading, snapshot, request, inlineChanges } = work
  const { source, sink } = destination
  const root = treeRoot(snapshot.record.sources.find(({ name }) => name === source))
  const session = await reading.open('restore-survey', { root, source, select: selectorOf(request) })
  const survey = await session.call<Survey>('survey', inlineChanges + 1)
  await checkRenames(work, source)
  if (sink.plan) return fromSink(destination, survey, await askSink(work, destination))
  const renames = renamesOf(request.rename, source)
  return {
    survey,
    changes: survey.listed.map(({ path, bytes }) => ({
      path: `${source}/${path}`,
      to: destination.describe(latin1ToUser(renames.apply(userToLatin1(path)))),
      type: 'create',
      decision: 'fail',
      bytes,
    })),
    totals: [{ type: 'create', count: survey.entries, bytes: survey.bytes }],
    destructive: false,
    warnings: [],
    freeBytes: await destination.freeBytes(),
  }
}

/** @throws BackupError INVALID_OPTIONS where two would meet, ENTRY_NOT_FOUND where nothing is that should move */
async function checkRenames(work: PlanWork, source: string): Promise<void> {
  const { root, ...choice } = readerOptions(work, source)
  if (choice.renames.isEmpty) return
  const unused = new Set(choice.renames.from)
  const session = await work.reading.open('browse')
  for await (const { meta } of root ? selectedEntries(session, { root, ...choice }) : []) {
    for (const path of unused) if (meta.path === path || meta.path.startsWith(`${path}/`)) unused.delete(path)
  }
  const [path] = [...unused].map(latin1ToUser)
  if (path !== undefined) {
    throw entryNotFound(`${source}/${path}`, `nothing that is restored is at ${source}/${path}, which rename names`)
  }
}

async function askSink(work: PlanWork, { source, sink }: Destination): Promise<SinkPlan> {
  const context = await sinkContext({ ...work, drill: false }, source)
  const reader = new SnapshotReader(work.reading, readerOptions(work, source))
  try {
    return await fromPlugin('sink', 'RESTORE_DENIED', source, () => sink.plan!(context, reader))
  } finally {
    await reader.close()
    reader.throwIfDamaged()
  }
}

const TYPES: Readonly<Record<SinkChange['type'], [RestoreChangeType, RestoreChange['decision']]>> = {
  create: ['create', 'fail'],
  replace: ['update-content', 'overwrite'],
  drop: ['delete-extra', 'overwrite'],
  blocked: ['blocked', 'fail'],
}

function fromSink({ source }: Destination, survey: Survey, plan: SinkPlan): PlannedSource {
  const changes = plan.changes.map(({ path, to, type, bytes, reason }): RestoreChange => {
    const [changeType, decision] = TYPES[type]
    const whole = path === '' ? source : `${source}/${path}`
    return { path: whole, to, type: changeType, decision, bytes, ...(reason !== undefined && { reason }) }
  })
  return {
    survey,
    changes,
    totals: changes.map(({ type, bytes }) => ({ type, count: 1, bytes })),
    destructive: plan.destructive || plan.changes.some(({ type }) => type === 'replace' || type === 'drop'),
    warnings: plan.warnings,
    freeBytes: plan.freeBytes,
  }
}
