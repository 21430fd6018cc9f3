/** forgotten: which snapshots can still be brought back. */
import type { Trash } from '../../model/trash.ts'
import { TrashListing } from '../../repository/trash.ts'
import { linkAbort, race } from '../../util/abort.ts'
import { listSorted } from '../listing.ts'
import { loadRecords } from '../snapshots/load.ts'
import { viewSnapshot } from '../snapshots/view.ts'
import type { EngineContext } from '../types/context.ts'
import type { Listing } from '../types/run.ts'
import type { ForgottenSnapshot } from '../types/undo.ts'

/** What was forgotten last comes first. */
export function forgotten(engine: EngineContext, signal: AbortSignal | undefined): Listing<ForgottenSnapshot> {
  return listSorted({
    load: async () => {
      engine.lifetime.assertOpen()
      const linked = linkAbort(signal, engine.lifetime.signal)
      try {
        return await race(load(engine, linked.signal), linked.signal)
      } finally {
        linked.dispose()
      }
    },
    placeOf: ({ forgottenAt, id }) => [forgottenAt.getTime(), id],
    order: 'newest',
  })
}

async function load(engine: EngineContext, signal: AbortSignal): Promise<ForgottenSnapshot[]> {
  const { records, notes } = engine.repository.repository
  // Trash first: who forgets puts a copy there before the snapshot goes, so none that is there still passes for forgotten.
  const { trash } = await new TrashListing(records).list({ signal })
  const [{ snapshots, erased }, noted] = await Promise.all([loadRecords(engine, signal), notes.list({ signal })])
  const there = new Set(snapshots.flatMap(({ view }) => [view.id, ...(view.undoneFrom ? [view.undoneFrom] : [])]))
  const isBack = ({ id, snapshot }: Trash): boolean => there.has(id) || there.has(snapshot.undoneFrom ?? id)
  const gone = trash.filter((each) => !isBack(each) && !erased.has(each.id))
  const list = gone.map((each) => viewForgotten(each, noted.notes.get(each.id)))
  return list.sort((a, b) => b.forgottenAt.getTime() - a.forgottenAt.getTime() || (a.id < b.id ? 1 : -1))
}

function viewForgotten(
  { id, at, snapshot: record }: Trash,
  note?: Parameters<typeof viewSnapshot>[1],
): ForgottenSnapshot {
  const { checksum: _, ...view } = viewSnapshot({ id, record, checksum: '' }, note)
  return { ...view, forgottenAt: at }
}
