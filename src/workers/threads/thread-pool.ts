import { availableParallelism } from 'node:os'
import { BackupError } from '../../errors.ts'
import { findWorkerFile } from '../worker-file.ts'
import { InlineThread } from './inline-thread.ts'
import { HEAP_LIMITS, type HeapLimits, RETRY_START_MS } from './limits.ts'
import type { Thread } from './rpc.ts'
import { WorkerThread } from './thread.ts'

/** Threads that engines share. Made by `workerPool`; an engine that is given none uses the one pool of the process. */
export interface WorkerPool extends AsyncDisposable {
  /** Threads it works with at most. */
  readonly threads: number
  /** Ends the threads within a second. Work under way fails with ENGINE_CLOSED. Idempotent. */
  close(): Promise<void>
}

export interface WorkerPoolOptions {
  /** 1 to 256. Default: `os.availableParallelism()`. */
  threads?: number
  /** Bytes of buffers (packs, segments) that the work in all threads together may hold. Default: no limit. */
  maxMemoryBytes?: number
  /**
   * Starts the threads when the pool is made and not with the first verb. For scripts that open an engine and use it at
   * once: the threads start while the key is derived from the passphrase. Default: false.
   */
  eager?: boolean
  /**
   * Where the worker's file lies: a path, or a `file:` URL. For bundles, whose worker lies elsewhere than beside them as
   * `holdfast-worker.js`. It must be of this version of holdfast. Default: beside this module.
   */
  file?: string | URL
}

/** Threads lent out. They are shared with other leases; sessions keep the work apart. */
export interface Lease {
  /** At least one; a single inline one where no worker could be started. */
  readonly threads: readonly Thread[]
  /** As the pool's owner said: whoever sends buffers to the threads keeps to it. */
  readonly maxMemoryBytes: number | undefined
  /** Gives the threads back, which lets an idle process exit. Close the sessions first. Idempotent. */
  release(): void
}

export interface PoolWarning {
  code: 'WORKERS_UNAVAILABLE'
  message: string
}
export type OnPoolWarning = (warning: PoolWarning) => void

export interface ThreadPoolOptions extends Omit<WorkerPoolOptions, 'file'> {
  file?: URL
  /** Shorter times, less heap: for tests. */
  handshakeMs?: number
  stopMs?: number
  heap?: HeapLimits
}

/** Why there are no threads, and until when (of `performance.now`) nobody tries again. */
interface Outage {
  thread: InlineThread
  reason: string
  until: number
}

export class ThreadPool implements WorkerPool {
  readonly threads: number
  readonly maxMemoryBytes: number | undefined
  readonly #options: ThreadPoolOptions
  readonly #slots: (WorkerThread | undefined)[]
  #leases = 0
  #nextId = 1
  #outage: Outage | undefined
  #closed: Promise<void> | undefined

  constructor(options: ThreadPoolOptions = {}) {
    this.threads = options.threads ?? availableParallelism()
    this.maxMemoryBytes = options.maxMemoryBytes
    this.#options = options
    this.#slots = new Array(this.threads).fill(undefined)
    if (options.eager) this.#startAhead()
  }

  /**
   * Starts what threads are missing up to `enough` (default: all) and lends all that run. Where none starts it warns and lends
   * an inline one.
   */
  async lease(onWarning?: OnPoolWarning, enough = this.threads): Promise<Lease> {
    this.#throwIfClosed()
    this.#leases++
    try {
      const started = await this.#start(enough)
      this.#throwIfClosed()
      return this.#lend(started.length > 0 ? started : [this.#inlineThread(onWarning)])
    } catch (error) {
      this.#giveBack()
      throw error
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What fails here fails again with the first lease, which has somebody to tell. Nothing is kept running by it. */
  #startAhead(): void {
    try {
      for (const thread of this.#occupy(this.threads)) thread.hold(false)
    } catch {
      // said above
    }
  }

  async #start(enough: number): Promise<WorkerThread[]> {
    if (this.#outage !== undefined && this.#outage.until > performance.now()) return []
    try {
      const threads = this.#occupy(enough)
      await Promise.any(threads.map((thread) => thread.ready))
      await Promise.allSettled(threads.map((thread) => thread.ready))
      this.#outage = undefined
      return threads.filter((thread) => thread.alive)
    } catch (error) {
      this.#noteOutage(error instanceof AggregateError ? error.errors[0] : error)
      return []
    }
  }

  #occupy(enough: number): WorkerThread[] {
    const file = findWorkerFile(this.#options.file)
    const { handshakeMs, stopMs, heap = HEAP_LIMITS } = this.#options
    return this.#slots.flatMap((slot, n) => {
      if (!slot?.alive && n >= enough) return []
      const thread = slot?.alive ? slot : new WorkerThread({ id: this.#nextId++, file, heap, handshakeMs, stopMs })
      this.#slots[n] = thread
      thread.hold(true)
      return thread
    })
  }

  #noteOutage(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const thread = this.#outage?.thread ?? new InlineThread()
    this.#outage = { thread, reason, until: performance.now() + RETRY_START_MS }
  }

  #inlineThread(onWarning: OnPoolWarning | undefined): InlineThread {
    const { thread, reason } = this.#outage!
    const message = `No worker thread could be started, so the work runs on the main thread and slows it down. ${reason}`
    onWarning?.({ code: 'WORKERS_UNAVAILABLE', message })
    return thread
  }

  #lend(threads: readonly Thread[]): Lease {
    let held = true
    const release = (): void => {
      if (held) this.#giveBack()
      held = false
    }
    return { threads, maxMemoryBytes: this.maxMemoryBytes, release }
  }

  #giveBack(): void {
    this.#leases--
    if (this.#leases === 0) for (const thread of this.#slots) thread?.hold(false)
  }

  async #end(): Promise<void> {
    const error = poolClosed()
    this.#outage?.thread.end(error)
    await Promise.all(this.#slots.map((thread) => thread?.close(error)))
  }

  #throwIfClosed(): void {
    if (this.#closed !== undefined) throw poolClosed()
  }
}

function poolClosed(): BackupError {
  return new BackupError('ENGINE_CLOSED', 'The worker pool is closed.', { origin: 'usage' })
}
