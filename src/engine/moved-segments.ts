/**
 * A pack that a prune has deleted while somebody reads from it: what was needed of it lies in another one. Its segments are
 * found there by their chunks, and put where they were, so that whoever asked need not know.
 */
import type { Target } from '../targets/target.ts'
import type { ChunkIndex } from '../workers/chunk-index.ts'
import { readPack } from './pack-bytes.ts'

/** A segment of the pack that is gone. */
export interface GoneSegment {
  readonly offset: number
  readonly storedBytes: number
  readonly rawBytes: number
  readonly firstId: Uint8Array
}

interface Range {
  readonly start: number
  readonly end: number
}

/** What the index knows of the segments in a part of a pack. */
export function segmentsWithin(index: ChunkIndex, pack: string, { start, end }: Range): GoneSegment[] {
  for (const table of index.tables) {
    for (let number = 0; number < table.packCount; number++) {
      if (table.packName(number) !== pack) continue
      return table
        .segmentsOf(number)
        .filter(({ offset, storedBytes, chunks }) => chunks > 0 && offset >= start && offset + storedBytes <= end)
        .map(({ firstEntry, ...segment }) => ({ ...segment, firstId: table.ids.idOf(firstEntry) }))
    }
  }
  return []
}

/** The part as it was, but for what nobody needs any more. Undefined where nothing of it can be found. */
export async function readMoved(
  target: Target,
  index: ChunkIndex,
  gone: readonly GoneSegment[],
  { start, end }: Range,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(end - start)
  let found = 0
  for (const segment of gone) {
    const copy = placeOf(index, segment)
    if (!copy) continue
    const range = { start: copy.offset, end: copy.offset + segment.storedBytes }
    bytes.set(await readPack(target, copy.pack, { range, signal }), segment.offset - start)
    found++
  }
  return found > 0 ? bytes : undefined
}

/** A segment that was copied as it is begins with the same chunk and has the same lengths; another one would not open. */
function placeOf(index: ChunkIndex, segment: GoneSegment): { pack: string; offset: number } | undefined {
  for (const [number, table] of index.tables.entries()) {
    const { firstId } = segment
    for (let entry = table.findLive(firstId); entry >= 0; entry = table.findLiveNext(firstId)) {
      const { pack, segmentOffset, storedBytes, rawBytes, offset } = table.location(entry, number)
      const isSame = storedBytes === segment.storedBytes && rawBytes === segment.rawBytes && offset === 0
      if (isSame) return { pack, offset: segmentOffset }
    }
  }
  return undefined
}
