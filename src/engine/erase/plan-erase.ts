/** planErase: which snapshots hold entries that are to go, how much that is, and what else has the same content. */
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import { PREFIX } from '../../repository/keys-layout.ts'
import { damageWarnings } from '../forget/forget-warnings.ts'
import { stateOf } from '../forget/plan-forget.ts'
import { holdsOf } from '../forget/retention.ts'
import type { ParsedPlanEraseOptions } from '../options/erase.ts'
import { invalidOption } from '../options/index.ts'
import { planDigest } from '../plan-digest.ts'
import { withReading } from '../reading/reading.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import { compareAge } from '../snapshots/filter.ts'
import { type Loaded, loadRecords } from '../snapshots/load.ts'
import { resolveSnapshot } from '../snapshots/ref.ts'
import type { EngineContext } from '../types/context.ts'
import type { ErasedFrom, ErasePlan } from '../types/erase.ts'
import { type Gone, listEverything } from './everything.ts'
import { type CountedSource, dropOf, EraseSurvey, type Looked } from './survey.ts'

export function planErase(engine: EngineContext, options: ParsedPlanEraseOptions): Promise<ErasePlan> {
  return withQuietRun(engine, { verb: 'plan-erase', options }, (run) => plan(engine, options, run))
}

type Found = Loaded['snapshots'][number]

async function plan(engine: EngineContext, options: ParsedPlanEraseOptions, run: RunContext): Promise<ErasePlan> {
  const createdAt = engine.clock.now().toISOString()
  const list = async () => {
    const loaded = await loadRecords(engine, run.signal)
    return { ...loaded, ids: new Set(loaded.snapshots.map(({ info }) => info.id)) }
  }
  const { there: loaded, gone: forgot } = await listEverything(engine.repository.repository, list, run)
  const present = loaded.snapshots.sort((a, b) => compareAge(a.view, b.view))
  const gone = forgot.records
  const all = [...present.map(({ info }) => info.record), ...gone]
  requireKnown(options, all)
  run.progress.total({ items: all.reduce((sum, { sources }) => sum + entriesOf(sources), 0) })
  const parts = await withReading(engine, run.signal, async (reading) => {
    const survey = await EraseSurvey.open(reading, dropOf(options, all), run)
    const named = chosen(present, options)
    const snapshots = await concerned(survey, named, loaded, options, engine.clock.now())
    const forgotten = options.snapshots ? [] : await concernedForgotten(survey, gone)
    const others = await othersOf(survey, options.snapshots ? all : [], new Set(named.map(({ info }) => info.id)))
    const isAny = snapshots.length + forgotten.length > 0
    return { snapshots, forgotten, others, ...(await survey.share(isAny ? all : [])) }
  })
  const warnings = [...damageWarnings(loaded), ...damagedCopies(forgot)]
  return finished(engine, options, { createdAt, looked: all.map(({ id }) => id).sort(), warnings, ...parts })
}

function finished(
  engine: EngineContext,
  { paths, sources, includeHeld }: ParsedPlanEraseOptions,
  parts: Omit<
    ErasePlan,
    'kind' | 'version' | 'digest' | 'repositoryId' | 'destructive' | 'request' | 'entries' | 'bytes'
  >,
): ErasePlan {
  const each = [...parts.snapshots, ...parts.forgotten]
  const body: Omit<ErasePlan, 'digest'> = {
    kind: 'erase',
    version: 1,
    repositoryId: engine.repository.id,
    destructive: each.length > 0,
    request: { paths, ...(sources && { sources }), includeHeld },
    entries: each.reduce((sum, { entries }) => sum + entries, 0),
    bytes: each.reduce((sum, { bytes }) => sum + bytes, 0),
    ...parts,
  }
  return { ...body, digest: planDigest(body) }
}

/** Nobody knows what they hold; a prune frees nothing before they are gone. */
function damagedCopies({ damaged }: Gone): Warning[] {
  if (damaged.length === 0) return []
  const ids = damaged.map(({ key }) => key.slice(PREFIX.trash.length))
  const message = `${ids.length} forgotten snapshots cannot be read, and may hold the entries: run verify, and repair.`
  return [{ code: 'SNAPSHOT_UNREADABLE', message, details: { count: ids.length, snapshots: ids.slice(0, 20) } }]
}

