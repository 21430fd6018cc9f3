/** Worker sessions that give content, one stream each, spread over the threads. */
import { type LinkedAbort, linkAbort } from '../../util/abort.ts'
import type { Session, Thread } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'

export interface ContentLane {
  readonly session: Session
  readonly thread: Thread
  /** Calls off what is being fetched. */
  readonly linked: LinkedAbort
}

/** A stream fetches ahead: pages and lists need less than a walk does. */
const CACHED_SEGMENTS = 2

export class ContentLanes {
  private readonly reading: Reading
  private readonly busy = new Map<Thread, number>()
  /** One a thread at most: opening one costs a millisecond, and small contents come by the thousand. */
  private readonly idle = new Map<Thread, ContentLane>()
  private readonly taken = new Set<ContentLane>()

  constructor(reading: Reading) {
    this.reading = reading
  }

  /** In the thread that has the fewest. */
  async take(): Promise<ContentLane> {
    const load = (thread: Thread): number => this.busy.get(thread) ?? 0
    const thread = this.reading.lease.threads.reduce((best, each) => (load(each) < load(best) ? each : best))
    this.busy.set(thread, load(thread) + 1)
    const known = this.idle.get(thread)
    this.idle.delete(thread)
    try {
      const lane = known ?? (await this.open(thread))
      this.taken.add(lane)
      return lane
    } catch (error) {
      this.busy.set(thread, load(thread) - 1)
      throw error
    }
  }

  private async open(thread: Thread): Promise<ContentLane> {
    const linked = linkAbort(this.reading.signal)
    try {
      const session = await this.reading.open('browse', { cachedSegments: CACHED_SEGMENTS }, thread, linked.signal)
      return { session, thread, linked }
    } catch (error) {
      linked.dispose()
      throw error
    }
  }

  /** Its content was read to the end. */
  async give(lane: ContentLane): Promise<void> {
    if (this.idle.has(lane.thread) || lane.linked.signal.aborted) return this.end(lane)
    this.leave(lane)
    this.idle.set(lane.thread, lane)
  }

  /** Ends what it does. */
  async end(lane: ContentLane): Promise<void> {
    this.leave(lane)
    lane.linked.abort('nobody wants the rest')
    await this.reading.end(lane.session, 'nobody wants the rest')
  }

  private leave(lane: ContentLane): void {
    if (this.taken.delete(lane)) this.busy.set(lane.thread, this.busy.get(lane.thread)! - 1)
  }

  /** Also those that a plugin has forgotten in the middle. */
  async close(): Promise<void> {
    const all = [...this.taken, ...this.idle.values()]
    this.idle.clear()
    await Promise.all(all.map((lane) => this.end(lane)))
  }
}
