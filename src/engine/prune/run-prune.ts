/** prune: does what a plan says, beside any number of backups. */
import type { BackupError } from '../../errors.ts'
import { prune as pruneRepository } from '../../repository/prune/prune.ts'
import type { Survey } from '../../repository/prune/survey.ts'
import type { PruneOutcome, PrunePhase } from '../../repository/prune/types.ts'
import { warnOfCreateOnce } from '../create-once.ts'
import type { ParsedPruneOptions } from '../options/prune.ts'
import { requirePlan, stale } from '../plan-digest.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import type { EngineContext } from '../types/context.ts'
import type { PrunePlan, PruneResult } from '../types/prune.ts'
import { rootIds } from './plan-prune.ts'
import { withPruneWork } from './work.ts'

/** Between two looks at runs that are waited for. */
const POLL_MS = 5_000

export function prune(engine: EngineContext, plan: PrunePlan, options: ParsedPruneOptions): Promise<PruneResult> {
  const call = {
    verb: 'prune' as const,
    options,
    exclusive: ['prune'],
    describe: describeOptions({ ...options, ...plan.request }),
    summarize: ({ freedBytes, deleted, rescued }: BodyResult<'prune'>) => ({
      counts: { freedBytes, deletedPacks: deleted.packs, rescued },
    }),
  }
  return withRun(engine, call, (run) => runPrune(engine, plan, options, run))
}

async function runPrune(
  engine: EngineContext,
  plan: PrunePlan,
  { confirm, waitMs, deadRunMs, graceMs }: ParsedPruneOptions,
  run: RunContext,
): Promise<BodyResult<'prune'>> {
  requirePlan(plan, engine.repository.id, confirm)
  for (const warning of engine.warnings) run.warn(warning)
  const outcome = await withPruneWork(engine, plan.request, run, (work) =>
    pruneRepository({
      ...work,
      stillMs: deadRunMs,
      pollMs: POLL_MS,
      graceMs,
      waitMs,
      onStarted: () => warnOfGrace(engine, graceMs, run),
      onSurvey: (found, { n }) => requireFresh(plan, found, n, run),
      onPhase: (phase) => run.progress.phase(PHASES[phase]),
      onWait: () => run.progress.touch(),
      onCopied: (bytes) => run.progress.add({ bytes }),
      onNoRoom: (error) => warnOfRoom(error, run),
      onDeleted: () => run.progress.touch(),
    }),
  )
  return resultOf(outcome, run)
}

const PHASES: Readonly<Record<PrunePhase, string>> = {
  'take-over': 'wait for another prune',
  list: 'list',
  mark: 'mark',
  copy: 'rewrite',
  announce: 'announce',
  wait: 'wait for backups',
  'mark-again': 'mark again',
  decide: 'commit',
  merge: 'merge index',
  delete: 'delete',
}

function requireFresh(plan: PrunePlan, found: Survey, n: number, run: RunContext): void {
  if (n !== plan.sequence) throw stale('Another prune has begun or ended since this plan was made.')
  const kept = new Set(rootIds(found))
  const gone = plan.snapshots.find((id) => !kept.has(id))
  if (gone !== undefined) throw stale(`Snapshot ${gone}, which this plan keeps, was forgotten since.`)
  run.progress.total({
    bytes: Math.round(found.rewrite.reduce((sum, { neededBytes }) => sum + neededBytes, 0)) || null,
  })
}

function resultOf(
  { deleted, copied, rescued, damaged, ...outcome }: PruneOutcome,
  run: RunContext,
): BodyResult<'prune'> {
  for (const { name, why } of damaged) {
    const message = `Pack ${name} is damaged and stays as it is, with all that might be elsewhere of it: ${why}`
    run.warn({ code: 'PACK_KEPT', message, details: { pack: name } })
  }
  return {
    state: outcome.state,
    freedBytes: deleted.bytes - copied.storedBytes,
    deleted,
    rewritten: { packs: copied.packs, bytes: copied.storedBytes },
    rescued,
    waitingFor: [...outcome.waitingFor],
  }
}

function warnOfRoom({ message: why }: BackupError, run: RunContext): void {
  const message = `the target has no room to rewrite packs that are needed in part, so only whole ones go; prune once more: ${why}`
  run.warn({ code: 'PRUNE_NO_ROOM', message })
}

function warnOfGrace(engine: EngineContext, graceMs: number, run: RunContext): void {
  warnOfCreateOnce(engine, run)
  if (engine.target.traits.createOnly) return
  const message = `the target cannot create an object once: the prune waits ${graceMs} ms before it deletes`
  run.warn({ code: 'PRUNE_GRACE', message, details: { graceMs } })
}
