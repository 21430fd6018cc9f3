/** The repository's target for a verb that changes things, every retry an event of its run. */
import type { Target } from '../../targets/target.ts'
import { isRetrying, retrying } from '../../targets/wrappers/retrying.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'

/** Far targets are repeated already, and repetitions of repetitions would be 25. */
export function repeatedTarget({ repository, clock }: EngineContext, run: RunContext): Target {
  const { target } = repository.repository
  if (isRetrying(target)) return target
  return retrying(target, { clock, onRetry: (notice) => run.emit('target:retry', notice) })
}
