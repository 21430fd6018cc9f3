/** A run of entries to restore, grouped by where their chunks lie, so that each segment is fetched and opened once. */
import type { EntryMeta } from '../../model/entry.ts'
import type { ChunkRef } from '../../model/streams.ts'
import type { ChunkIndex, Location } from '../chunks/chunk-index.ts'
import { missingChunk } from '../chunks/chunk-reader.ts'
import { encodeJobBody, type JobBody, type Piece, type RestoreJob } from './job.ts'

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
  location: Location
  pieces: { file: number; piece: Piece }[]
}

interface WindowFile {
  meta: EntryMeta
  pieces: number
  bytes: number
  holes: boolean
  /** Pieces of it lie in other windows too. */
  split: boolean
}

export class WindowBuilder {
  private readonly index: ChunkIndex
  private readonly needs = new Map<number, SegmentNeed>()
  private readonly files = new Map<number, WindowFile>()
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

  /** `split`: begun in an earlier window, or going on in a later one. */
  openFile(file: number, meta: EntryMeta, split: boolean): void {
    this.files.set(file, { meta, pieces: 0, bytes: 0, holes: false, split })
  }

  markSplit(file: number): void {
    this.files.get(file)!.split = true
  }

  addRef(file: number, ref: ChunkRef, position: number): void {
    const entry = this.files.get(file)!
    if (!ref.id) {
      entry.holes = true
      return
    }
    this.bytes += ref.sizeBytes
    const location = this.index.find(ref.id)
    if (!location || location.length !== ref.sizeBytes) throw missingChunk(ref.id)
    let need = this.needs.get(location.segmentKey)
    if (!need) {
      need = { location, pieces: [] }
      this.needs.set(location.segmentKey, need)
    }
    if (++entry.pieces === 2) this.partedFiles++
    entry.bytes += location.length
    const piece = { segment: 0, offset: location.offset, length: location.length, position, id: ref.id }
    need.pieces.push({ file, piece })
  }

  build(complete: number[], begun: ReadonlySet<number>, done: boolean): RestoreWindow {
    const ranges = this.ranges()
    const scattered = this.scattered(ranges)
    const begins: OpenFile[] = []
    for (const file of scattered) if (!begun.has(file)) begins.push({ file, meta: this.files.get(file)!.meta })
    const jobs = ranges.map((needs) => this.job(needs, scattered))
    const finished = complete.filter((file) => scattered.has(file) || begun.has(file))
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

  /** Files that more than one job fills, or that need room for holes. */
  private scattered(ranges: readonly SegmentNeed[][]): Set<number> {
    const scattered = new Set<number>()
    const seen = new Map<number, number>()
    for (const [number, range] of ranges.entries()) {
      for (const { pieces } of range) {
        for (const { file } of pieces) {
          const before = seen.get(file)
          if (before === undefined) seen.set(file, number)
          else if (before !== number) scattered.add(file)
        }
      }
    }
    for (const [file, { holes, split }] of this.files) if (holes || split) scattered.add(file)
    return scattered
  }

  private job(range: readonly SegmentNeed[], scattered: ReadonlySet<number>): RestoreJob {
    const start = range[0]!.location.segmentOffset
    const last = range.at(-1)!.location
    const body: JobBody = { segments: [], whole: [], parts: [] }
    const whole = new Map<number, Piece[]>()
    const parts = new Map<number, Piece[]>()
    for (const [segment, { location, pieces }] of range.entries()) {
      const { storedBytes, rawBytes } = location
      body.segments.push({ at: location.segmentOffset - start, storedBytes, rawBytes })
      for (const { file, piece } of pieces) {
        piece.segment = segment
        push(scattered.has(file) ? parts : whole, file, piece)
      }
    }
    for (const [file, pieces] of whole)
      body.whole.push({ meta: this.files.get(file)!.meta, pieces: pieces.sort(byPosition) })
    for (const [file, pieces] of parts) body.parts.push({ file, sparse: this.files.get(file)!.holes, pieces })
    return {
      pack: last.pack,
      start,
      end: last.segmentOffset + last.storedBytes,
      body: encodeJobBody(body),
      wholeFiles: whole.size,
      wholeBytes: sum(whole),
      parts: [...parts.keys()],
      partBytes: sum(parts),
    }
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

function byPosition(a: Piece, b: Piece): number {
  return a.position - b.position
}

function push(map: Map<number, Piece[]>, file: number, piece: Piece): void {
  const pieces = map.get(file)
  if (pieces) pieces.push(piece)
  else map.set(file, [piece])
}

function sum(files: ReadonlyMap<number, readonly Piece[]>): number {
  let bytes = 0
  for (const pieces of files.values()) for (const { length } of pieces) bytes += length
  return bytes
}
