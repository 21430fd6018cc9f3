/** What a tree has lost: a rewrite that stores nothing, and keeps note of every chunk that is nowhere. */
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import type { TreeRoot } from '../../model/page.ts'
import { ByteWriter } from '../../util/bytes.ts'
import { latin1ToUser } from '../../util/paths.ts'
import { ChunkReader } from '../chunks/chunk-reader.ts'
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
  /** How often something was missed: fingerprints are no entry's content. */
  missed: number
}

/** What was missed since notes were begun: chunks, CHUNK_ROW_BYTES each, and which of them name others. */
export interface LostRows {
  rows: Uint8Array
  naming: Uint8Array
}

/** Paths of entries that have lost something, by source. */
export type LostPathLists = [source: string, paths: string[]][]

/** Stored nowhere. */
const NOTHING: TreeSink = { add: () => undefined, addLeaf: () => true, finish: () => null }

/** A set of chunk ids. */
export class IdSet {
  private readonly ids = new Set<string>()

  static of(rows: Uint8Array): IdSet {
    const set = new IdSet()
    set.addAll(rows)
    return set
  }

  get size(): number {
    return this.ids.size
  }

  has(id: Uint8Array): boolean {
    return this.ids.has(textOf(id))
  }

  /** Of these rows those that were not in it before, and are now. */
  addAll(rows: Uint8Array): Uint8Array {
    const fresh: Uint8Array[] = []
    for (let at = 0; at + CHUNK_ROW_BYTES <= rows.length; at += CHUNK_ROW_BYTES) {
      const row = rows.subarray(at, at + CHUNK_ROW_BYTES)
      if (this.add(row)) fresh.push(row)
    }
    return Buffer.concat(fresh)
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

/** Of all snapshots together: they share most of what they have lost. */
export class LossNotebook {
  missed = 0
  private readonly saved: IdSet
  private readonly seen = new IdSet()
  private readonly rows = new ByteWriter(CHUNK_ROW_BYTES * 64)
  private readonly naming = new ByteWriter(CHUNK_ROW_BYTES * 8)
  private readonly paths = new Map<string, Set<string>>()

  /** `saved`: nowhere now, but sure to be there again. */
  constructor(saved: IdSet) {
    this.saved = saved
  }

  isSaved(id: Uint8Array): boolean {
    return this.saved.has(id)
  }

  lost(id: Uint8Array, bytes: number, names: boolean): void {
    this.missed++
    if (!this.seen.add(id)) return
    for (const rows of names ? [this.rows, this.naming] : [this.rows]) {
      rows.raw(id)
      rows.u32(bytes)
    }
  }

  /** By path, latin1. */
  add(source: string, path: string): void {
    const paths = this.paths.get(source) ?? new Set<string>()
    this.paths.set(source, paths)
    paths.add(latin1ToUser(path))
  }

  get lostRows(): LostRows {
    return { rows: this.rows.copy(), naming: this.naming.copy() }
  }

  get lostPaths(): LostPathLists {
    return [...this.paths].map(([source, paths]) => [source, [...paths]])
  }
}

export async function findLosses(reader: ChunkReader, notebook: LossNotebook, job: LossJob): Promise<LossAnswer> {
  const before = notebook.missed
  const judge = new LostJudge(reader, {
    lost: (id, bytes, names) => notebook.lost(id, bytes, names),
    isSaved: (id) => notebook.isSaved(id),
    // Where a page is lost nobody knows whose content was.
    dropped: (path, entries) => void (entries === 1 && notebook.add(job.source, path)),
  })
  const rewrite = { ...job, judge: { kind: 'lost' as const } }
  const { dropped } = await new TreeRewrite(reader, NOTHING, async () => undefined, rewrite, judge).run()
  return { ...dropped, missed: notebook.missed - before }
}

/** What may be kept in memory of pages and lists that are lost, and were found again. */
export const MAX_KEPT_BYTES = 256 * 1024 * 1024

/** Reads those from memory: what they name may be lost too, and is to be looked for. */
export class MendedReader extends ChunkReader {
  private readonly kept = new Map<string, Uint8Array>()
  private keptBytes = 0

  /** False: it is too much. */
  keep(id: Uint8Array, bytes: Uint8Array): boolean {
    if (this.keptBytes + bytes.length > MAX_KEPT_BYTES) return false
    this.keptBytes += bytes.length
    this.kept.set(textOf(id), bytes)
    return true
  }

  override async chunk(id: Uint8Array, lengthBytes: number): Promise<Uint8Array> {
    return this.kept.get(textOf(id)) ?? (await super.chunk(id, lengthBytes))
  }
}
