/** What every verb that reads needs: threads, an index that is up to date, and worker sessions that can ask for bytes. */
import { BackupError } from '../../errors.ts'
import { rangeThrough } from '../../repository/cache/object-cache.ts'
import { readPack } from '../../repository/pack-bytes.ts'
import type { GetPieces } from '../../targets/target.ts'
import { onAbort } from '../../util/abort.ts'
import { ChunkTable, type ChunkTablePlain } from '../../workers/chunks/chunk-index.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { type Handlers, Moved, type Session, type Thread } from '../../workers/threads/rpc.ts'
import type { EngineContext } from '../types/context.ts'
import { readMoved, segmentsWithin } from './moved-segments.ts'

export class Reading {
  readonly engine: EngineContext
  readonly lease: Lease
  readonly signal: AbortSignal
  private readonly sessions: Session[] = []
  /** All that sessions were given: the index forgets packs that are dead once it is built anew, and they do not. */
  private readonly given = new Map<ChunkTablePlain['segments'], ChunkTable>()
  private readonly unlink: () => void

  constructor(engine: EngineContext, lease: Lease, signal: AbortSignal) {
    this.engine = engine
    this.lease = lease
    this.signal = signal
    this.unlink = onAbort(signal, (reason) => this.abort(reason))
  }

  /**
   * A session whose service gets `vault` and `tables` beside its own options. `signal` calls off what is fetched for it,
   * where it may end before the others.
   */
  async open(
    service: string,
    options: object = {},
    thread: Thread = this.lease.threads[0]!,
    signal: AbortSignal = this.signal,
  ): Promise<Session> {
    const { repository } = this.engine
    const init = { ...options, vault: repository.vault(), tables: repository.index.plain }
    this.remember(init.tables)
    return this.track(await thread.open(service, init, this.handlers(signal)))
  }

  private remember(tables: readonly ChunkTablePlain[]): void {
    for (const plain of tables)
      if (!this.given.has(plain.segments)) this.given.set(plain.segments, new ChunkTable(plain))
  }

  track(session: Session): Session {
    this.sessions.push(session)
    if (this.signal.aborted) session.abort(this.signal.reason)
    return session
  }

  /** Ends one session before the others; with a reason, also what it is doing. Never rejects. */
  async end(session: Session, reason?: unknown): Promise<void> {
    if (reason !== undefined) session.abort(reason)
    await session.close().catch(() => undefined)
    const at = this.sessions.indexOf(session)
    if (at >= 0) this.sessions.splice(at, 1)
  }

  private handlers(signal: AbortSignal): Handlers {
    const { repository, index } = this.engine.repository
    const fetch = (request: RangeRequest): Promise<Uint8Array<ArrayBuffer>> => this.range(request, signal)
    return {
      range: async (request: RangeRequest) => moved(await rangeThrough(repository.cache, request, fetch, index.pages)),
    }
  }

  /** Stored bytes of a pack; they own their buffer. None where the target has given them as `pieces`. */
  async range(
    { pack, start, end }: RangeRequest,
    signal: AbortSignal = this.signal,
    pieces?: GetPieces,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const range = { start, end }
    try {
      return await readPack(this.engine.target, pack, { range, signal, pieces })
    } catch (error) {
      if (!BackupError.is(error) || error.code !== 'OBJECT_MISSING') throw error
      const moved = await this.moved(pack, range, signal)
      if (moved) return moved
      throw error
    }
  }

  /** A prune may have ended since the index was read: reads `gc/` and the index again, once for each range. */
  private async moved(
    pack: string,
    range: { start: number; end: number },
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { repository } = this.engine
    this.remember(repository.index.plain)
    const gone = segmentsWithin([...this.given.values()], pack, range)
    await repository.refreshIndex(this.lease, signal)
    // No place for anything, as far as this process is concerned: what else has its chunks is found first from now on.
    repository.index.markAbsent(new Set([pack]))
    return readMoved(this, gone, range, signal)
  }

  private abort(reason: unknown): void {
    for (const session of this.sessions) session.abort(reason)
  }

  async close(failure?: unknown): Promise<void> {
    if (failure !== undefined) this.abort(failure)
    this.unlink()
    await Promise.allSettled(this.sessions.map((session) => session.close()))
    this.lease.release()
  }
}

/** For the answer to a worker. */
export function moved(bytes: Uint8Array<ArrayBuffer>): Moved {
  return new Moved(bytes, [bytes.buffer])
}

/**
 * Leases threads, loads what the index lacks, runs the body, and ends all sessions whatever happens. `threads`: how many are
 * enough for it, where it is not all.
 */
export async function withReading<T>(
  engine: EngineContext,
  signal: AbortSignal,
  body: (reading: Reading) => Promise<T>,
  threads?: number,
): Promise<T> {
  return closing(await beginReading(engine, signal, threads), body)
}

/** Runs the body, and ends all sessions of the reading whatever happens. */
export async function closing<T>(reading: Reading, body: (reading: Reading) => Promise<T>): Promise<T> {
  let failure: unknown
  try {
    return await body(reading)
  } catch (error) {
    failure = error
    throw error
  } finally {
    await reading.close(failure)
  }
}

/** For what outlives the call, such as a stream: the caller closes it. */
export async function beginReading(engine: EngineContext, signal: AbortSignal, threads?: number): Promise<Reading> {
  const lease = await engine.repository.lease(threads)
  const reading = new Reading(engine, lease, signal)
  try {
    await engine.repository.refreshIndex(lease, signal)
    return reading
  } catch (error) {
    await reading.close(error)
    throw error
  }
}
