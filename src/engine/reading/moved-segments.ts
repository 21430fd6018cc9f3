/**
 * A pack that a prune has deleted while somebody reads from it: what was needed of it lies in others now. Its segments are
 * found there by their chunks, or made again out of them, and put where they were, so that whoever asked need not know.
 */

import { readPack } from '../../repository/pack-bytes.ts'
import { ChunkIndex, type ChunkTable } from '../../workers/chunks/chunk-index.ts'
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import type { RebuildJob } from '../../workers/segments/segment-rebuild.ts'
import type { Lease } from '../../workers/threads/pool.ts'
import { Moved, type Session } from '../../workers/threads/rpc.ts'
import type { EngineContext } from '../types/context.ts'

/** A segment of the pack that is gone. */
interface GoneSegment extends RebuildJob {
  readonly offset: number
}

/** What is needed of whoever reads. */
interface Reader {
  readonly engine: EngineContext
  readonly lease: Lease
  track(session: Session): Session
  end(session: Session): Promise<void>
}

interface Range {
  readonly start: number
  readonly end: number
}

/** What the index knows of the segments in a part of a pack. */
export function segmentsWithin(tables: readonly ChunkTable[], pack: string, { start, end }: Range): GoneSegment[] {
  for (const table of tables) {
    for (let number = 0; number < table.packCount; number++) {
      if (table.packName(number) !== pack) continue
      return table
        .segmentsOf(number)
        .filter(({ offset, storedBytes, chunks }) => chunks > 0 && offset >= start && offset + storedBytes <= end)
        .map(({ firstEntry, chunks, ...segment }) => ({ ...segment, chunks: chunksOf(table, firstEntry, chunks) }))
    }
  }
  return []
}

function chunksOf(table: ChunkTable, firstEntry: number, count: number): GoneSegment['chunks'] {
  const chunks: GoneSegment['chunks'] = []
  for (let entry = firstEntry; entry < firstEntry + count; entry++) {
    chunks.push({ id: table.ids.idOf(entry), length: table.lengthOf(entry) })
  }
  return chunks
}

/** The part as it was, but for what nobody needs any more. Undefined where nothing of it can be found. */
export async function readMoved(
  reader: Reader,
  gone: readonly GoneSegment[],
  { start, end }: Range,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { target, repository } = reader.engine
  const index = new ChunkIndex(repository.index.plain)
  const bytes = new Uint8Array(end - start)
  const rebuild = new Rebuilding(reader, index, signal)
  let found = 0
  try {
    for (const segment of gone) {
      const copy = placeOf(index, segment)
      const stored = copy ? await readPack(target, copy.pack, { range: copy, signal }) : await rebuild.segment(segment)
      if (!stored) continue
      bytes.set(stored, segment.offset - start)
      found++
    }
  } finally {
    await rebuild.close()
  }
  return found > 0 ? bytes : undefined
}

/** A segment that was copied as it is: the same chunks in the same order, and the same lengths. */
function placeOf(index: ChunkIndex, segment: GoneSegment): (Range & { pack: string }) | undefined {
  const { id } = segment.chunks[0]!
  for (const [number, table] of index.tables.entries()) {
    for (let entry = table.findLive(id); entry >= 0; entry = table.findLiveNext(id)) {
      const { pack, segmentOffset, storedBytes, rawBytes, offset } = table.location(entry, number)
      const isAsLong = storedBytes === segment.storedBytes && rawBytes === segment.rawBytes && offset === 0
      if (isAsLong && segment.chunks.every((chunk, i) => table.ids.isAt(entry + i, chunk.id)))
        return { pack, start: segmentOffset, end: segmentOffset + storedBytes }
    }
  }
  return undefined
}

/** What was sealed anew, with other neighbours. */
class Rebuilding {
  private readonly reader: Reader
  private readonly index: ChunkIndex
  private readonly signal: AbortSignal
  private session: Session | undefined

  constructor(reader: Reader, index: ChunkIndex, signal: AbortSignal) {
    this.reader = reader
    this.index = index
    this.signal = signal
  }

  async segment({ offset: _, ...job }: GoneSegment): Promise<Uint8Array<ArrayBuffer> | null> {
    const isLive = ({ id }: { id: Uint8Array }): boolean => this.index.tables.some((table) => table.findLive(id) >= 0)
    if (!job.chunks.some(isLive)) return null
    this.session ??= await this.open()
    return await this.session.call<Uint8Array<ArrayBuffer> | null>('segment', job)
  }

  private async open(): Promise<Session> {
    const { engine, lease } = this.reader
    const range = async ({ pack, start, end }: RangeRequest): Promise<Moved> => {
      const bytes = await readPack(engine.target, pack, { range: { start, end }, signal: this.signal })
      return new Moved(bytes, [bytes.buffer])
    }
    const init = { vault: engine.repository.vault(), tables: this.index.tables.map(({ plain }) => plain) }
    return this.reader.track(await lease.threads[0]!.open('rebuild', init, { range }))
  }

  async close(): Promise<void> {
    if (this.session) await this.reader.end(this.session)
  }
}
