/** Numbers of the worker pool, in one place. Times in milliseconds. */

/** That of the package, so that files of two installed versions, or of an old bundle, never talk to each other. */
export const PROTOCOL_VERSION = '0.1.0'
export const PROTOCOL_NAME = 'holdfast-worker'

/** A worker that has not said hello by then is given up. A file of another make never says it. */
export const HANDSHAKE_LIMIT_MS = 5_000
/** An aborted session that has not stopped by then costs its thread: after `close` nothing of it may still run. */
export const STOP_LIMIT_MS = 5_000
/** A thread that is asked to end, and has not by then, is ended: it is busy, or something that it has started does not end. */
export const END_LIMIT_MS = 500
/** Ending a thread is waited for this long; a thread inside a blocked system call ends when that returns. */
export const TERMINATE_LIMIT_MS = 1_000
/** After a failed start the pool works without threads for this long before it tries again. */
export const RETRY_START_MS = 60_000

/** Linux gives threads their own priority: workers yield the processor to the host's event loop. */
export const WORKER_NICENESS = 10

export interface HeapLimits {
  readonly maxOldGenerationSizeMb: number
  readonly maxYoungGenerationSizeMb: number
}

/**
 * Heap of one thread. It is far above need on purpose, and no means to bound memory: V8 does not always end only the
 * thread that reaches its limit. With large arrays it aborts the whole process, or collects garbage without end (seen
 * with Node 24.21). What bounds memory are the buffers in flight, which live outside the heap; therefore the young
 * generation is small as well.
 */
export const HEAP_LIMITS: HeapLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 16 }
