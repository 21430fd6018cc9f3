/** How an engine comes to its threads: from the pool of the process, from one of its own, or from none at all. */
import { pathToFileURL } from 'node:url'
import { BackupError } from '../../errors.ts'
import { endThreadHelpers } from '../../util/thread-end.ts'
import { isThere } from '../worker-file.ts'
import { InlineThread } from './inline-thread.ts'
import {
  type Lease,
  type OnPoolWarning,
  type PoolWarning,
  ThreadPool,
  type WorkerPool,
  type WorkerPoolOptions,
} from './thread-pool.ts'

export type { Lease, OnPoolWarning, PoolWarning, WorkerPool, WorkerPoolOptions }

const MAX_THREADS = 256

/**
 * Makes a pool of your own, so that several engines together use no more than its threads. Starts none yet, unless
 * `eager`. Close it yourself, after the engines. Throws INVALID_OPTIONS.
 */
export function workerPool(options: WorkerPoolOptions = {}): WorkerPool {
  const { threads, maxMemoryBytes, eager, file, ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`workerPool: there is no option ${unknown}.`)
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    throw invalid(`workerPool: threads must be a whole number from 1 to ${MAX_THREADS}, not ${threads}.`)
  }
  if (maxMemoryBytes !== undefined && !(Number.isSafeInteger(maxMemoryBytes) && maxMemoryBytes > 0)) {
    throw invalid(`workerPool: maxMemoryBytes must be a whole number above 0, not ${maxMemoryBytes}.`)
  }
  if (eager !== undefined && typeof eager !== 'boolean') {
    throw invalid(`workerPool: eager must be true or false, not ${String(eager)}.`)
  }
  const { file: _, ...plain } = options
  return new ThreadPool(file === undefined ? plain : { ...plain, file: workerFile(file) })
}

/** Whoever names a file wants that one: without it the work would be done on the main thread. */
function workerFile(file: string | URL): URL {
  const isPath = typeof file === 'string' && !file.startsWith('file:')
  const url = isPath ? pathToFileURL(file) : URL.parse(String(file))
  if (url && isThere(url)) return url
  throw invalid(`workerPool: file must be the path or file: URL of a file that is there, not ${String(file)}.`)
}

/** One engine's access to a pool. */
export interface PoolHandle {
  readonly threads: number
  /** `threads`: how many are enough; more are lent where they run already. Default: all. */
  lease(threads?: number): Promise<Lease>
  /** The engine needs no more threads. Ends the process-wide pool with its last handle. Idempotent. */
  close(): Promise<void>
}

/** For the option `workers` of an engine. Starts nothing. The warning comes once for each handle. */
export function acquirePool(workers?: WorkerPool | 'inline', onWarning?: OnPoolWarning): PoolHandle {
  if (workers === undefined) return acquireDefaultPool(onWarning)
  if (workers === 'inline') return new InlineHandle()
  if (workers instanceof ThreadPool) return new ThreadPoolHandle(workers, onWarning, async () => {})
  throw invalid("workers must be a pool made by workerPool() of this copy of holdfast, or 'inline'.")
}

let shared: { pool: ThreadPool; users: number } | undefined

/** The pool that all engines of the process share. It begins with the first handle and ends with the last. */
export function acquireDefaultPool(onWarning?: OnPoolWarning): PoolHandle {
  shared ??= { pool: new ThreadPool(), users: 0 }
  const mine = shared
  mine.users++
  return new ThreadPoolHandle(mine.pool, onWarning, async () => {
    if (--mine.users > 0) return
    // Before the wait: whoever comes now begins a new pool.
    if (shared === mine) shared = undefined
    await mine.pool.close()
  })
}

class ThreadPoolHandle implements PoolHandle {
  readonly #pool: ThreadPool
  readonly #onWarning: OnPoolWarning | undefined
  readonly #leave: () => Promise<void>
  #warned = false
  #closed: Promise<void> | undefined

  constructor(pool: ThreadPool, onWarning: OnPoolWarning | undefined, leave: () => Promise<void>) {
    this.#pool = pool
    this.#onWarning = onWarning
    this.#leave = leave
  }

  get threads(): number {
    return this.#pool.threads
  }

  async lease(threads?: number): Promise<Lease> {
    if (this.#closed !== undefined) throw handleClosed()
    return this.#pool.lease((warning) => this.#warnOnce(warning), threads)
  }

  close(): Promise<void> {
    this.#closed ??= Promise.all([endThreadHelpers(), this.#leave()]).then(() => undefined)
    return this.#closed
  }

  #warnOnce(warning: PoolWarning): void {
    if (!this.#warned) this.#onWarning?.(warning)
    this.#warned = true
  }
}

class InlineHandle implements PoolHandle {
  readonly threads = 1
  readonly #thread = new InlineThread()
  #closed = false

  async lease(): Promise<Lease> {
    if (this.#closed) throw handleClosed()
    return { threads: [this.#thread], maxMemoryBytes: undefined, release: () => {} }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#thread.end(handleClosed())
    await endThreadHelpers()
  }
}

function handleClosed(): BackupError {
  return new BackupError('ENGINE_CLOSED', 'The engine is closed.', { origin: 'usage' })
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_OPTIONS', message, { origin: 'usage' })
}
