/** What a plugin yields; but an abort does not wait for a plugin that does not listen to it. */
import { abortError, onAbort, settled } from '../../util/abort.ts'
import { sourceError } from './open-sources.ts'

/** How long a plugin's iterator may take to end, once it has been left. */
const LEAVE_MS = 500

/** One reader of one iterable. `close` must follow. */
export class Puller<T> {
  private readonly source: string
  private readonly iterator: AsyncIterator<T>
  private readonly signal: AbortSignal
  private readonly unlink: () => void
  private reject: (error: unknown) => void = () => undefined
  private isEnded = false

  constructor(source: string, items: AsyncIterable<T>, signal: AbortSignal) {
    this.source = source
    this.iterator = iteratorOf(source, items)
    this.signal = signal
    this.unlink = onAbort(signal, (reason) => this.reject(abortError(reason)))
  }

  /** A promise and no listener for each: pieces may be rows. */
  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      this.reject = reject
      if (this.signal.aborted) reject(abortError(this.signal.reason))
      else this.pull().then(resolve, reject)
    })
  }

  private async pull(): Promise<IteratorResult<T>> {
    try {
      const result = await this.iterator.next()
      if (result.done) this.isEnded = true
      return result
    } catch (error) {
      this.isEnded = true
      throw sourceError(this.source, error)
    }
  }

  /** Ends it where it did not come to its end, so that it gives back what it holds; but does not wait for ever. */
  async close(): Promise<void> {
    this.unlink()
    if (this.isEnded) return
    const left = (async () => this.iterator.return?.())().catch(() => undefined)
    await settled(left, LEAVE_MS)
  }
}

function iteratorOf<T>(source: string, items: AsyncIterable<T>): AsyncIterator<T> {
  try {
    return items[Symbol.asyncIterator]()
  } catch (error) {
    throw sourceError(source, error)
  }
}

export async function* pulled<T>(source: string, items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const puller = new Puller(source, items, signal)
  try {
    for (let next = await puller.next(); !next.done; next = await puller.next()) yield next.value
  } finally {
    await puller.close()
  }
}
