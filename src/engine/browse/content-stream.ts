/** Content of one entry as a Node stream. What it holds in a worker ends with it, however it ends. */
import { Readable } from 'node:stream'
import { abortError, type LinkedAbort, onAbort } from '../../util/abort.ts'
import type { ContentRequest } from '../../workers/browse.ts'
import type { Session } from '../../workers/rpc.ts'
import type { Reading } from '../reading.ts'

/** In the stream. With the pieces asked for and the segments that the worker fetches ahead, at most about 8 MiB. */
const BUFFERED_BYTES = 1024 * 1024
const PIECES_AHEAD = 2

export class ContentStream extends Readable {
  readonly #reading: Reading
  readonly #session: Session
  readonly #linked: LinkedAbort
  readonly #unlink: () => void
  readonly #asked: Promise<Uint8Array | null>[] = []
  #content: ContentRequest | undefined
  #isPumping = false

  /** `linked`: the reading's signal. It is aborted at the end, so that nothing is fetched any more. */
  constructor(reading: Reading, session: Session, content: ContentRequest, linked: LinkedAbort) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#reading = reading
    this.#session = session
    this.#content = content
    this.#linked = linked
    this.#unlink = onAbort(reading.signal, (reason) => this.destroy(abortError(reason)))
  }

  override _read(): void {
    if (!this.#isPumping) void this.#pump()
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      await this.#begin()
      for (let wanted = true; wanted; ) {
        const piece = await this.#next()
        wanted = !this.destroyed && this.push(piece)
      }
    } catch (error) {
      this.destroy(error as Error)
    } finally {
      this.#isPumping = false
    }
  }

  /** Nothing is fetched before somebody reads. */
  async #begin(): Promise<void> {
    const content = this.#content
    if (!content) return
    this.#content = undefined
    await this.#session.call('content', content)
    for (let i = 0; i < PIECES_AHEAD; i++) this.#ask()
  }

  #ask(): void {
    this.#asked.push(this.#session.call('piece', null))
  }

  /** Null at the end; asked for again, the worker says so again. */
  async #next(): Promise<Uint8Array | null> {
    const piece = await this.#asked.shift()!
    if (piece !== null) this.#ask()
    return piece
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#unlink()
    const reason = error ?? 'the stream was closed'
    this.#linked.abort(reason)
    const closed = this.#reading.close(reason)
    void closed.catch(() => undefined).then(() => callback(error))
  }
}
