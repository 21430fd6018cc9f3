/** repair: does what a plan says, beside any number of backups. Cut short at any moment, it is planned and run again. */
import { newId } from '../../crypto/random.ts'
import { requireFeatures } from '../../model/config.ts'
import { type Retired, retirePacks } from '../../repository/repair/retire.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { ParsedRepairOptions } from '../options/repair.ts'
import { requireConfirmation, requireOwnPlan } from '../plan-digest.ts'
import { closing, Reading } from '../reading/reading.ts'
import { repeatedTarget } from '../rewrite/repeated-target.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import type { EngineContext } from '../types/context.ts'
import type { RepairPlan, RepairResult } from '../types/repair.ts'
import { check } from '../verify/check.ts'
import { Findings } from '../verify/findings.ts'
import { type Diagnosis, diagnose } from './diagnose.ts'
import { Dropping } from './drop.ts'
import { type Saved, saveAll } from './save.ts'

/** Between two looks at runs that are waited for. */
const POLL_MS = 5_000
/** A prune that does not know of the damage may take away what was saved; and what comes back may show what else is lost. */
const MAX_ATTEMPTS = 6

export function repair(engine: EngineContext, plan: RepairPlan, options: ParsedRepairOptions): Promise<RepairResult> {
  const call = {
    verb: 'repair' as const,
    options,
    exclusive: ['prune'],
    describe: describeOptions({ drop: options.drop, level: plan.level }),
    summarize: ({ copied, retired, rewritten, dropped, saved, findings }: BodyResult<'repair'>) => ({
      counts: {
        copied,
        retired,
        rewritten: rewritten.length,
        dropped: dropped.length,
        savedChunks: saved.chunks,
        savedBytes: saved.bytes,
        findings: findings.length,
      },
    }),
  }
  return withRun(engine, call, async (run) => {
    requireOwnPlan(plan, engine.repository.id)
    const { repository } = engine.repository
    await repository.keys.refreshSince(run.startedAt, run.signal)
    requireFeatures(repository.config, 'write')
    requireFeatures(repository.config, 'prune')
    const isLosing = options.drop !== 'nothing' && plan.destructive
    requireConfirmation({ ...plan, destructive: isLosing }, options.confirm)
    for (const warning of engine.warnings) run.warn(warning)
    const reading = new Reading(engine, await engine.repository.lease(), run.signal)
    return closing(reading, () => new Repair(engine, plan, options, run, reading).all())
  })
}

class Repair {
  private readonly engine: EngineContext
  private readonly plan: RepairPlan
  private readonly options: ParsedRepairOptions
  private readonly run: RunContext
  private readonly reading: Reading

  constructor(
    engine: EngineContext,
    plan: RepairPlan,
    options: ParsedRepairOptions,
    run: RunContext,
    reading: Reading,
  ) {
    this.engine = engine
    this.plan = plan
    this.options = options
    this.run = run
    this.reading = reading
  }

  async all(): Promise<BodyResult<'repair'>> {
    const { engine, run, reading, options, plan } = this
    const dropping = new Dropping(engine, run, reading)
    const saved: Saved = { chunks: 0, bytes: 0, packs: [] }
    let copied = 0
    for (let attempt = 1; ; attempt++) {
      const diagnosis = await diagnose(engine, plan.level, options, run, reading)
      copied += await this.copyObjects(diagnosis)
      const now = await saveAll(engine, run, reading, diagnosis, options)
      saved.chunks += now.chunks
      saved.bytes += now.bytes
      saved.packs.push(...now.packs)
      if (!diagnosis.isWhole && attempt < MAX_ATTEMPTS) continue
      if (options.drop !== 'nothing') await dropping.all(plan, diagnosis, options.drop)
      const retired = await this.retire(diagnosis, saved)
      if (retired.state === 'again' && attempt < MAX_ATTEMPTS) {
        saved.packs = []
        continue
      }
      const isDone = retired.state === 'done'
      return {
        state: isDone ? 'done' : 'pending',
        findings: await this.left(),
        saved: { chunks: saved.chunks, bytes: saved.bytes },
        copied,
        retired: isDone ? diagnosis.found.bad.length : 0,
        rewritten: dropping.rewritten,
        dropped: dropping.dropped,
        waitingFor: [...retired.waitingFor],
      }
    }
  }

  /** Over what is damaged. A pack that a prune has named dead meanwhile is deleted by the next one. */
  private async copyObjects({ mirrors }: Diagnosis): Promise<number> {
    const { engine, run } = this
    const target = repeatedTarget(engine, run)
    let copied = 0
    if (mirrors.found.size > 0) run.progress.phase('copy')
    for (const key of mirrors.found.keys()) {
      throwIfAborted(run.signal)
      const bytes = await mirrors.take(key)
      if (bytes === undefined) continue
      await target.put(key, bytes, { signal: run.signal })
      copied++
    }
    return copied
  }

  private async retire({ found }: Diagnosis, saved: Saved): Promise<Retired> {
    const { engine, run, options, reading } = this
    const packs = found.bad.map(({ name }) => name)
    if (packs.length === 0) return { state: 'done', waitingFor: [] }
    run.progress.phase('retire')
    const { repository } = engine.repository
    const target = repeatedTarget(engine, run)
    const retired = await retirePacks({
      target,
      records: repository.records.through(target),
      vault: engine.repository.vault(),
      renew: () => engine.repository.renewedVault(run.signal, target),
      threads: reading.lease.threads,
      signal: run.signal,
      clock: engine.clock,
      host: engine.host,
      runId: newId(engine.clock.now()),
      stillMs: options.deadRunMs,
      pollMs: POLL_MS,
      graceMs: options.graceMs,
      waitMs: options.waitMs,
      packs,
      rely: saved.packs,
      onWait: () => run.progress.touch(),
    })
    return retired
  }

  private async left(): Promise<RepairResult['findings']> {
    const { engine, run } = this
    const { signal, progress } = run
    const touch = (): void => progress.touch()
    const quiet = { phase: touch, total: touch, add: touch, touch }
    const options = { level: 'structure' as const, snapshots: 'all' as const }
    progress.phase('verify')
    return (await check({ engine, options, signal, progress: quiet, findings: new Findings() })).findings
  }
}
