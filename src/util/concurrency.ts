/** Bounded concurrency on p-queue. For packs, objects and pages: a task costs microseconds, so never one per entry. */
import PQueue from 'p-queue'
import { abortError, linkAbort, race, throwIfAborted } from './abort.ts'

/**
 * Calls `fn` for each item, at most `limit` at once, and yields the results in the order of the items. Holds at most
 * `limit` results: a slow reader slows the work down. When it ends early (an error, an abort, a `break`) the signal that
 * `fn` got is aborted, and nothing of it runs any more once the generator has ended.
 */
export async function* mapBounded<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  fn: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): AsyncGenerator<R, void, undefined> {
  const stop = linkAbort(signal)
  const queue = new PQueue({ concurrency: limit })
  const window: Promise<R>[] = []
  try {
    for await (const item of items) {
      throwIfAborted(signal)
      window.push(started(queue, () => fn(item, stop.signal)))
      if (window.length >= limit) yield await race(shift(window), signal)
    }
    while (window.length > 0) yield await race(shift(window), signal)
  } finally {
    stop.abort('no longer needed')
    queue.clear()
    await Promise.allSettled(window)
    // A result that was raced by an abort is no longer in the window, but its task may still be under way.
    await queue.onIdle()
  }
}

/** Adds a task whose failure is looked at later, or never. */
function started<R>(queue: PQueue, task: () => Promise<R>): Promise<R> {
  const promise = queue.add(task) as Promise<R>
  promise.catch(() => {})
  return promise
}

function shift<T>(window: T[]): T {
  return window.shift() as T
}

export interface TaskQueueOptions {
  /** Tasks under way at once. */
  concurrency: number
  /** Tasks that may wait beside them before `push` does. Default 1. */
  maxWaiting?: number
  signal?: AbortSignal | undefined
}

/**
 * A queue of uploads (or the like) with back-pressure: `push` resolves when there is room, `drain` when all is done. The
 * first failure stops the rest and is what `push` and `drain` reject with from then on.
 */
export class TaskQueue {
  readonly #queue: PQueue
  readonly #maxWaiting: number
  readonly #stop: ReturnType<typeof linkAbort>
  #failure: { readonly error: unknown } | undefined

  constructor(options: TaskQueueOptions) {
    this.#queue = new PQueue({ concurrency: options.concurrency })
    this.#maxWaiting = options.maxWaiting ?? 1
    this.#stop = linkAbort(options.signal)
  }

  /** Tasks that have not ended. */
  get size(): number {
    return this.#queue.size + this.#queue.pending
  }

  /** Takes the task as soon as fewer than `maxWaiting` wait. Does not wait for the task itself. */
  async push(task: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    await this.#wait(this.#queue.onSizeLessThan(this.#maxWaiting))
    started(this.#queue, () => this.#run(task))
  }

  /** Fails from inside the task, so that the queue does not begin the next one first. */
  async #run(task: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    if (this.#stop.signal.aborted) return
    try {
      await task(this.#stop.signal)
    } catch (error) {
      this.#failure ??= { error }
      this.#stop.abort(error)
      this.#queue.clear()
    }
  }

  /** Resolves when every task has succeeded. */
  async drain(): Promise<void> {
    await this.#wait(this.#queue.onIdle())
    this.#check()
  }

  /** Drops what waits, aborts what runs, and resolves when nothing runs any more. Never rejects. */
  async close(): Promise<void> {
    this.#stop.abort('no longer needed')
    this.#queue.clear()
    await this.#queue.onIdle()
  }

  async #wait(ready: Promise<void>): Promise<void> {
    this.#check()
    await race(ready, this.#stop.signal).catch(() => this.#check())
    this.#check()
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error
    if (this.#stop.signal.aborted) throw abortError(this.#stop.signal.reason)
  }
}
