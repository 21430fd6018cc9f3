/** Opens the repository for an engine. Starts no worker and no timer. */
import { newId } from '../../crypto/random.ts'
import type { Warning } from '../../events.ts'
import type { ObjectCache } from '../../repository/cache/object-cache.ts'
import { openRepository, type Repository } from '../../repository/open.ts'
import { OpenRepository } from '../../repository/open-repository.ts'
import { checkPin } from '../../repository/pins.ts'
import { orderTransforms } from '../../transforms/chain.ts'
import { TransformRegistry } from '../../transforms/registry.ts'
import { zstd } from '../../transforms/zstd.ts'
import { acquirePool } from '../../workers/threads/pool.ts'
import type { EngineBasics } from '../engine-context.ts'
import { fromRecord, toRecord } from '../run/report-record.ts'
import type { EngineParts, ReportStore } from '../types/context.ts'
import type { EngineOptions } from '../types/engine.ts'
import { openCache } from './open-cache.ts'
import { repeatedTarget } from './repeated-target.ts'

export async function openEngine(options: EngineOptions, basics: EngineBasics): Promise<EngineParts> {
  const { key, pin, signal } = options
  // Where a repository is known to have been, an empty place is none to begin another one in.
  const create = pin ? 'never' : (options.create ?? 'if-empty')
  const target = repeatedTarget(options.target, basics)
  const transforms = options.transforms ?? [zstd()]
  orderTransforms(transforms)
  const registry = new TransformRegistry(
    transforms.filter(({ kind, id }) => kind !== 'encrypt' || id !== 'aes-256-gcm'),
  )
  const warnings: Warning[] = []
  const warn = (warning: Warning): void => {
    warnings.push(warning)
    basics.logger.warn({ warning }, warning.message)
  }
  const cache = (repositoryId: string): ObjectCache => openCache(options, repositoryId, warn)
  const { clock } = basics
  const repository = await openRepository({
    target,
    key,
    create,
    transforms,
    registry,
    now: clock.now(),
    clock,
    cache,
    signal,
  })
  if (pin) await checkPin(repository, pin, { signal })
  const pool = acquirePool(options.workers, warn)
  const open = new OpenRepository({ repository, pool, transforms, decodeCheck: options.decodeCheck ?? true })
  return {
    repository: open,
    target,
    pool,
    reports: reportStore(repository),
    warnings,
    newRunId: () => newId(clock.now()),
    closers: [() => open.close(), () => repository.cache.settled(), () => target.close()],
  }
}

function reportStore({ reports, keys }: Repository): ReportStore {
  return {
    async save(report, options) {
      await keys.refreshSince(report.startedAt, options.signal)
      await reports.write(toRecord(report), options)
    },
    get: async (runId, options) => fromRecord(await reports.get(runId, options)),
    list: async (options) => (await reports.list(options)).reports.map(fromRecord),
  }
}
