/** doctor: looks for what would make backups fail, or be worth nothing. Damage of what is stored is for verify. */
import type { Finding } from '../../events.ts'
import type { ParsedDoctorOptions } from '../options/doctor.ts'
import { type RunContext, withQuietRun } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import { runCheck } from './check.ts'
import { HOST_CHECKS } from './host-checks.ts'
import { sourceChecks } from './source-checks.ts'
import { TARGET_CHECKS } from './target-checks.ts'

export function doctor(engine: EngineContext, options: ParsedDoctorOptions): Promise<Finding[]> {
  return withQuietRun(engine, { verb: 'doctor', options }, (run) => examine(engine, options, run))
}

/** One after the other, so that a time limit is about one of them. */
async function examine(engine: EngineContext, options: ParsedDoctorOptions, run: RunContext): Promise<Finding[]> {
  const checks = [...TARGET_CHECKS, ...HOST_CHECKS, ...sourceChecks(engine, options)]
  const findings: Finding[] = []
  run.progress.total({ items: checks.length })
  for (const check of checks) {
    run.progress.phase(check.name)
    for (const finding of await runCheck(check, engine, options, run)) {
      if (!findings.some((known) => isSame(known, finding))) findings.push(finding)
    }
    run.progress.add({ items: 1 })
  }
  return findings.sort((a, b) => RANK[a.severity] - RANK[b.severity])
}

const RANK: Readonly<Record<Finding['severity'], number>> = { error: 0, warning: 1, info: 2 }

/** A target that cannot be reached fails several checks in the same way. */
function isSame(a: Finding, b: Finding): boolean {
  return a.code === b.code && a.severity === 'error' && a.code.startsWith('TARGET_') && a.fix === b.fix
}
