/** From marks to decisions: which places are to be kept, how much of each pack that is, and what must not die after all. */
import type { ChunkTable } from '../chunks/chunk-index.ts'
import type { MarkedIndex, PlaceTest, SegmentIn } from './marks.ts'

/** Of the packs of one table, by number. */
export interface TableTally {
  /** Stored bytes that are to be kept. */
  neededBytes: Float64Array<ArrayBuffer>
  /** Of all segments: what a pack has beside them is not worth a rewrite. */
  segmentBytes: Float64Array<ArrayBuffer>
  /** 1 where it has chunks that are reached and are to be kept elsewhere. */
  doubled: Uint8Array<ArrayBuffer>
}

/** A part of a pack with segments that are to be kept. */
export interface NeededRange {
  start: number
  end: number
}

/** When so much of a segment is dead it is not copied as it is: what is needed of it is sealed anew. */
const RESEAL_DEAD_SHARE = 0.2
/** What lies between two segments is fetched along with them: cheaper than another request. */
const MAX_GAP_BYTES = 256 * 1024
/** No range becomes longer, unless a single segment is: several are in memory at once. */
export const MAX_RANGE_BYTES = 4 * 1024 * 1024

export class PruneTally {
  private readonly index: MarkedIndex
  private readonly minDeadShare: number

  constructor(index: MarkedIndex, minDeadShare: number) {
    this.index = index
    this.minDeadShare = minDeadShare
  }

  /** Chooses one place for each chunk that is reached: in the pack that is needed most anyway. */
  choose(): TableTally[] {
    const { index } = this
    const reachedBytes = this.perPack((number, entry) => index.marks[number]!.isReached(entry))
    const shareOf = (number: number, entry: number): number => {
      const table = index.tables[number]!
      const pack = table.packNumber(entry)
      return reachedBytes[number]![pack]! / table.packSize(pack)
    }
    const doubled = index.tables.map(({ packCount }) => new Uint8Array(packCount))
    const isNoBetter = noBetterBy(shareOf)
    index.eachSegment((_, number, { pack, firstEntry, chunks }) => {
      const marks = index.marks[number]!
      for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
        if (!marks.isReached(entry)) continue
        if (index.everyPlace(number, entry, isNoBetter)) marks.need(entry)
        else doubled[number]![pack] = 1
      }
    })
    const neededBytes = this.perPack((number, entry) => index.marks[number]!.isNeeded(entry))
    const segmentBytes = this.perPack(() => true)
    return neededBytes.map((bytes, number) => ({
      neededBytes: bytes,
      segmentBytes: segmentBytes[number]!,
      doubled: doubled[number]!,
    }))
  }

  private perPack(counts: (number: number, entry: number) => boolean): Float64Array<ArrayBuffer>[] {
    const bytes = this.index.tables.map(({ packCount }) => new Float64Array(packCount))
    this.index.eachSegment((table, number, segment) => {
      const raw = rawBytesOf(table, segment, (entry) => counts(number, entry))
      bytes[number]![segment.pack]! += keptBytes(segment, raw, this.minDeadShare)
    })
    return bytes
  }

  /** Where the segments of a pack lie that are to be kept, near ones together. */
  ranges(number: number, pack: number): NeededRange[] {
    const table = this.index.tables[number]!
    const marks = this.index.marks[number]!
    const ranges: NeededRange[] = []
    for (const segment of table.segmentsOf(pack)) {
      if (rawBytesOf(table, segment, (entry) => marks.isNeeded(entry)) === 0) continue
      const end = segment.offset + segment.storedBytes
      const last = ranges.at(-1)
      const isNear = last !== undefined && segment.offset - last.end <= MAX_GAP_BYTES
      if (isNear && end - last.start <= MAX_RANGE_BYTES) last.end = end
      else ranges.push({ start: segment.offset, end })
    }
    return ranges
  }

  /**
   * Packs, of those that are condemned, which hold a reached chunk that is nowhere else but in condemned packs: as numbers
   * for each table.
   */
  rescue(condemned: readonly Uint8Array[]): number[][] {
    const { index } = this
    const rescued = index.tables.map(() => new Set<number>())
    const isCondemned: PlaceTest = (number, entry) => condemned[number]![index.tables[number]!.packNumber(entry)] === 1
    index.eachSegment((_, number, { pack, firstEntry, chunks }) => {
      if (condemned[number]![pack] !== 1 || rescued[number]!.has(pack)) return
      for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
        if (index.marks[number]!.isReached(entry) && index.everyPlace(number, entry, isCondemned)) {
          rescued[number]!.add(pack)
          return
        }
      }
    })
    return rescued.map((packs) => [...packs])
  }
}

/**
 * Whether a place is no better than the one it is compared with, or is that one. Of equals the first is better. Every place
 * of one chunk gives the same answer, so exactly one has no better.
 */
function noBetterBy(shareOf: (number: number, entry: number) => number): PlaceTest {
  return (number, entry, ofNumber, ofEntry) => {
    if (number === ofNumber && entry === ofEntry) return true
    const [share, mine] = [shareOf(number, entry), shareOf(ofNumber, ofEntry)]
    if (share !== mine) return share < mine
    return number > ofNumber || (number === ofNumber && entry > ofEntry)
  }
}

/** Never 0 where any counts, though a chunk may be empty. */
export function rawBytesOf(
  table: ChunkTable,
  { firstEntry, chunks }: Pick<SegmentIn, 'firstEntry' | 'chunks'>,
  counts: (entry: number) => boolean,
): number {
  let raw = 0
  for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
    if (counts(entry)) raw += Math.max(1, table.lengthOf(entry))
  }
  return raw
}

/** What stays of a segment once it is copied. */
function keptBytes({ storedBytes, rawBytes }: SegmentIn, neededRaw: number, minDeadShare: number): number {
  if (neededRaw === 0) return 0
  return isCopiedWhole(rawBytes, neededRaw, minDeadShare) ? storedBytes : (storedBytes * neededRaw) / rawBytes
}

/** A smaller share that packs are rewritten for holds for segments as well: nothing is to be left in them then. */
export function isCopiedWhole(rawBytes: number, neededRaw: number, minDeadShare: number): boolean {
  return rawBytes - neededRaw <= rawBytes * Math.min(minDeadShare, RESEAL_DEAD_SHARE)
}
