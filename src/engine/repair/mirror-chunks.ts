/** Lost chunks that a mirror has in packs of other names: one that is pruned on its own, or a copy from before a repair. */
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { IndexSet } from '../../repository/index-set.ts'
import type { Target } from '../../targets/target.ts'
import { throwIfAborted } from '../../util/abort.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'
import type { CheckWork } from '../verify/check-work.ts'
import { openRepair } from './stock.ts'

/** Gives what the mirrors have of these chunks, CHUNK_ROW_BYTES each, to a session that knows what is wanted. */
export async function readMirrors(
  work: CheckWork,
  reading: Reading,
  mirrors: readonly Target[],
  rows: Uint8Array,
  session: Session,
): Promise<void> {
  for (const mirror of mirrors) {
    const there = { ...work, engine: { ...work.engine, target: mirror } }
    const index = await indexOf(there, reading, mirror)
    const from = await openRepair(there, reading, index.index.tables)
    const view = Buffer.from(rows.buffer, rows.byteOffset, rows.length)
    for (let at = 0; at < rows.length; at += CHUNK_ROW_BYTES) {
      throwIfAborted(work.signal)
      const chunk = { id: new Uint8Array(rows.subarray(at, at + 32)), bytes: view.readUInt32LE(at + 32) }
      const bytes = await from.call<Uint8Array<ArrayBuffer> | null>('chunk', chunk)
      if (bytes) await session.call('put', bytes, [bytes.buffer])
    }
    await reading.end(from)
  }
}

async function indexOf({ engine, signal }: CheckWork, reading: Reading, mirror: Target): Promise<IndexSet> {
  const index = new IndexSet(mirror)
  let session: Session | undefined
  await index.refresh(async () => {
    const init = { vault: engine.repository.vault() }
    session ??= reading.track(await reading.lease.threads[0]!.open('index', init, {}))
    return session
  }, signal)
  if (session) await reading.end(session)
  return index
}
