export { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts'

/** Lets every promise that can settle do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A promise with its handles. */
export function deferred<T = void>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  return Promise.withResolvers<T>()
}

/** An AbortController that knows how many listeners its signal has now. */
export function countingController(): { controller: AbortController; listeners(): number } {
  const controller = new AbortController()
  return { controller, listeners: countListeners(controller.signal) }
}

/** Counts the listeners that are added to a signal from now on and not removed. */
export function countListeners(signal: AbortSignal): () => number {
  let count = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--
    remove(...args)
  }
  return () => count
}
