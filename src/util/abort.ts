/** Abort signals: one error for all of them, combined without leaving listeners behind. */
import { BackupError } from '../errors.ts'

/**
 * The error for an aborted signal: ABORTED with the reason as its cause. A reason that is a BackupError already (a time
 * limit, a closed engine) says more and is returned as it is.
 */
export function abortError(reason?: unknown): BackupError {
  if (BackupError.is(reason)) return reason
  const why = typeof reason === 'string' && reason !== '' ? `: ${reason}` : ''
  return new BackupError('ABORTED', `the call was aborted${why}`, { origin: 'usage', cause: reason })
}

/** Throws `abortError` when the signal is aborted already. */
export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) throw abortError(signal.reason)
}

/** Calls `listener` once, on abort (at once when aborted already). The returned function removes it again. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  if (signal.aborted) {
    listener(signal.reason)
    return () => {}
  }
  const handler = (): void => listener(signal.reason)
  signal.addEventListener('abort', handler, { once: true })
  return () => signal.removeEventListener('abort', handler)
}

/** One signal made of several, plus a way to abort it directly. `dispose` takes its listeners off the others. */
export interface LinkedAbort {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
  dispose(): void
}

/**
 * Aborts when any of the signals does, with that one's reason. Not `AbortSignal.any`: signals of a server live for
 * months, and this one must be gone from them when its run ends.
 */
export function linkAbort(...signals: readonly (AbortSignal | undefined)[]): LinkedAbort {
  const controller = new AbortController()
  const removers: (() => void)[] = []
  const dispose = (): void => {
    for (const remove of removers.splice(0)) remove()
  }
  const abort = (reason?: unknown): void => {
    dispose()
    controller.abort(reason)
  }
  for (const signal of signals) {
    if (controller.signal.aborted) break
    removers.push(onAbort(signal, abort))
  }
  return { signal: controller.signal, abort, dispose }
}

/** Settles as the promise does, or rejects with `abortError` on abort, whichever comes first. Leaves no listener. */
export async function race<T>(promise: PromiseLike<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return await promise
  let remove = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    remove = onAbort(signal, (reason) => reject(abortError(reason)))
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    remove()
  }
}

/** Resolves when the promise has settled, either way, or after so many milliseconds. Never rejects. */
export async function settled(promise: PromiseLike<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([
    promise.then(
      () => undefined,
      () => undefined,
    ),
    limit,
  ])
  clearTimeout(timer)
}
