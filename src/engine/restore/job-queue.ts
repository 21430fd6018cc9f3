/** Gives each job to the worker with the least to do. */

import type { RestoreJob } from '../../workers/restore/job.ts'
import type { OpenedFile, PlaceJob } from '../../workers/restore/place.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { FetchAhead } from './fetch-ahead.ts'

/** One that is written and one whose bytes are there: at most 4 MiB each. */
const JOBS_PER_WORKER = 2

export class JobQueue {
  private readonly lanes: { session: Session; bytes: number; jobs: number }[]
  private readonly running = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined

  constructor(sessions: readonly Session[]) {
    this.lanes = sessions.map((session) => ({ session, bytes: 0, jobs: 0 }))
  }

  /** Waits until a worker has room for it. `ended` never rejects: see `throwIfFailed`. */
  async push(
    job: RestoreJob,
    opened: OpenedFile[],
    fetches: FetchAhead,
    done: () => void,
  ): Promise<{ ended: Promise<void> }> {
    const lane = await this.room()
    const cost = job.wholeBytes + job.partBytes
    lane.jobs++
    lane.bytes += cost
    const tracked: Promise<void> = this.run(job, opened, fetches, lane.session)
      .then(done)
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => {
        lane.jobs--
        lane.bytes -= cost
        this.running.delete(tracked)
      })
    this.running.add(tracked)
    return { ended: tracked }
  }

  private async run(job: RestoreJob, opened: OpenedFile[], fetches: FetchAhead, session: Session): Promise<void> {
    const { pack, start, body } = job
    const bytes = await fetches.take(job)
    const placeJob: PlaceJob = { pack, start, bytes, body, opened }
    await session.call('job', placeJob, [bytes.buffer, body.buffer])
  }

  private async room(): Promise<(typeof this.lanes)[number]> {
    for (;;) {
      this.throwIfFailed()
      const free = this.lanes.filter(({ jobs }) => jobs < JOBS_PER_WORKER).sort((a, b) => a.bytes - b.bytes)
      if (free[0]) return free[0]
      await Promise.race(this.running)
    }
  }

  /** The first failure of any job so far. */
  throwIfFailed(): void {
    if (this.failure) throw this.failure.error
  }
}
