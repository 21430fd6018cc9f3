/** Collects the references of one stream; more than INLINE_REFS become list chunks, cut by content, in levels. */

import { ID_HEADROOM } from '../../crypto/chunk-id.ts'
import { type ChunkRef, encodeList, INLINE_REFS, type StreamRefs } from '../../model/streams.ts'
import type { ByteWriter } from '../../util/bytes.ts'

const MIN_LIST_REFS = 128
const MAX_LIST_REFS = 2048

export interface ChunkSink {
  put(buffer: Uint8Array, start: number, end: number): Uint8Array
  /** For chunk lists, where they are kept apart from what is put here. */
  readonly listSink?: ChunkSink
}

/** Stores a finished record as a chunk; gives its id. */
export function putRecord(sink: ChunkSink, record: ByteWriter): Uint8Array {
  const padded = new Uint8Array(ID_HEADROOM + record.length)
  padded.set(record.view(), ID_HEADROOM)
  return sink.put(padded, ID_HEADROOM, padded.length)
}

export class ListBuilder {
  private readonly sink: ChunkSink
  private readonly level: number
  private pending: ChunkRef[] = []
  private above: ListBuilder | undefined

  constructor(sink: ChunkSink, level = 0) {
    this.sink = sink
    this.level = level
  }

  add(ref: ChunkRef): void {
    const last = this.pending.at(-1)
    if (!ref.id && last && !last.id) {
      last.sizeBytes += ref.sizeBytes
      return
    }
    this.pending.push(ref)
    if (this.above || this.pending.length > INLINE_REFS) this.cutReady()
  }

  /** Boundaries depend on the ids alone, so a change in a long file re-stores one list and its parents. */
  private cutReady(): void {
    const { pending } = this
    const last = pending.at(-1)!
    const isBoundary = last.id !== undefined && last.id[31] === 0
    if (pending.length >= MAX_LIST_REFS || (pending.length >= MIN_LIST_REFS && isBoundary)) this.emit()
  }

  private emit(): void {
    const refs = this.pending
    if (refs.length === 0) return
    this.pending = []
    this.above ??= new ListBuilder(this.sink, this.level + 1)
    const record = encodeList(refs, this.level)
    const sizeBytes = refs.reduce((sum, ref) => sum + ref.sizeBytes, 0)
    this.above.add({ id: putRecord(this.sink.listSink ?? this.sink, record), sizeBytes, chunkBytes: record.length })
  }

  finish(name: string): StreamRefs {
    if (!this.above && this.pending.length <= INLINE_REFS) return { name, level: this.level, refs: this.pending }
    this.emit()
    return this.above!.finish(name)
  }
}
