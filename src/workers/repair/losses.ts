/** What a tree has lost: a rewrite that stores nothing, and keeps note of every chunk that is nowhere. */
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import type { TreeRoot } from '../../model/page.ts'
import { ByteWriter } from '../../util/bytes.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import { LostJudge } from '../rewrite/judges.ts'
import { type DroppedEntry, TreeRewrite, type TreeSink } from '../rewrite/service.ts'

export interface LossJob {
  source: string
  root: TreeRoot
  /** So many entries are listed; all are counted. */
  listed: number
}

export interface LossAnswer {
  entries: number
  bytes: number
  list: DroppedEntry[]
  /** Chunks that are nowhere, CHUNK_ROW_BYTES each: id and length. */
  chunks: Uint8Array
}

/** Stored nowhere. */
const NOTHING: TreeSink = { add: () => undefined, addLeaf: () => true, finish: () => null }

/** A set of chunk ids. */
export class IdSet {
  private readonly ids = new Set<string>()

  static of(rows: Uint8Array): IdSet {
    const set = new IdSet()
    for (let at = 0; at + CHUNK_ROW_BYTES <= rows.length; at += CHUNK_ROW_BYTES) set.add(rows.subarray(at, at + 32))
    return set
  }

  get size(): number {
    return this.ids.size
  }

  has(id: Uint8Array): boolean {
    return this.ids.has(textOf(id))
  }

  /** False: it was in it before. */
  add(id: Uint8Array): boolean {
    const { size } = this.ids
    return this.ids.add(textOf(id)).size > size
  }
}

function textOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, 32).toString('latin1')
}

/** `saved`: nowhere now, but sure to be there again. */
export async function findLosses(reader: ChunkReader, saved: IdSet, job: LossJob): Promise<LossAnswer> {
  const rows = new ByteWriter(CHUNK_ROW_BYTES * 64)
  const seen = new IdSet()
  const lost = (id: Uint8Array, bytes: number): void => {
    if (!seen.add(id)) return
    rows.raw(id)
    rows.u32(bytes)
  }
  const judge = new LostJudge(reader, { lost, isSaved: (id) => saved.has(id) })
  const rewrite = { ...job, judge: { kind: 'lost' as const } }
  const { dropped } = await new TreeRewrite(reader, NOTHING, async () => undefined, rewrite, judge).run()
  return { ...dropped, chunks: rows.copy() }
}
