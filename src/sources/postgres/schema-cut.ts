/**
 * What pg_dump puts at the end of a schema, so that rows and indexes are made before it: rights, since an index may call a
 * function that nobody may call; event triggers; the refresh of materialised views, which needs rights. In one section of a
 * dump it stands at the end of that section; cut off there, all of it can come last again.
 */
import { SqlSplitter, type TocComment } from './sql-split.ts'

const LATE: ReadonlySet<string> = new Set(['ACL', 'DEFAULT ACL', 'EVENT TRIGGER', 'MATERIALIZED VIEW DATA'])

/** Nothing that is not late follows the first of them. */
export function isLateEntry(toc: TocComment | null): boolean {
  return toc !== null && LATE.has(toc.type)
}

/** One part of a plain dump. Its first lines (settings) and its last ones are in both. */
export async function* cutSchema(
  pieces: AsyncIterable<Uint8Array>,
  part: 'early' | 'late',
): AsyncGenerator<Uint8Array, void, undefined> {
  const cut = new Cut(part)
  for await (const piece of pieces) yield* cut.push(piece)
  yield* cut.end()
}

class Cut {
  readonly #splitter = new SqlSplitter()
  readonly #part: 'early' | 'late'
  /** From `#at` on; what lies before the last statement's end has been given or left out. */
  #waiting: Buffer = Buffer.alloc(0)
  #at = 0
  #now: 'head' | 'early' | 'late' = 'head'

  constructor(part: 'early' | 'late') {
    this.#part = part
  }

  *push(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
    this.#waiting = Buffer.concat([this.#waiting, piece])
    // One character a byte, so that places in the text are places in the bytes.
    const found = this.#splitter.push(Buffer.from(piece).toString('latin1'))
    for (const { toc, end } of found) {
      if (this.#now !== 'late' && toc !== null) this.#now = isLateEntry(toc) ? 'late' : 'early'
      const bytes = this.#take(end!)
      if (this.#now === 'head' || this.#now === this.#part) yield bytes
    }
  }

  *end(): Generator<Uint8Array, void, undefined> {
    if (this.#waiting.length > 0) yield new Uint8Array(this.#waiting)
  }

  #take(end: number): Uint8Array {
    const bytes = new Uint8Array(this.#waiting.subarray(0, end - this.#at))
    this.#waiting = this.#waiting.subarray(end - this.#at)
    this.#at = end
    return bytes
  }
}
