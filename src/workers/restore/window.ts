/** A run of entries to restore, grouped by where their chunks lie, so that each segment is fetched and opened once. */
import type { EntryMeta } from '../../model/entry.ts'
import type { ChunkRef } from '../../model/streams.ts'
import type { ChunkIndex, Location } from '../chunks/chunk-index.ts'
import { missingChunk } from '../chunks/chunk-reader.ts'
import type { RestoreJob } from './job.ts'
import { WindowJobs } from './window-jobs.ts'
import { FileRows, HOLES, PieceRows, SCATTERED, SPLIT } from './window-rows.ts'

/** A range takes in a gap if fetching it costs less than another request would. */
const MAX_GAP_BYTES = 128 * 1024
const MAX_RANGE_BYTES = 4 * 1024 * 1024
/** What a worker holds decoded at once. */
const MAX_JOB_RAW_BYTES = 8 * 1024 * 1024

export interface OpenFile {
  file: number
  meta: EntryMeta
}

export interface RestoreWindow {
  /** How many it holds. They are made by who needs them, and finished at the end. */
  directories: number
  /** Symlinks, FIFOs and empty files. */
  simple: EntryMeta[]
  /** Other names of a file that has been restored by the end of this window. */
  links: { meta: EntryMeta; to: string }[]
  /** Files that several jobs fill: to be begun before any of these jobs runs. */
  begins: OpenFile[]
  jobs: RestoreJob[]
  /** Files that no job after this window touches, in the order of their numbers. */
  complete: number[]
  entries: number
  done: boolean
}

interface SegmentNeed {
  readonly number: number
  readonly location: Location
}

export class WindowBuilder {
  private readonly index: ChunkIndex
  private readonly needs = new Map<number, SegmentNeed>()
  private readonly files = new FileRows()
  private readonly pieces = new PieceRows()
  directories = 0
  readonly simple: EntryMeta[] = []
  readonly links: { meta: EntryMeta; to: string }[] = []
  entries = 0
  bytes = 0
  /** Files of several chunks. */
  partedFiles = 0

  constructor(index: ChunkIndex) {
    this.index = index
  }

  /** `split`: begun in an earlier window, or going on in a later one. Files come in the order of their numbers. */
  openFile(file: number, meta: EntryMeta, split: boolean): void {
    this.files.add(file, meta, split ? SPLIT : 0)
  }

  markSplit(file: number): void {
    this.files.mark(this.files.rowOf(file), SPLIT)
  }

  addRef(number: number, ref: ChunkRef, position: number): void {
    const file = this.files.rowOf(number)
    if (!ref.id) {
      this.files.mark(file, HOLES)
      return
    }
    this.bytes += ref.sizeBytes
    const location = this.index.find(ref.id)
    if (!location || location.length !== ref.sizeBytes) throw missingChunk(ref.id)
    if (this.files.addPiece(file) === 2) this.partedFiles++
    const { offset, length } = location
    this.pieces.add({ file, segment: this.segment(location), offset, length, position }, ref.id)
  }

  private segment(location: Location): number {
    const known = this.needs.get(location.segmentKey)
    if (known) return known.number
    const number = this.needs.size
    this.needs.set(location.segmentKey, { number, location })
    return number
  }

  build(complete: number[], begun: ReadonlySet<number>, done: boolean): RestoreWindow {
    const { files, pieces, needs } = this
    const jobs = new WindowJobs(files, pieces, needs.size, this.ranges()).all()
    const begins: OpenFile[] = []
    for (let row = 0; row < files.count; row++) {
      const file = files.fileOf(row)
      if (files.has(row, SCATTERED) && !begun.has(file)) begins.push({ file, meta: files.meta(row) })
    }
    const finished = complete.filter((file) => files.has(files.rowOf(file), SCATTERED) || begun.has(file))
    const { directories, simple, links, entries } = this
    return { directories, simple, links, begins, jobs, complete: finished, entries, done }
  }

  /** Segments in the order they lie, cut into ranges worth one request each. */
  private ranges(): SegmentNeed[][] {
    const needs = [...this.needs.values()].sort(byPlace)
    const ranges: SegmentNeed[][] = []
    let rawBytes = 0
    for (const need of needs) {
      const range = ranges.at(-1)
      rawBytes += need.location.rawBytes
      if (range && rawBytes <= MAX_JOB_RAW_BYTES && fits(range, need.location)) range.push(need)
      else {
        ranges.push([need])
        rawBytes = need.location.rawBytes
      }
    }
    return ranges
  }
}

function fits(range: readonly SegmentNeed[], next: Location): boolean {
  const first = range[0]!.location
  const last = range.at(-1)!.location
  if (next.pack !== first.pack) return false
  const end = last.segmentOffset + last.storedBytes
  return (
    next.segmentOffset - end <= MAX_GAP_BYTES &&
    next.segmentOffset + next.storedBytes - first.segmentOffset <= MAX_RANGE_BYTES
  )
}

function byPlace(a: SegmentNeed, b: SegmentNeed): number {
  if (a.location.pack !== b.location.pack) return a.location.pack < b.location.pack ? -1 : 1
  return a.location.segmentOffset - b.location.segmentOffset
}
