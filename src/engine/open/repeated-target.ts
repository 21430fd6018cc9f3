/** A target over a network fails now and then: every call of the engine is repeated where that helps. */
import type { Target } from '../../targets/target.ts'
import { isRetrying, type RetryNotice, retrying } from '../../targets/wrappers/retrying.ts'
import type { EngineBasics } from '../engine-context.ts'
import { currentRun } from '../run/current-run.ts'

/** Left as it is: a target of this machine, and one that the caller has wrapped already, in a way of their own. */
export function repeatedTarget(target: Target, { clock, logger }: EngineBasics): Target {
  if (!target.traits.remote || isRetrying(target)) return target
  const onRetry = (notice: RetryNotice): void => {
    logger.debug({ ...notice }, 'a call to the target is tried again')
    currentRun()?.emit('target:retry', notice)
  }
  return retrying(target, { clock, onRetry })
}
