/**
 * The bytes for the jobs of a window. On a far target, where each request takes a round trip and is charged for, jobs that
 * lie near each other in a pack share one range, and the ranges that come next are on their way while others are used.
 */
import { REMOTE_PACK_BYTES } from '../../model/pack.ts'
import { release } from '../../util/bytes.ts'
import type { RestoreJob } from '../../workers/restore/job.ts'
import type { Reading } from '../reading/reading.ts'

const MIB = 1024 * 1024
/** A whole pack, as they are written to far targets. */
const MAX_RANGE_BYTES = REMOTE_PACK_BYTES
/** Taken along between two jobs: less than a request costs. */
const MAX_GAP_BYTES = MIB
/** Of ranges that are on their way or not used up: one is used up while two are on their way. */
const AHEAD_BYTES = 3 * REMOTE_PACK_BYTES

interface Range {
  readonly pack: string
  readonly start: number
  end: number
  /** Jobs that have not taken their part. */
  users: number
  bytes?: Promise<Uint8Array<ArrayBuffer>>
}

export class FetchAhead {
  private readonly reading: Reading
  private readonly ranges = new Map<RestoreJob, Range>()
  /** Not begun, in the order of the jobs. */
  private readonly waiting: Range[] = []
  private readonly aheadBytes: number
  private heldBytes = 0

  /** `jobs` in the order they will be taken. */
  constructor(reading: Reading, jobs: readonly RestoreJob[]) {
    this.reading = reading
    const { remote } = reading.engine.target.traits
    this.aheadBytes = remote ? AHEAD_BYTES : 0
    for (const job of jobs) {
      const last = this.waiting.at(-1)
      if (last && remote && isNear(last, job)) {
        last.end = job.end
        last.users++
        this.ranges.set(job, last)
      } else {
        const { pack, start, end } = job
        const range: Range = { pack, start, end, users: 1 }
        this.waiting.push(range)
        this.ranges.set(job, range)
      }
    }
  }

  /** The job's bytes, in a buffer of their own. Once for each job. */
  async take(job: RestoreJob): Promise<Uint8Array<ArrayBuffer>> {
    const range = this.ranges.get(job)!
    this.ranges.delete(job)
    this.begin(range)
    this.beginNext()
    const bytes = await range.bytes!
    const isWhole = job.start === range.start && job.end === range.end
    const part = isWhole ? bytes : copied(bytes, job.start - range.start, job.end - range.start)
    if (--range.users > 0) return part
    this.heldBytes -= range.end - range.start
    if (!isWhole) release(bytes)
    this.beginNext()
    return part
  }

  private begin(range: Range): void {
    if (range.bytes) return
    this.waiting.splice(this.waiting.indexOf(range), 1)
    const { pack, start, end } = range
    this.heldBytes += end - start
    range.bytes = this.reading.range({ pack, start, end })
    // Those who wait for it hear of a failure; a range that nobody takes any more fails silently.
    range.bytes.catch(() => undefined)
  }

  private beginNext(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (this.heldBytes + next.end - next.start > this.aheadBytes) return
      this.begin(next)
    }
  }
}

function isNear(range: Range, { pack, start, end }: RestoreJob): boolean {
  return (
    pack === range.pack &&
    start >= range.end &&
    start - range.end <= MAX_GAP_BYTES &&
    end - range.start <= MAX_RANGE_BYTES
  )
}

/** Also of what is a Buffer, whose own `slice` copies nothing. */
function copied(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.prototype.slice.call(bytes, start, end) as Uint8Array<ArrayBuffer>
}
