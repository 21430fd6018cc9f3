/** What the parts of one check share. */

import type { ParsedVerifyOptions } from '../options/verify.ts'
import { closing, Reading } from '../reading/reading.ts'
import type { ProgressMeter } from '../run/progress.ts'
import type { EngineContext } from '../types/context.ts'
import type { Findings } from './findings.ts'

/** What a check is asked to do. */
export type CheckOptions = Pick<ParsedVerifyOptions, 'level' | 'snapshots' | 'budget'>

/** Where it says how far it is: the run's own meter, or something quieter inside another verb. */
export type CheckProgress = Pick<ProgressMeter, 'phase' | 'total' | 'add' | 'touch'>

export interface CheckWork {
  readonly engine: EngineContext
  readonly options: CheckOptions
  readonly signal: AbortSignal
  readonly progress: CheckProgress
  readonly findings: Findings
}

/** Leases threads for the body and ends all its sessions. The engine's own index is left alone: a check reads it anew. */
export async function withThreads<T>(
  { engine, signal }: Pick<CheckWork, 'engine' | 'signal'>,
  body: (reading: Reading) => Promise<T>,
): Promise<T> {
  return closing(new Reading(engine, await engine.repository.lease(), signal), body)
}
