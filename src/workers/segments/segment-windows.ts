/**
 * The stored segments of one stream, fetched ahead of its reader. Chunks to come are gathered into windows; the segments of
 * a window that lie near each other in a pack come with one request, and a segment that two windows need comes once.
 */
import { BackupError } from '../../errors.ts'
import type { ChunkRef } from '../../model/streams.ts'
import { release } from '../../util/bytes.ts'
import type { ChunkIndex, Location } from '../chunks/chunk-index.ts'
import { checkedChunk, missingChunk } from '../chunks/chunk-reader.ts'
import type { Host } from '../threads/rpc.ts'
import { openFetched, type RangeRequest } from './segment-open.ts'
import type { Vault } from './vault.ts'

const KIB = 1024
/** Stored bytes of a window. The first ones are smaller: whoever reads only the beginning should not wait for more. */
const FIRST_WINDOW_BYTES = 512 * KIB
const WINDOW_BYTES = 2048 * KIB
/** Bytes of content, where they compress well. */
const WINDOW_RAW_BYTES = 8192 * KIB
/** Taken along if it lies between two segments that are needed: cheaper than another request. */
const MAX_GAP_BYTES = 128 * KIB
/** Of segments that are open at once. One that was closed and is needed after all is opened again. */
const OPENED_BYTES = 3072 * KIB

interface Segment {
  readonly location: Location
  range: Range | undefined
  raw: Uint8Array | undefined
  /** What was stored as it is may be a view of the range, which others need. */
  ownsRaw: boolean
  /** That need it and are not closed. */
  windows: number
}

interface Range {
  readonly start: number
  readonly bytes: Promise<Uint8Array>
  /** Segments that somebody still needs. */
  segments: number
}

/** Of one stream. Its chunks are taken one after the other. */
export class SegmentWindows {
  readonly vault: Vault
  readonly host: Host
  private readonly index: ChunkIndex
  private readonly segments = new Map<number, Segment>()
  /** The one that was used last comes last. */
  private readonly opened = new Set<Segment>()
  private openedBytes = 0
  private nextBytes = FIRST_WINDOW_BYTES

  constructor(vault: Vault, index: ChunkIndex, host: Host) {
    this.vault = vault
    this.index = index
    this.host = host
  }

  open(): SegmentWindow {
    const window = new SegmentWindow(this, this.nextBytes)
    this.nextBytes = Math.min(this.nextBytes * 2, WINDOW_BYTES)
    return window
  }

  locate(id: Uint8Array): Location | undefined {
    return this.index.find(id)
  }

  /** The segment for one more window. */
  join(location: Location): { segment: Segment; isNew: boolean } {
    const known = this.segments.get(location.segmentKey)
    const segment = known ?? { location, range: undefined, raw: undefined, ownsRaw: false, windows: 0 }
    if (!known) this.segments.set(location.segmentKey, segment)
    segment.windows++
    return { segment, isNew: !known }
  }

  leave(segment: Segment): void {
    if (--segment.windows > 0) return
    this.segments.delete(segment.location.segmentKey)
    this.drop(segment)
    const { range } = segment
    if (range && --range.segments === 0) void range.bytes.then(release, () => undefined)
  }

  /** Begins to fetch segments that no window has asked for before. */
  fetch(segments: readonly Segment[]): void {
    for (const run of runsOf(segments)) {
      const { pack, segmentOffset: start } = run[0]!.location
      const { segmentOffset, storedBytes } = run.at(-1)!.location
      const request: RangeRequest = { pack, start, end: segmentOffset + storedBytes }
      const bytes = this.host.call('range', request) as Promise<Uint8Array>
      // Whoever reads it meets the error; after an abort nobody may, and that is no failure of its own.
      bytes.catch(() => undefined)
      const range = { start, bytes, segments: run.length }
      for (const segment of run) segment.range = range
    }
  }

  /** Valid until the next call. */
  async chunk(ref: ChunkRef, location: Location, segment: Segment): Promise<Uint8Array> {
    const raw = segment.raw ?? (await this.openOne(segment))
    return checkedChunk(this.vault, raw, ref.id!, ref.chunkBytes, location)
  }

  private async openOne(segment: Segment): Promise<Uint8Array> {
    const { location, range } = segment
    if (!range) throw new BackupError('INTERNAL', 'a segment was not fetched', { origin: 'repository' })
    const bytes = await range.bytes
    const { pack, segmentOffset: start, storedBytes } = location
    const request: RangeRequest = { pack, start, end: start + storedBytes }
    const raw = await openFetched(this, location, bytes, start - range.start, request)
    segment.raw = raw
    segment.ownsRaw = raw.buffer !== bytes.buffer
    this.opened.add(segment)
    this.openedBytes += raw.length
    for (const other of this.opened) {
      if (this.openedBytes <= OPENED_BYTES || other === segment) break
      this.drop(other)
    }
    return raw
  }

  private drop(segment: Segment): void {
    const { raw } = segment
    if (!raw || !this.opened.delete(segment)) return
    segment.raw = undefined
    this.openedBytes -= raw.length
    if (segment.ownsRaw) release(raw)
  }
}

/** What is fetched together. Closed when its last chunk has been taken. */
export class SegmentWindow {
  private readonly windows: SegmentWindows
  private readonly maxBytes: number
  private readonly mine = new Map<number, Segment>()
  private readonly wanted: Segment[] = []
  private storedBytes = 0
  private rawBytes = 0

  constructor(windows: SegmentWindows, maxBytes: number) {
    this.windows = windows
    this.maxBytes = maxBytes
  }

  /** What gives the chunk's bytes. Undefined: the window is full, and the chunk belongs to the next one. */
  add(ref: ChunkRef): (() => Promise<Uint8Array>) | undefined {
    const location = this.windows.locate(ref.id!)
    if (!location) return () => Promise.reject(missingChunk(ref.id!))
    const segment = this.mine.get(location.segmentKey) ?? this.take(location)
    return segment && (() => this.windows.chunk(ref, location, segment))
  }

  private take(location: Location): Segment | undefined {
    const { storedBytes, rawBytes, segmentKey } = location
    const isFull = this.storedBytes + storedBytes > this.maxBytes || this.rawBytes + rawBytes > WINDOW_RAW_BYTES
    if (isFull && this.mine.size > 0) return undefined
    const { segment, isNew } = this.windows.join(location)
    this.mine.set(segmentKey, segment)
    if (isNew) this.wanted.push(segment)
    this.storedBytes += storedBytes
    this.rawBytes += rawBytes
    return segment
  }

  fetch(): void {
    this.windows.fetch(this.wanted)
  }

  close(): void {
    for (const segment of this.mine.values()) this.windows.leave(segment)
    this.mine.clear()
  }
}

/** In the order they lie, those near each other together. */
function runsOf(segments: readonly Segment[]): Segment[][] {
  const runs: Segment[][] = []
  for (const segment of [...segments].sort(byPlace)) {
    const before = runs.at(-1)?.at(-1)?.location
    const { pack, segmentOffset } = segment.location
    const isNear = before?.pack === pack && segmentOffset - before.segmentOffset - before.storedBytes <= MAX_GAP_BYTES
    if (isNear) runs.at(-1)!.push(segment)
    else runs.push([segment])
  }
  return runs
}

function byPlace({ location: a }: Segment, { location: b }: Segment): number {
  if (a.pack !== b.pack) return a.pack < b.pack ? -1 : 1
  return a.segmentOffset - b.segmentOffset
}
