/** One 'verify' session in each leased thread, and what they may ask of the main thread. */

import { readPack } from '../../repository/pack-bytes.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import { type Handlers, Moved, type Session } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'
import type { CheckWork } from './check-work.ts'
import type { Inventory } from './inventory.ts'

export class CheckSessions {
  readonly list: readonly Session[]
  private readonly counted: Counted
  private readonly busy = new Map<Session, number>()

  private constructor(list: readonly Session[], counted: Counted) {
    this.list = list
    this.counted = counted
  }

  static async open(work: CheckWork, reading: Reading, inventory: Inventory): Promise<CheckSessions> {
    const { engine } = work
    const init = { vault: engine.repository.vault(), tables: inventory.tables.map(({ plain }) => plain) }
    const counted: Counted = { quiet: false }
    const list: Session[] = []
    for (const thread of reading.lease.threads) {
      list.push(reading.track(await thread.open('verify', init, handlersOf(work, counted))))
    }
    return new CheckSessions(list, counted)
  }

  /** From now on entries that are walked are no progress: they were walked before. */
  countNoMore(): void {
    this.counted.quiet = true
  }

  /** The same one for the same id, so that pages which snapshots share are walked once. */
  of(id: Uint8Array): Session {
    return this.list[id[0]! % this.list.length]!
  }

  /** Calls the session that has the least to do. */
  async callIdlest<T>(method: string, args: unknown, transfer: ArrayBuffer[]): Promise<T> {
    const load = (session: Session): number => this.busy.get(session) ?? 0
    const session = this.list.reduce((best, each) => (load(each) < load(best) ? each : best))
    this.busy.set(session, load(session) + 1)
    try {
      return await session.call<T>(method, args, transfer)
    } finally {
      this.busy.set(session, load(session) - 1)
    }
  }
}

interface Counted {
  quiet: boolean
}

function handlersOf(work: CheckWork, counted: Counted): Handlers {
  const { progress } = work
  return {
    // Never from the local cache: what lies near proves nothing.
    range: async ({ pack, start, end }: RangeRequest) => {
      const bytes = await readPack(work.engine.target, pack, { range: { start, end }, signal: work.signal })
      return new Moved(bytes, [bytes.buffer])
    },
    walked: (entries: number) => (counted.quiet ? progress.touch() : progress.add({ items: entries })),
  }
}
