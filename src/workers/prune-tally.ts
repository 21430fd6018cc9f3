/** From marks to decisions: which places are to be kept, how much of each pack that is, and what must not die after all. */
import type { ChunkTable } from './chunk-index.ts'
import type { MarkedIndex, SegmentIn } from './prune-marks.ts'

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

/** Below this share a segment is not copied as it is: what is needed of it is sealed anew. */
const RESEAL_SHARE = 0.8
/** What lies between two segments is fetched along with them: cheaper than another request. */
const MAX_GAP_BYTES = 256 * 1024

export class PruneTally {
  private readonly index: MarkedIndex

  constructor(index: MarkedIndex) {
    this.index = index
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
    index.eachSegment((_, number, { pack, firstEntry, chunks }) => {
      const marks = index.marks[number]!
      for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
        if (!marks.isReached(entry)) continue
        if (this.isBest(number, entry, shareOf)) marks.need(entry)
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

  /** Of equals the first. Every place of one chunk gives the same answer, so exactly one is kept. */
  private isBest(number: number, entry: number, shareOf: (number: number, entry: number) => number): boolean {
    const mine = shareOf(number, entry)
    for (const place of this.index.placesOf(number, entry)) {
      if (place.number === number && place.entry === entry) continue
      const other = shareOf(place.number, place.entry)
      const isBefore = place.number < number || (place.number === number && place.entry < entry)
      if (other > mine || (other === mine && isBefore)) return false
    }
    return true
  }

  private perPack(counts: (number: number, entry: number) => boolean): Float64Array<ArrayBuffer>[] {
    const bytes = this.index.tables.map(({ packCount }) => new Float64Array(packCount))
    this.index.eachSegment((table, number, segment) => {
      bytes[number]![segment.pack]! += keptBytes(
        segment,
        rawBytesOf(table, segment, (entry) => counts(number, entry)),
      )
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
      if (last && segment.offset - last.end <= MAX_GAP_BYTES) last.end = end
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
    const isCondemned = (number: number, entry: number): boolean =>
      condemned[number]![index.tables[number]!.packNumber(entry)] === 1
    index.eachSegment((_, number, { pack, firstEntry, chunks }) => {
      if (condemned[number]![pack] !== 1 || rescued[number]!.has(pack)) return
      for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
        if (!index.marks[number]!.isReached(entry)) continue
        const others = [...index.placesOf(number, entry)]
        if (others.every((place) => isCondemned(place.number, place.entry))) {
          rescued[number]!.add(pack)
          return
        }
      }
    })
    return rescued.map((packs) => [...packs])
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
function keptBytes({ storedBytes, rawBytes }: SegmentIn, neededRaw: number): number {
  if (neededRaw === 0) return 0
  return isCopiedWhole(rawBytes, neededRaw) ? storedBytes : (storedBytes * neededRaw) / rawBytes
}

export function isCopiedWhole(rawBytes: number, neededRaw: number): boolean {
  return neededRaw >= rawBytes * RESEAL_SHARE
}
