/** Pieces of content from a worker, asked for ahead: of one entry, or of several in a row. */
import type { ContentRequest } from '../../workers/browse/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'

const PIECES_AHEAD = 2

export class PieceQueue {
  readonly #session: Session
  readonly #parts: AsyncIterator<ContentRequest> | Iterator<ContentRequest>
  #asked: Promise<Uint8Array | null>[] = []

  /** The session is for nothing else until the end. Nothing is asked of it yet. */
  constructor(session: Session, parts: AsyncIterable<ContentRequest> | Iterable<ContentRequest>) {
    this.#session = session
    this.#parts = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]()
  }

  /** Null at the end. */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#asked.length === 0 && !(await this.#begin())) return null
      const piece = await this.#asked.shift()!
      if (piece !== null) {
        this.#ask()
        return piece
      }
      // Asked for again, the worker says again that there is no more.
      this.#asked = []
    }
  }

  /** False where there is no other part. */
  async #begin(): Promise<boolean> {
    const { value, done } = await this.#parts.next()
    if (done) return false
    await this.#session.call('content', value)
    for (let i = 0; i < PIECES_AHEAD; i++) this.#ask()
    return true
  }

  #ask(): void {
    this.#asked.push(this.#session.call('piece', null))
  }
}