/** A source that no snapshot has is a mistake, which would look like "nothing to erase". */
function requireKnown({ sources }: ParsedPlanEraseOptions, all: readonly Looked[]): void {
  const known = new Set(all.flatMap((each) => each.sources.map(({ name }) => name)))
  const foreign = sources?.find((name) => !known.has(name))
  if (foreign !== undefined) throw invalidOption('sources', 'names of sources of some snapshot', foreign, 'planErase')
}

function chosen(present: readonly Found[], { snapshots }: ParsedPlanEraseOptions): readonly Found[] {
  if (!snapshots) return present
  const views = present.map(({ view }) => view)
  const ids = new Set(snapshots.map((ref) => resolveSnapshot(views, ref).id))
  return present.filter(({ view }) => ids.has(view.id))
}

async function concerned(
  survey: EraseSurvey,
  snapshots: readonly Found[],
  { snapshots: all, unreadableNotes }: Loaded,
  { includeHeld }: ParsedPlanEraseOptions,
  now: Date,
): Promise<ErasedFrom[]> {
  const successors = successorsOf(all.map(({ info }) => info.record))
  const found: ErasedFrom[] = []
  for (const { view, info } of snapshots) {
    const counted = await survey.count(info.record)
    if (counted.length === 0) continue
    refuseParts(info.id, counted)
    if (!includeHeld) refuseHeld(view.id, unreadableNotes.has(view.id) ? [UNREADABLE] : holdsOf(view, now))
    const successor = successors.get(view.id)
    const sums = sumOf(counted)
    found.push({ snapshot: view.id, ...sums, state: stateOf(view), ...(successor !== undefined && { successor }) })
  }
  return found
}

const UNREADABLE = 'its notes cannot be read, and may hold it'

async function concernedForgotten(survey: EraseSurvey, gone: readonly Looked[]): Promise<ErasePlan['forgotten']> {
  const found: ErasePlan['forgotten'][number][] = []
  for (const record of gone) {
    const counted = await survey.count(record)
    if (counted.length > 0) found.push({ snapshot: record.id, ...sumOf(counted) })
  }
  return found
}

async function othersOf(survey: EraseSurvey, all: readonly Looked[], named: ReadonlySet<string>): Promise<string[]> {
  const others: string[] = []
  for (const record of all) {
    if (!named.has(record.id) && (await survey.count(record)).length > 0) others.push(record.id)
  }
  return others
}

/** What an erasure that was cut short has made already, by what it was made from. */
export function successorsOf(
  records: readonly { id: string; rewrittenFrom?: { snapshot: string; why: string } }[],
): Map<string, string> {
  const erased = records.filter(({ rewrittenFrom }) => rewrittenFrom?.why === 'erase')
  return new Map(erased.map(({ id, rewrittenFrom }) => [rewrittenFrom!.snapshot, id]))
}

function sumOf(counted: readonly CountedSource[]): { entries: number; bytes: number } {
  return {
    entries: counted.reduce((sum, { count }) => sum + count.entries, 0),
    bytes: counted.reduce((sum, { count }) => sum + count.bytes, 0),
  }
}

function entriesOf(sources: Looked['sources']): number {
  return sources.reduce((sum, { entries }) => sum + entries, 0)
}

function refuseParts(snapshot: string, counted: readonly CountedSource[]): void {
  const database = counted.find(({ source, count }) => count.hasParts || source.kind === 'postgres')
  if (!database) return
  const { name } = database.source
  const why = `The paths take parts of ${name}, which is no tree of files: a database needs all its parts to be restored.`
  throw new BackupError('UNSUPPORTED', why, {
    origin: 'usage',
    details: { source: name, snapshot },
    hint: 'Leave it out (with sources), erase the rows in the database, and forget the snapshots from before that.',
  })
}

function refuseHeld(snapshot: string, [why]: readonly string[]): void {
  if (why === undefined) return
  throw new BackupError('HELD', `Snapshot ${snapshot} must stay as it is: ${why}`, {
    origin: 'repository',
    details: { snapshot, why },
    hint: 'Leave it out, remove the hold with annotate() if you may, or say includeHeld: true; its successor is held, too.',
  })
}
