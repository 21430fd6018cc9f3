/** planForget: a decision for every snapshot there is, by a policy or by name. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import type { Warning } from '../../events.ts'
import type { ParsedPlanForgetOptions } from '../options/prune.ts'
import { planDigest } from '../plan-digest.ts'
import { withQuietRun } from '../run/context.ts'
import { compareAge, filterSnapshots } from '../snapshots/filter.ts'
import { type Loaded, loadRecords } from '../snapshots/load.ts'
import { resolveSnapshot } from '../snapshots/ref.ts'
import type { EngineContext } from '../types/context.ts'
import type { ForgetDecision, ForgetPlan, ForgetSimulation } from '../types/prune.ts'
import type { Snapshot, SnapshotRef } from '../types/snapshot.ts'
import { damageWarnings, guardWarnings, judgementWarnings } from './forget-warnings.ts'
import { applyRetention, DEFAULT_GROUPS, holdsOf, type Judged, type JudgeOptions } from './retention.ts'
import { groupNames } from './retention-groups.ts'
import { guard } from './retention-guards.ts'
import { simulate } from './retention-simulate.ts'

type Chosen = Pick<ForgetPlan, 'decisions' | 'warnings' | 'retention' | 'simulation'>
type ByPolicy = Extract<ParsedPlanForgetOptions, { snapshots?: never }>

export function planForget(engine: EngineContext, options: ParsedPlanForgetOptions): Promise<ForgetPlan> {
  return withQuietRun(engine, { verb: 'plan-forget', options }, async ({ signal }) => {
    const loaded = await loadRecords(engine, signal)
    const how = { now: engine.clock.now(), unreadable: loaded.unreadableNotes, signal }
    const { snapshots } = options
    const chosen = snapshots ? byName(loaded, snapshots, how) : await byPolicy(loaded, options, how)
    const body = {
      kind: 'forget' as const,
      version: 1 as const,
      repositoryId: engine.repository.id,
      createdAt: how.now.toISOString(),
      destructive: chosen.decisions.some(({ keep }) => !keep),
      ...chosen,
    }
    return { ...body, digest: planDigest(body) }
  })
}

async function byPolicy(
  loaded: Loaded,
  options: ByPolicy,
  how: JudgeOptions & { signal: AbortSignal },
): Promise<Chosen> {
  const { retention, filter, simulate: simulation } = options
  const views = viewsOf(loaded)
  const concerned = filterSnapshots(views, filter)
  const judgement = applyRetention(concerned, retention, how)
  const judged = new Map(judgement.judged.map((each) => [each.snapshot.id, each]))
  const decisions = views.map((view) => decisionOf(view, judged.get(view.id) ?? outside(view, filter !== undefined)))
  const later = simulation && (await simulate(concerned, retention, simulation, how))
  return {
    decisions,
    warnings: [...damageWarnings(loaded), ...judgementWarnings(judgement)],
    retention,
    ...(later && { simulation: laterOf(later) }),
  }
}

function outside({ kind }: Snapshot, filtered: boolean): { keep: true; reasons: string[] } {
  return { keep: true, reasons: [filtered ? 'does not fit the filter' : `not asked about: ${kind}`] }
}

function laterOf({ at, made, kept }: Awaited<ReturnType<typeof simulate>>): ForgetSimulation {
  const list = kept.map(({ snapshot: { id, createdAt }, reasons, group }) => ({
    ...(!made.has(id) && { snapshot: id }),
    createdAt: createdAt.toISOString(),
    reasons,
    group,
  }))
  return { at: at.toISOString(), kept: list }
}

/** Whoever names snapshots is taken at his word, but for holds. */
function byName(loaded: Loaded, refs: readonly SnapshotRef[], how: JudgeOptions): Chosen {
  const views = viewsOf(loaded)
  const byId = new Map(views.map((view) => [view.id, view]))
  const chosen = new Set(refs.map((ref) => (byId.get(String(ref)) ?? resolveSnapshot(views, ref)).id))
  for (const view of views) if (chosen.has(view.id)) refuseHeld(view, how)
  const judged = views.map((snapshot) => {
    const keep = !chosen.has(snapshot.id)
    return { snapshot, keep, reasons: [keep ? 'not chosen' : 'chosen'], group: groupOf(snapshot) }
  })
  return {
    decisions: judged.map((each) => decisionOf(each.snapshot, { keep: each.keep, reasons: each.reasons })),
    warnings: [...damageWarnings(loaded), ...emptied(judged)],
  }
}

const groupOf = groupNames(DEFAULT_GROUPS)

function emptied(judged: readonly (Judged & { snapshot: Snapshot })[]): Warning[] {
  const backups = judged.filter(({ snapshot }) => snapshot.kind === 'backup')
  const groups = [...Map.groupBy(backups, ({ group }) => group).values()]
  const allowed = { allowEmptyGroup: true, allowDropVerified: true }
  return guardWarnings(groups.flatMap((group) => guard(group, allowed).guarded))
}

function refuseHeld(snapshot: Snapshot, { now, unreadable }: JudgeOptions): void {
  const [held] = holdsOf(snapshot, now)
  const why = unreadable?.has(snapshot.id) ? 'its notes cannot be read, and may hold it' : held
  if (why === undefined) return
  throw new BackupError('HELD', `Snapshot ${snapshot.id} must stay: ${why}`, {
    origin: 'repository',
    details: { snapshot: snapshot.id, why },
    hint: 'Leave it out, or remove the hold with annotate() if you may.',
  })
}

function viewsOf({ snapshots }: Loaded): Snapshot[] {
  return snapshots.map(({ view }) => view).sort((a, b) => compareAge(b, a))
}

function decisionOf(view: Snapshot, { keep, reasons, group }: Omit<Judged, 'snapshot' | 'group'> & { group?: string }) {
  const decision: ForgetDecision = { snapshot: view.id, keep, reasons, state: stateOf(view) }
  return group === undefined ? decision : { ...decision, group }
}

/** Of everything about a snapshot that may change and that a decision may rest on. */
export function stateOf({ tags, holds, lastVerified }: Snapshot): string {
  const held = holds.map(({ reason, author, expires }) => [reason, author ?? null, expires?.getTime() ?? null])
  const facts = JSON.stringify([[...tags].sort(), held, lastVerified?.sound ?? true])
  return sha256Hex(new TextEncoder().encode(facts)).slice(0, 16)
}
