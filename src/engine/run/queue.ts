/** Who may run now: so many at once, and never two with the same key. First come, first served, as far as keys allow. */
import { abortError, onAbort, throwIfAborted } from '../../util/abort.ts'

interface Waiting {
  readonly keys: readonly string[]
  start(): void
}

export class RunQueue {
  readonly #limit: number
  readonly #busyKeys = new Set<string>()
  #running = 0
  #waiting: Waiting[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Resolves when it is this one's turn, with the function that ends it. All keys are taken together, so no two can wait
   * for each other. Rejects with ABORTED, and takes nothing, on abort. `onWait` is called if it has to wait.
   */
  async acquire(keys: readonly string[], signal: AbortSignal, onWait: () => void): Promise<() => void> {
    throwIfAborted(signal)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { keys, start: resolve }
    this.#waiting.push(waiting)
    const remove = onAbort(signal, (reason) => {
      if (!this.#waiting.includes(waiting)) return
      this.#waiting = this.#waiting.filter((other) => other !== waiting)
      reject(abortError(reason))
      this.#startNext()
    })
    this.#startNext()
    if (this.#waiting.includes(waiting)) onWait()
    await promise.finally(remove)
    return this.#releaser(keys)
  }

  #releaser(keys: readonly string[]): () => void {
    let released = false
    return () => {
      if (released) return
      released = true
      this.#running--
      for (const key of keys) this.#busyKeys.delete(key)
      this.#startNext()
    }
  }

  /** A key that an earlier one waits for counts as taken: else a stream of small runs would starve it. */
  #startNext(): void {
    const taken = new Set(this.#busyKeys)
    this.#waiting = this.#waiting.filter((waiting) => {
      const start = this.#mayStart(waiting.keys, taken)
      for (const key of waiting.keys) taken.add(key)
      if (start) this.#start(waiting)
      return !start
    })
  }

  #mayStart(keys: readonly string[], taken: ReadonlySet<string>): boolean {
    return this.#running < this.#limit && !keys.some((key) => taken.has(key))
  }

  #start(waiting: Waiting): void {
    this.#running++
    for (const key of waiting.keys) this.#busyKeys.add(key)
    waiting.start()
  }
}
