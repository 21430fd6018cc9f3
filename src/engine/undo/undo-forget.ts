/** undoForget: a forgotten snapshot comes back under a new id, as long as no prune has freed it. */
import { newId } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import type { SnapshotRecord } from '../../model/snapshot.ts'
import type { Trash } from '../../model/trash.ts'
import { commitSnapshot } from '../../repository/commit.ts'
import { trashKey } from '../../repository/keys-layout.ts'
import { eraseSnapshot, isErased } from '../../repository/prune/erased.ts'
import type { Records } from '../../repository/records.ts'
import { type Run, startRun } from '../../repository/runs.ts'
import type { SnapshotInfo } from '../../repository/snapshots.ts'
import { findTrash } from '../../repository/trash.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { warnOfCreateOnce } from '../create-once.ts'
import { carryNotes } from '../rewrite/carry-notes.ts'
import { type BodyResult, type RunContext, withRun } from '../run/context.ts'
import { viewSnapshot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import type { CallOptions } from '../types/run.ts'
import type { UndoForgetResult } from '../types/undo.ts'
import { forgotten } from './forgotten.ts'
import { requireReliable } from './reliable.ts'

export function undoForget(engine: EngineContext, ref: string, options: CallOptions): Promise<UndoForgetResult> {
  const call = {
    verb: 'undo' as const,
    options,
    exclusive: ['undo'],
    describe: { snapshot: ref },
    summarize: ({ snapshot }: BodyResult<'undo'>) => ({ snapshot: snapshot.id }),
  }
  return withRun(engine, call, (run) => undo(engine, ref, run))
}

async function undo(engine: EngineContext, ref: string, run: RunContext): Promise<BodyResult<'undo'>> {
  const { repository } = engine.repository
  for (const warning of engine.warnings) run.warn(warning)
  const id = await resolve(engine, ref, run.signal)
  const { clock, host } = engine
  const lease = await engine.repository.lease()
  try {
    const start = { runId: newId(clock.now()), verb: run.verb, host, clock, signal: run.signal }
    const protocol = await startRun(repository, start)
    warnOfCreateOnce(engine, run)
    try {
      const info = await bringBack(engine, run, lease, protocol, id)
      await carryNotes(engine, run, id, info.id)
      // A prune keeps what the new one needs. What stays here would only be offered again, which the next call notices.
      await repository.target.delete([trashKey(id)], { signal: run.signal }).catch(() => undefined)
      const { note } = await repository.notes.of(info.id, { signal: run.signal })
      return { snapshot: viewSnapshot(info, note), forgotten: id }
    } finally {
      await protocol.finish()
    }
  } finally {
    lease.release()
  }
}

/** From here on a prune waits for this run; the copy is read after that, and then the index. */
export async function bringBack(
  engine: EngineContext,
  run: RunContext,
  lease: Lease,
  protocol: Run,
  id: string,
): Promise<SnapshotInfo> {
  const { repository } = engine.repository
  const { records, cache } = repository
  const { snapshots, tombstones } = await protocol.found.all({ signal: run.signal })
  if (tombstones.get(id)?.reason === 'erased') throw freed(id)
  const trash = await findTrash(records, id, { signal: run.signal })
  if (trash && snapshots.some((each) => each.id === id)) throw notForgotten(id)
  const first = trash?.snapshot.undoneFrom ?? id
  const back = snapshots.find(({ record }) => record.undoneFrom === first)
  // A call before this one has done it, and died before it could say so.
  if (back) return back
  if (!trash) throw freed(id)
  await engine.repository.refreshIndex(lease, run.signal, protocol)
  run.progress.phase('check')
  await requireReliable(engine, lease, trash.snapshot, run)
  run.progress.phase('commit')
  const snapshot = recordOf(engine, run, protocol, trash, first)
  const { clock } = engine
  const info = await commitSnapshot({ records, run: protocol, snapshot, clock, cache, signal: run.signal })
  await requireNotErased(records, id, info.id, { now: clock.now(), signal: run.signal })
  return info
}

/** An erasure marks the old one, then looks for what has come: one of the two sees the other. */
async function requireNotErased(
  records: Records,
  old: string,
  id: string,
  { now, signal }: { now: Date; signal: AbortSignal },
): Promise<void> {
  if (!(await isErased(records, old, { signal }))) return
  await eraseSnapshot({ records, id, now, signal })
  throw freed(old)
}

/** Everything is as it was, but what names it. */
function recordOf(
  engine: EngineContext,
  run: RunContext,
  { runId: id }: Run,
  { snapshot }: Trash,
  first: string,
): SnapshotRecord {
  const { newestEpoch: epoch } = engine.repository.repository.keyring
  return { ...snapshot, id, runId: run.runId, undoneFrom: first, epoch }
}

async function resolve(engine: EngineContext, ref: string, signal: AbortSignal): Promise<string> {
  const list = await forgotten(engine, signal).toArray()
  if (list.some(({ id }) => id === ref)) return ref
  const fitting = list.filter(({ id }) => id.startsWith(ref)).map(({ id }) => id)
  if (fitting.length > 1) {
    throw new BackupError('SNAPSHOT_AMBIGUOUS', `'${ref}' fits ${fitting.length} forgotten snapshots`, {
      origin: 'repository',
      details: { ref, count: fitting.length, candidates: fitting.slice(0, 20) },
      hint: 'Give more characters of the id.',
    })
  }
  // A whole id may be that of one that is back already.
  return fitting[0] ?? ref
}

function freed(id: string): BackupError {
  return new BackupError('SNAPSHOT_NOT_FOUND', `there is no forgotten snapshot ${id}`, {
    origin: 'repository',
    details: { ref: id },
    hint: 'A prune has freed it, it was erased, or never forgotten. forgotten() lists those that can still be brought back.',
  })
}

function notForgotten(id: string): BackupError {
  return new BackupError('SNAPSHOT_NOT_FOUND', `snapshot ${id} is there: it is not forgotten`, {
    origin: 'repository',
    details: { ref: id },
  })
}
