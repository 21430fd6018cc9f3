/** drill: a restore that is looked at and taken away again, whatever comes of it. */
import { BackupError } from '../../errors.ts'
import type { Finding } from '../../events.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { ParsedDrillOptions } from '../options/drill.ts'
import { withReading } from '../reading/reading.ts'
import { requireSources } from '../restore/plan-restore.ts'
import type { RestoreRequest } from '../restore/restore-request.ts'
import { SinkRun } from '../restore/sink-run.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { describeOptions } from '../run/report.ts'
import { findSnapshot } from '../snapshots/load.ts'
import { viewSnapshot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import type { DrillResult } from '../types/drill.ts'
import { DrillPlaces } from './drill-places.ts'
import { drillText } from './drill-text.ts'

export function drill(engine: EngineContext, options: ParsedDrillOptions): Promise<DrillResult> {
  const { check: _, ...described } = options
  let snapshot: string | undefined
  const call = {
    verb: 'drill' as const,
    options,
    describe: describeOptions(described),
    summarize: ({ findings, recoveryMs, sound }: BodyResult<'drill'>) => ({
      ...(snapshot !== undefined && { snapshot }),
      counts: { findings: findings.length, recoveryMs, sound: Number(sound) },
    }),
  }
  return withRun(engine, call, async (run) => {
    const info = await findSnapshot(engine, options.snapshot, run.signal)
    snapshot = info.id
    return new Drill(engine, options, run, info).run()
  })
}

class Drill {
  private readonly engine: EngineContext
  private readonly options: ParsedDrillOptions
  private readonly context: RunContext
  private readonly snapshot: SnapshotInfo
  private readonly places = new DrillPlaces()
  private readonly findings: Finding[] = []
  private recoveryMs = 0

  constructor(engine: EngineContext, options: ParsedDrillOptions, run: RunContext, snapshot: SnapshotInfo) {
    this.engine = engine
    this.options = options
    this.context = run
    this.snapshot = snapshot
  }

  async run(): Promise<BodyResult<'drill'>> {
    const { engine, findings, snapshot } = this
    const { signal } = this.context
    const request = this.request()
    try {
      await withReading(engine, signal, async (reading) => {
        const work = { reading, snapshot, request, run: this.context, verify: true, drill: true }
        await this.within(new SinkRun(work), request)
      })
    } finally {
      await this.attempt('DRILL_NOT_REMOVED', () => this.places.remove())
    }
    throwIfAborted(signal)
    const sound = findings.every(({ severity }) => severity !== 'error')
    const body = { sound, recoveryMs: this.recoveryMs, findings }
    const text = drillText({ ...body, run: this.context, snapshot: snapshot.record, sources: request.sources })
    return { ...body, toText: () => text }
  }

  private request(): RestoreRequest {
    const { select = {} } = this.options
    const { sources } = this.snapshot.record
    const there = sources.map(({ name }) => name)
    const wanted = requireSources(select.sources ?? there, there)
    const chosen = sources.filter(({ name }) => wanted.includes(name))
    const sum = (pick: (each: (typeof sources)[number]) => number): number =>
      chosen.reduce((total, each) => total + pick(each), 0)
    const isWhole = select.include === undefined && select.exclude === undefined && select.changedAfter === undefined
    if (isWhole) this.context.progress.total({ items: sum(({ entries }) => entries), bytes: sum(({ bytes }) => bytes) })
    return {
      folder: null,
      sources: wanted,
      include: [...(select.include ?? [])],
      exclude: [...(select.exclude ?? [])],
      changedAfter: select.changedAfter?.toISOString() ?? null,
    }
  }

  /** Always ends with everything taken back. */
  private async within(sinks: SinkRun, { sources }: RestoreRequest): Promise<void> {
    const { engine, options, snapshot } = this
    const { progress } = this.context
    const destinations = await this.places.choose(engine, snapshot, sources, options.sinks ?? {})
    const startedMs = engine.clock.monotonicMs()
    try {
      const isRestored = await this.attempt('DRILL_FAILED', async () => {
        progress.phase('restore')
        await sinks.fill(destinations)
        progress.phase('prepare')
        await sinks.prepare()
      })
      this.recoveryMs = Math.round(engine.clock.monotonicMs() - startedMs)
      if (isRestored) await this.check(sinks)
    } finally {
      progress.phase('roll back')
      for (const failure of await sinks.rollback('the drill is over')) this.note('DRILL_NOT_REMOVED', failure)
      await sinks.close()
    }
  }

  private async check(sinks: SinkRun): Promise<void> {
    const { check } = this.options
    if (!check) return
    const { progress, signal } = this.context
    progress.phase('check')
    const context = { snapshot: viewSnapshot(this.snapshot), places: sinks.places(), signal }
    await this.attempt('DRILL_CHECK_FAILED', async () => check(context))
  }

  /** False: it failed, which is a finding. @throws BackupError once the run is aborted */
  private async attempt(code: string, body: () => Promise<unknown>): Promise<boolean> {
    try {
      await body()
      return true
    } catch (error) {
      throwIfAborted(this.context.signal)
      this.note(code, error)
      return false
    }
  }

  private note(code: string, error: unknown): void {
    this.findings.push(findingOf(code, error))
  }
}

/** The code of an error of the package says more than that something failed. */
function findingOf(code: string, error: unknown): Finding {
  const message = error instanceof Error ? error.message : String(error)
  if (!BackupError.is(error)) return { code, severity: 'error', message }
  const { hint, details } = error
  return {
    code: code === 'DRILL_NOT_REMOVED' ? code : error.code,
    severity: 'error',
    message,
    ...(hint !== undefined && { fix: hint }),
    ...(Object.keys(details).length > 0 && { details }),
  }
}
