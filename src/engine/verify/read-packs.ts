/** Reads packs whole and has them proved in the threads, those whose last proof is oldest first. */

import { BackupError } from '../../errors.ts'
import { packBytesFor } from '../../model/pack.ts'
import { packKey } from '../../repository/keys-layout.ts'
import { readPack } from '../../repository/pack-bytes.ts'
import type { Target } from '../../targets/target.ts'
import { linkAbort } from '../../util/abort.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import type { PackAnswer } from '../../workers/verify/pack.ts'
import type { VerifyBudget } from '../types/verify.ts'
import type { CheckSessions } from './check-sessions.ts'
import type { CheckWork } from './check-work.ts'
import type { KnownPack } from './inventory.ts'
import type { Proofs } from './proofs.ts'

export interface PacksRead {
  /** What was read, and whether it is as it was stored. */
  readonly checked: Map<KnownPack, boolean>
  /** Chunks that are lost, as numbers of entries for each place of the pack. */
  readonly lost: Map<KnownPack, number[][]>
  /** Packs that turned out to be gone since they were listed. */
  readonly gone: Set<KnownPack>
  readonly bytes: number
}

export async function readPacks(
  work: CheckWork,
  sessions: CheckSessions,
  lease: Lease,
  packs: Iterable<KnownPack>,
  proofs: Proofs,
): Promise<PacksRead> {
  const queue = [...packs].filter(({ missing }) => !missing)
  queue.sort((a, b) => proofs.provedMs(a.name) - proofs.provedMs(b.name) || (a.name < b.name ? -1 : 1))
  const read = new PackReads(work, sessions)
  const within = new Budget(work, queue)
  work.progress.total({ bytes: within.plannedBytes })
  await readAll(within.packs(), read, atOnce(lease, work.engine.target), work.signal)
  return read
}

/** In no order: a slow pack would keep the threads that are done from their next one. After a failure none is begun. */
async function readAll(packs: Generator<KnownPack>, read: PackReads, most: number, signal: AbortSignal): Promise<void> {
  const stop = linkAbort(signal)
  const reader = async (): Promise<void> => {
    try {
      // All readers take from the one generator, and a loop that is left by an error ends it for the others.
      for (const pack of packs) await read.one(pack, stop.signal)
    } catch (error) {
      stop.abort(error)
      throw error
    }
  }
  const readers = Array.from({ length: most }, reader)
  try {
    await Promise.all(readers)
  } finally {
    await Promise.allSettled(readers)
    stop.dispose()
  }
}

/**
 * Each thread has a pack in its hands. From a disk one more on its way is enough to keep them all busy; from far away
 * each thread needs one.
 */
function atOnce({ threads, maxMemoryBytes }: Lease, target: Target): number {
  const most = threads.length + (target.traits.remote ? threads.length : 1)
  if (maxMemoryBytes === undefined) return most
  // A pack that is being proved takes about twice its size: its own bytes, and what comes out of its segments.
  return Math.max(1, Math.min(most, Math.floor(maxMemoryBytes / (2 * packBytesFor(target)))))
}

/** Lets packs through until one of its limits is used up; the pack that reaches it is read to its end. */
class Budget {
  private readonly queue: readonly KnownPack[]
  private readonly mayBegin: (spentBytes: number) => boolean
  readonly plannedBytes: number

  constructor({ engine: { clock }, options: { budget = {} } }: CheckWork, queue: readonly KnownPack[]) {
    const total = queue.reduce((sum, { bytes }) => sum + bytes, 0)
    const maxBytes = byteLimit(budget, total)
    const endsMs = budget.ms === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + budget.ms
    this.queue = queue
    this.plannedBytes = Math.min(total, maxBytes)
    this.mayBegin = (spent) => spent < maxBytes && clock.monotonicMs() < endsMs
  }

  *packs(): Generator<KnownPack> {
    let spent = 0
    for (const pack of this.queue) {
      if (!this.mayBegin(spent)) return
      spent += pack.bytes
      yield pack
    }
  }
}

function byteLimit({ bytes, share }: VerifyBudget, total: number): number {
  return Math.min(bytes ?? Number.POSITIVE_INFINITY, share === undefined ? Number.POSITIVE_INFINITY : share * total)
}

class PackReads implements PacksRead {
  readonly checked = new Map<KnownPack, boolean>()
  readonly lost = new Map<KnownPack, number[][]>()
  readonly gone = new Set<KnownPack>()
  bytes = 0
  private readonly work: CheckWork
  private readonly sessions: CheckSessions

  constructor(work: CheckWork, sessions: CheckSessions) {
    this.work = work
    this.sessions = sessions
  }

  async one(pack: KnownPack, signal: AbortSignal): Promise<void> {
    const bytes = await this.fetch(pack, signal)
    if (!bytes) return
    const { length } = bytes
    const { name, places } = pack
    this.settle(pack, await this.sessions.callIdlest<PackAnswer>('pack', { name, places, bytes }, [bytes.buffer]))
    this.bytes += length
    this.work.progress.add({ bytes: length })
  }

  private async fetch(pack: KnownPack, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { engine, findings } = this.work
    try {
      return await readPack(engine.target, pack.name, { signal })
    } catch (error) {
      if (!BackupError.is(error) || error.origin !== 'repository') throw error
      findings.add(packKey(pack.name), { code: error.code, message: error.message })
      this.checked.set(pack, false)
      this.gone.add(pack)
      return undefined
    }
  }

  private settle(pack: KnownPack, { reasons, code, lost, chunks }: PackAnswer): void {
    this.checked.set(pack, reasons.length === 0)
    if (reasons.length === 0) return
    const damaged = Math.max(0, ...lost.map((entries) => entries.length))
    if (damaged > 0) this.lost.set(pack, lost)
    const message = `Pack ${pack.name} is not as it was stored: ${reasons.join('; ')}.`
    const fix = damaged > 0 ? {} : { fix: NOTHING_LOST }
    this.work.findings.add(packKey(pack.name), { code, message, ...fix, details: { chunks, damagedChunks: damaged } })
  }
}

const NOTHING_LOST =
  'Restore the pack from a copy of the repository soon: all its chunks can still be read, but it is damaged.'
