/**
 * The bytes for the jobs of a window. On a far target, where each request takes a round trip and is charged for, jobs that
 * lie near each other in a pack share one range, each gets its part as soon as that is there, and the ranges that come next are
 * on their way while others are used.
 */
import { REMOTE_PACK_BYTES } from '../../model/pack.ts'
import type { GetPieces } from '../../targets/target.ts'
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
  /** Those that share it, and the bytes of each. */
  readonly parts: Part[]
  begun: boolean
}

interface Part {
  readonly range: Range
  readonly job: RestoreJob
  readonly bytes: PromiseWithResolvers<Uint8Array<ArrayBuffer>>
}

export class FetchAhead {
  private readonly reading: Reading
  private readonly parts = new Map<RestoreJob, Part>()
  /** Not begun, in the order of the jobs. */
  private readonly waiting: Range[] = []
  private readonly aheadBytes: number
  /** Of jobs that have not taken theirs. */
  private heldBytes = 0

  /** `jobs` in the order they will be taken. */
  constructor(reading: Reading, jobs: readonly RestoreJob[]) {
    this.reading = reading
    const { remote } = reading.engine.target.traits
    this.aheadBytes = remote ? AHEAD_BYTES : 0
    for (const job of jobs) {
      const last = this.waiting.at(-1)
      const { pack, start, end } = job
      const isShared = last !== undefined && remote === true && isNear(last, job)
      const range: Range = isShared ? last : { pack, start, end, parts: [], begun: false }
      range.end = end
      const bytes = Promise.withResolvers<Uint8Array<ArrayBuffer>>()
      // Those who wait for it hear of a failure; what nobody takes any more fails silently.
      bytes.promise.catch(() => undefined)
      const part = { range, job, bytes }
      range.parts.push(part)
      this.parts.set(job, part)
      if (!isShared) this.waiting.push(range)
    }
  }

  /** The job's bytes, in a buffer of their own, as soon as they are there. Once for each job. */
  async take(job: RestoreJob): Promise<Uint8Array<ArrayBuffer>> {
    const { range, bytes } = this.parts.get(job)!
    this.parts.delete(job)
    this.begin(range)
    this.beginNext()
    const taken = await bytes.promise
    this.heldBytes -= job.end - job.start
    this.beginNext()
    return taken
  }

  private begin(range: Range): void {
    if (range.begun) return
    range.begun = true
    this.waiting.splice(this.waiting.indexOf(range), 1)
    this.heldBytes += wantedBytes(range)
    void this.fetch(range)
  }

  private beginNext(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (this.heldBytes + wantedBytes(next) > this.aheadBytes) return
      this.begin(next)
    }
  }

  /** The first bytes that come for a part are its bytes: a target may repeat itself. */
  private async fetch({ pack, start, end, parts }: Range): Promise<void> {
    const places = parts.map(({ job }) => ({ start: job.start - start, end: job.end - start }))
    const pieces = { places, take: (part: number, bytes: Uint8Array<ArrayBuffer>) => parts[part]!.bytes.resolve(bytes) }
    try {
      const all = await this.reading.range({ pack, start, end }, undefined, pieces)
      if (all.length > 0) share(all, places, pieces.take)
    } catch (error) {
      for (const { bytes } of parts) bytes.reject(error)
    }
  }
}

function wantedBytes({ parts }: Range): number {
  return parts.reduce((sum, { job }) => sum + job.end - job.start, 0)
}

/** What came in one piece. */
function share(all: Uint8Array<ArrayBuffer>, places: GetPieces['places'], take: GetPieces['take']): void {
  if (places.length === 1) {
    take(0, all)
    return
  }
  for (const [part, { start, end }] of places.entries()) take(part, copied(all, start, end))
  release(all)
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
