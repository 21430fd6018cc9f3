/** Content as a Node stream. What it holds in a worker ends with it, however it ends. */
import { Readable } from 'node:stream'
import { abortError, type LinkedAbort, onAbort } from '../../util/abort.ts'
import type { ContentRequest } from '../../workers/browse/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import type { Reading } from '../reading/reading.ts'
import { PieceQueue } from './piece-queue.ts'

/** In the stream. With the pieces asked for and the segments that the worker fetches ahead, at most about 8 MiB. */
const BUFFERED_BYTES = 1024 * 1024

export class ContentStream extends Readable {
  readonly #reading: Reading
  readonly #pieces: PieceQueue
  readonly #linked: LinkedAbort
  readonly #unlink: () => void
  #isPumping = false

  /** `linked`: the reading's signal. It is aborted at the end, so that nothing is fetched any more. */
  constructor(
    reading: Reading,
    session: Session,
    parts: AsyncIterable<ContentRequest> | Iterable<ContentRequest>,
    linked: LinkedAbort,
  ) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#reading = reading
    this.#pieces = new PieceQueue(session, parts)
    this.#linked = linked
    this.#unlink = onAbort(reading.signal, (reason) => this.destroy(abortError(reason)))
  }

  /** Nothing is fetched before somebody reads. */
  override _read(): void {
    if (!this.#isPumping) void this.#pump()
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      for (let wanted = true; wanted; ) {
        const piece = await this.#pieces.next()
        wanted = !this.destroyed && this.push(piece)
      }
    } catch (error) {
      this.destroy(error as Error)
    } finally {
      this.#isPumping = false
    }
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#unlink()
    const reason = error ?? 'the stream was closed'
    this.#linked.abort(reason)
    const closed = this.#reading.close(reason)
    void closed.catch(() => undefined).then(() => callback(error))
  }
}
