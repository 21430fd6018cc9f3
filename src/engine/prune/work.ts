/** What both planning and running a prune need: threads, a target that repeats what failed, and options of the repository's part. */
import { newId } from '../../crypto/random.ts'
import { requireFeatures } from '../../model/config.ts'
import type { PruneOptions as RepositoryPrune } from '../../repository/prune/types.ts'
import { isRetrying, retrying } from '../../targets/wrappers/retrying.ts'
import type { RunContext } from '../run/context.ts'
import type { EngineContext } from '../types/context.ts'
import type { PrunePlan } from '../types/prune.ts'

export type PruneWork = Omit<RepositoryPrune, 'stillMs' | 'pollMs' | 'graceMs' | 'onPhase'>

export async function withPruneWork<T>(
  engine: EngineContext,
  request: PrunePlan['request'],
  run: RunContext,
  body: (work: PruneWork) => Promise<T>,
): Promise<T> {
  const { repository } = engine.repository
  await repository.keys.refresh(run.signal)
  requireFeatures(repository.config, 'prune')
  const onRetry: Parameters<typeof retrying>[1] = {
    clock: engine.clock,
    onRetry: (notice) => run.emit('target:retry', notice),
  }
  // Far targets are repeated already, and repetitions of repetitions would be 25.
  const target = isRetrying(repository.target) ? repository.target : retrying(repository.target, onRetry)
  const lease = await engine.repository.lease()
  try {
    return await body({
      ...request,
      target,
      records: repository.records.through(target),
      near: repository.cache,
      vault: engine.repository.vault(),
      renew: () => engine.repository.renewedVault(run.signal, target),
      threads: lease.threads,
      signal: run.signal,
      clock: engine.clock,
      host: engine.host,
      runId: newId(engine.clock.now()),
      onWalked: (entries) => run.progress.add({ items: entries }),
    })
  } finally {
    lease.release()
  }
}
