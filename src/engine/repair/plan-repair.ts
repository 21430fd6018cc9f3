/** planRepair: says what is wrong, what of it can be saved, and what the rest costs. Changes nothing. */
import type { Warning } from '../../events.ts'
import type { ParsedPlanRepairOptions } from '../options/repair.ts'
import { planDigest } from '../plan-digest.ts'
import { closing, Reading } from '../reading/reading.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { RepairPlan } from '../types/repair.ts'
import { type Diagnosis, diagnose } from './diagnose.ts'
import { planLosses } from './losses.ts'
import { stepsOf } from './steps.ts'

export function planRepair(engine: EngineContext, options: ParsedPlanRepairOptions): Promise<RepairPlan> {
  return withQuietRun(engine, { verb: 'plan-repair', options }, async (run) => {
    const { level, sources, mirrors } = options
    const warnings: Warning[] = [...engine.warnings]
    const noting: RunContext = { ...run, warn: (warning) => void warnings.push(warning) }
    const reading = new Reading(engine, await engine.repository.lease(), run.signal)
    return closing(reading, async () => {
      const diagnosis = await diagnose(engine, level, { sources, mirrors }, noting, reading)
      const places = { sources: sources.map(({ name }) => name), mirrors: mirrors.map(({ name }) => name) }
      const body: Omit<RepairPlan, 'digest'> = {
        ...bodyOf(engine, diagnosis),
        level,
        places,
        warnings,
      }
      return { ...body, digest: planDigest(body) }
    })
  })
}

function bodyOf(
  engine: EngineContext,
  diagnosis: Diagnosis,
): Omit<RepairPlan, 'digest' | 'level' | 'places' | 'warnings'> {
  const { work, found, after } = diagnosis
  const steps = stepsOf(diagnosis)
  return {
    kind: 'repair',
    version: 1,
    repositoryId: engine.repository.id,
    createdAt: engine.clock.now().toISOString(),
    destructive: steps.some(({ loses }) => loses !== null),
    findings: work.findings.list(),
    steps,
    losses: planLosses(after, found.unreadable),
    packs: found.bad.map(({ name }) => name).sort(),
  }
}
