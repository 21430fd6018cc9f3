/** Numbers of the worker pool, in one place. Times in milliseconds. */

/** Raised with every change of the messages, so that files of two installed versions never talk to each other. */
export const PROTOCOL_VERSION = 1
export const PROTOCOL_NAME = 'holdfast-worker'

/** A worker that has not said hello by then is given up. A file of another make never says it. */
export const HANDSHAKE_LIMIT_MS = 5_000
/** An aborted session that has not stopped by then costs its thread: after `close` nothing of it may still run. */
export const STOP_LIMIT_MS = 5_000
/** Ending a thread is waited for this long; a thread inside a blocked system call ends when that returns. */
export const TERMINATE_LIMIT_MS = 1_000
/** After a failed start the pool works without threads for this long before it tries again. */
export const RETRY_START_MS = 60_000

/** Linux gives threads their own priority: workers yield the processor to the host's event loop. */
export const WORKER_NICENESS = 10

const DEFAULT_OLD_GENERATION_MB = 512
const LEAST_OLD_GENERATION_MB = 64
/** Buffers live outside the heap, so the young generation stays small; the default of 48 MB a thread is waste. */
const YOUNG_GENERATION_MB = 16

export interface HeapLimits {
  maxOldGenerationSizeMb: number
  maxYoungGenerationSizeMb: number
}

/** Heap limits of one thread, where `maxMemoryBytes` is meant for all `threads` together. Half is left for buffers. */
export function heapLimits(threads: number, maxMemoryBytes: number | undefined): HeapLimits {
  const share = maxMemoryBytes === undefined ? Number.POSITIVE_INFINITY : maxMemoryBytes / threads / 2 / 2 ** 20
  const old = Math.max(LEAST_OLD_GENERATION_MB, Math.min(DEFAULT_OLD_GENERATION_MB, Math.floor(share)))
  return { maxOldGenerationSizeMb: old, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB }
}
