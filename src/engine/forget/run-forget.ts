/** planForget and forget: which snapshots go, and their going. What they alone need is freed by a prune. */
import { requireFeatures } from '../../model/config.ts'
import { forgetSnapshot } from '../../repository/prune/forget.ts'
import { retrying } from '../../targets/wrappers/retrying.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { loadSnapshots } from '../load-snapshots.ts'
import { planDigest, requirePlan, stale } from '../plan-digest.ts'
import { type BodyResult, type RunContext, withQuietRun, withRun } from '../run-context.ts'
import { describeOptions } from '../run-report.ts'
import { resolveSnapshot } from '../snapshot-ref.ts'
import type { EngineContext } from '../types-context.ts'
import type { ForgetDecision, ForgetOptions, ForgetPlan, ForgetResult, PlanForgetOptions } from '../types-prune.ts'

export function planForget(engine: EngineContext, options: PlanForgetOptions): Promise<ForgetPlan> {
  return withQuietRun(engine, { verb: 'plan-forget', options }, async ({ signal }) => {
    const snapshots = await loadSnapshots(engine, signal)
    const chosen = new Set(options.snapshots.map((ref) => resolveSnapshot(snapshots, ref).id))
    const decisions = [...snapshots]
      .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
      .map(({ id }): ForgetDecision => {
        const keep = !chosen.has(id)
        return { snapshot: id, keep, reasons: [keep ? 'not chosen' : 'chosen'] }
      })
    return forgetPlanOf(engine, decisions)
  })
}

/** A plan of these decisions, whoever made them. */
export function forgetPlanOf(engine: EngineContext, decisions: readonly ForgetDecision[]): ForgetPlan {
  const body = {
    kind: 'forget' as const,
    version: 1 as const,
    repositoryId: engine.repository.id,
    createdAt: engine.clock.now().toISOString(),
    destructive: decisions.some(({ keep }) => !keep),
    decisions,
  }
  return { ...body, digest: planDigest(body) }
}

/** One at a time with prunes of this engine: only so that its own events and reports do not mix. */
export function forget(engine: EngineContext, plan: ForgetPlan, options: ForgetOptions): Promise<ForgetResult> {
  const call = {
    verb: 'forget' as const,
    options,
    describe: describeOptions({ forget: idsOf(plan, false).length, ...options }),
    summarize: ({ forgotten, kept }: BodyResult<'forget'>) => ({ counts: { forgotten: forgotten.length, kept } }),
  }
  return withRun(engine, call, (run) => runForget(engine, plan, options, run))
}

async function runForget(
  engine: EngineContext,
  plan: ForgetPlan,
  { confirm }: ForgetOptions,
  run: RunContext,
): Promise<BodyResult<'forget'>> {
  const { repository } = engine.repository
  requireFeatures(repository.config, 'write')
  requirePlan(plan, engine.repository.id, confirm)
  await requireKept(engine, plan, run.signal)
  const target = retrying(repository.target, {
    clock: engine.clock,
    onRetry: (notice) => run.emit('target:retry', notice),
  })
  const records = repository.records.through(target)
  const going = idsOf(plan, false)
  const forgotten: string[] = []
  run.progress.phase('forget')
  run.progress.total({ items: going.length })
  for (const id of going) {
    throwIfAborted(run.signal)
    const options = { records, id, now: engine.clock.now(), by: run.runId, signal: run.signal }
    if (await forgetSnapshot(options)) forgotten.push(id)
    run.progress.add({ items: 1 })
  }
  return { forgotten, kept: idsOf(plan, true).length }
}

/** Whoever let one snapshot go because of another must not lose both. */
async function requireKept(engine: EngineContext, plan: ForgetPlan, signal: AbortSignal): Promise<void> {
  const there = new Set((await engine.repository.repository.snapshots.list({ signal })).snapshots.map(({ id }) => id))
  const gone = idsOf(plan, true).find((id) => !there.has(id))
  if (gone !== undefined) throw stale(`Snapshot ${gone}, which this plan keeps, is gone.`)
}

function idsOf({ decisions }: ForgetPlan, keep: boolean): string[] {
  return decisions.filter((decision) => decision.keep === keep).map(({ snapshot }) => snapshot)
}
