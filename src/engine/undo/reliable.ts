/** Whether all that a snapshot needs is there, and in no pack that a prune is about to free. */
import { BackupError } from '../../errors.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import { rangeThrough } from '../../repository/cache/object-cache.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import type { Handlers, Session } from '../../workers/threads/rpc.ts'
import type { RelianceInit, RelianceJob } from '../../workers/tree/reliance.ts'
import { moved, Reading } from '../reading/reading.ts'
import type { RunContext } from '../run/context.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'

/**
 * By the index of a run that has begun: what it finds stays until that run ends. Reads pages and lists, no contents.
 * @throws BackupError OBJECT_MISSING; retryable where it is only a prune that has named it
 */
export async function requireReliable(
  engine: EngineContext,
  lease: Lease,
  { id, sources }: Pick<SnapshotRecord, 'id' | 'sources'>,
  run: RunContext,
): Promise<void> {
  const reading = new Reading(engine, { ...lease, release: () => undefined }, run.signal)
  try {
    run.progress.total({ items: sources.reduce((sum, { entries }) => sum + entries, 0) })
    const session = await openSession(reading, run)
    for (const source of sources) {
      const root = treeRoot(source)
      if (root) await session.call('check', { root } satisfies RelianceJob)
      if (source.factsRef) await session.call('check', factsJob(source.factsRef))
    }
  } catch (error) {
    throw BackupError.is(error) && error.code === 'OBJECT_MISSING' ? notWhole(id, error) : error
  } finally {
    await reading.close()
  }
}

async function openSession(reading: Reading, run: RunContext): Promise<Session> {
  const { repository } = reading.engine
  const { cache } = repository.repository
  const init: RelianceInit = { vault: repository.vault(), tables: repository.index.plain }
  const handlers: Handlers = {
    range: async (request: RangeRequest) => moved(await rangeThrough(cache, request, () => reading.range(request))),
    walked: (entries: number) => run.progress.add({ items: entries }),
  }
  return reading.track(await reading.lease.threads[0]!.open('reliance', init, handlers))
}

function factsJob({ id, rawBytes }: NonNullable<SnapshotRecord['sources'][number]['factsRef']>): RelianceJob {
  return { id: new Uint8Array(Buffer.from(id, 'base64url')), rawBytes }
}

function notWhole(id: string, error: BackupError): BackupError {
  const { retryable, details, hint } = error
  return new BackupError('OBJECT_MISSING', `Not all that snapshot ${id} needs is there: ${error.message}`, {
    origin: 'repository',
    retryable,
    details: { ...details, snapshot: id },
    ...(hint !== undefined && { hint }),
    cause: error,
  })
}
