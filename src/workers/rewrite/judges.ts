/** Who decides, entry by entry, what becomes of a tree that is rewritten. */

import { BackupError } from '../../errors.ts'
import { type EntryMeta, readMeta } from '../../model/entry.ts'
import { type ChunkRef, readStreams } from '../../model/streams.ts'
import { ByteReader } from '../../util/bytes.ts'
import { EntrySelector, type SelectorPlain } from '../browse/entry-selector.ts'
import { guard } from '../browse/page-cursor.ts'
import type { ChunkReader } from '../chunks/chunk-reader.ts'
import { SoundIndex } from '../chunks/sound-index.ts'
import { isDamage } from '../segments/segment-open.ts'
import { namedByPrune } from '../tree/reliance.ts'

/** An entry in its leaf: views, valid during the call. */
export interface JudgedEntry {
  readonly page: Buffer
  readonly metaStart: number
  readonly metaEnd: number
  readonly streamsStart: number
  readonly streamsEnd: number
}

/** A record takes the entry's place; its path MUST be the same. */
export type Verdict = 'keep' | 'drop' | Uint8Array

export interface EntryJudge {
  /** Asked in path order. A promise only where something must be waited for: most entries need none. */
  judge(entry: JudgedEntry): Verdict | Promise<Verdict>
  /** Pages that cannot be had: true leaves out all that was below them, false fails. */
  readonly passesLostPages: boolean
  /** Asked before a page is read, where lost ones are passed over. */
  isThere(id: Uint8Array, bytes: number): boolean
  /** Told of all that is left out: `path` (latin1) is the first of so many entries. */
  dropped?(path: string, entries: number): void
}

/** Plain data, for the way to a worker. */
export type JudgePlain =
  /** Entries that the selection takes are dropped; those named in `replace` (by path, latin1) get another record. */
  | { kind: 'selected'; drop: SelectorPlain; replace?: ReadonlyMap<string, Uint8Array> }
  /** Entries are dropped of which some content is nowhere, and all that was below pages that cannot be had. */
  | { kind: 'lost' }

export function createJudge(source: string, plain: JudgePlain, reader: ChunkReader): EntryJudge {
  if (plain.kind === 'selected') return new SelectedJudge(source, plain.drop, plain.replace)
  return new LostJudge(reader)
}

class SelectedJudge implements EntryJudge {
  readonly passesLostPages = false
  private readonly selector: EntrySelector
  private readonly replace: ReadonlyMap<string, Uint8Array>

  constructor(source: string, drop: SelectorPlain, replace: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.selector = new EntrySelector(source, drop)
    this.replace = replace
  }

  isThere(): boolean {
    return true
  }

  judge(entry: JudgedEntry): Verdict {
    const meta = metaOf(entry)
    if (this.selector.selects(meta)) return 'drop'
    return this.replace.get(meta.path) ?? 'keep'
  }
}

/** What a judge of lost content tells and is told. */
export interface LossNotes {
  /** Called for each chunk that is nowhere; `bytes` is its length. `names`: it is a page or a list, and names others. */
  lost(id: Uint8Array, bytes: number, names: boolean): void
  /** True: it is nowhere now, but will be there again. */
  isSaved(id: Uint8Array): boolean
  dropped(path: string, entries: number): void
}

export class LostJudge implements EntryJudge {
  readonly passesLostPages = true
  private readonly reader: ChunkReader
  private readonly notes: LossNotes | undefined
  /** Ids (latin1) of lists that are there, with all that they name: snapshots share most of them. */
  private readonly sound = new Set<string>()

  constructor(reader: ChunkReader, notes?: LossNotes) {
    this.reader = reader
    this.notes = notes
  }

  dropped(path: string, entries: number): void {
    this.notes?.dropped(path, entries)
  }

  /** Pages and their fingerprints as well as content. */
  isThere(id: Uint8Array, bytes: number, names = true): boolean {
    if (isThere(this.reader, id, bytes)) return true
    if (this.notes?.isSaved(id)) return true
    this.notes?.lost(id, bytes, names)
    return false
  }

  judge({ page, streamsStart, streamsEnd }: JudgedEntry): Verdict | Promise<Verdict> {
    const streams = guard('page', () => readStreams(new ByteReader(page, streamsStart, streamsEnd)))
    if (streams.every(({ level }) => level === 0)) {
      // All of them, since all that is lost is to be told.
      return streams.filter(({ refs }) => !this.areThere(refs)).length > 0 ? 'drop' : 'keep'
    }
    return this.walk(streams)
  }

  private async walk(streams: readonly { refs: readonly ChunkRef[]; level: number }[]): Promise<Verdict> {
    let verdict: Verdict = 'keep'
    for (const { refs, level } of streams) {
      if (await this.areWhole(refs, level)) continue
      verdict = 'drop'
      if (!this.notes) break
    }
    return verdict
  }

  /** Who takes notes is told of all that is lost, and not only of what is lost first. */
  private async areWhole(refs: readonly ChunkRef[], level: number): Promise<boolean> {
    if (level === 0) return this.areThere(refs)
    let whole = true
    for (const ref of refs) {
      if (!ref.id || (await this.isListWhole(ref, level - 1))) continue
      whole = false
      if (!this.notes) break
    }
    return whole
  }

  private async isListWhole(ref: ChunkRef, level: number): Promise<boolean> {
    const key = Buffer.from(ref.id!).toString('latin1')
    if (this.sound.has(key)) return true
    const refs = this.isThere(ref.id!, ref.chunkBytes)
      ? await whereThere(() => this.reader.list(ref, level))
      : undefined
    if (refs === undefined || !(await this.areWhole(refs, level))) return false
    this.sound.add(key)
    return true
  }

  private areThere(refs: readonly ChunkRef[]): boolean {
    return refs.filter(({ id, chunkBytes }) => id !== undefined && !this.isThere(id, chunkBytes, false)).length === 0
  }
}

/**
 * In a pack that is not absent, with this length. A new snapshot may not rely on a pack that a prune has named, and what is in one
 * is not lost: rule 3 of the protocol of writers. @throws BackupError OBJECT_MISSING, retryable
 */
function isThere({ index }: ChunkReader, id: Uint8Array, lengthBytes: number): boolean {
  if (index instanceof SoundIndex) return index.trouble(id, lengthBytes) === undefined
  if (!isAnywhere(index, id, lengthBytes)) return false
  if (index.has(id)) return true
  throw namedByPrune()
}

function isAnywhere({ tables }: ChunkReader['index'], id: Uint8Array, lengthBytes: number): boolean {
  for (const table of tables) {
    for (let entry = table.findLive(id); entry >= 0; entry = table.findLiveNext(id)) {
      if (table.lengthOf(entry) === lengthBytes) return true
    }
  }
  return false
}

/** Undefined where it is lost or damaged; other failures are failures, and so is what a prune has named. */
export async function whereThere<T>(body: () => Promise<T>): Promise<T | undefined> {
  try {
    return await body()
  } catch (error) {
    if (isDamage(error) || (BackupError.is(error) && error.code === 'OBJECT_MISSING' && !error.retryable))
      return undefined
    throw error
  }
}

export function metaOf({ page, metaStart, metaEnd }: JudgedEntry): EntryMeta {
  return guard('page', () => readMeta(new ByteReader(page, metaStart, metaEnd)))
}
