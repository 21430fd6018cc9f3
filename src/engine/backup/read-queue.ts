/** Hands read jobs to the ingest sessions: the next job goes to the one with the least left to read. */
import type { ReadJob, ReadResult } from '../../workers/ingest/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'

/**
 * One that is worked on and some that wait, so that a worker never waits for the main thread, or for the merge, which
 * shares its thread with another worker's reading: with one that waits, a fifth of a worker's time was lost.
 */
const JOBS_PER_SESSION = 4
/** What waits may not be more than this, or a large file would keep others waiting behind it. */
const WAITING_BYTES = 32 * 1024 * 1024

interface Lane {
  session: Session
  jobs: number
  bytes: number
}

export class ReadQueue {
  private readonly lanes: Lane[]
  private readonly running = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined

  constructor(sessions: readonly Session[]) {
    this.lanes = sessions.map((session) => ({ session, jobs: 0, bytes: 0 }))
  }

  /** Takes a job once there is room for it. `done` gets its result. */
  async push(job: ReadJob, done: (result: ReadResult) => Promise<void>): Promise<void> {
    const lane = await this.room()
    lane.jobs++
    lane.bytes += job.contentBytes
    const task = lane.session
      .call<ReadResult>('read', job, [job.metas.buffer, job.fingerprints.buffer])
      .finally(() => {
        lane.jobs--
        lane.bytes -= job.contentBytes
      })
      .then(done)
    this.track(task)
  }

  private track(task: Promise<void>): void {
    const tracked = task
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => this.running.delete(tracked))
    this.running.add(tracked)
  }

  private async room(): Promise<Lane> {
    for (;;) {
      this.check()
      const free = this.lanes.filter(
        ({ jobs, bytes }) => jobs === 0 || (jobs < JOBS_PER_SESSION && bytes < WAITING_BYTES),
      )
      const [first, ...rest] = free
      if (first) return rest.reduce((best, lane) => (lane.bytes < best.bytes ? lane : best), first)
      await Promise.race(this.running)
    }
  }

  /** Resolves when all jobs and what follows them are done. */
  async drain(): Promise<void> {
    while (this.running.size > 0) await Promise.race(this.running)
    this.check()
  }

  private check(): void {
    if (this.failure) throw this.failure.error
  }
}
