import { abortError, onAbort, throwIfAborted } from '../../src/util/abort.ts'
import type { Clock } from '../../src/util/clock.ts'

export interface FakeClock extends Clock {
  /** Sleepers that have not woken: zero means no timer is left. */
  readonly sleeping: number
  advance(ms: number): Promise<void>
}

interface Sleeper {
  at: number
  wake(): void
}

/** Time that only moves when told to; wakes sleepers in order and lets promises settle between them. */
export function fakeClock(start = new Date('2026-01-02T03:04:05Z')): FakeClock {
  let now = 0
  const sleepers = new Set<Sleeper>()
  const next = (until: number): Sleeper | undefined =>
    [...sleepers].filter((s) => s.at <= until).sort((a, b) => a.at - b.at)[0]
  return {
    now: () => new Date(start.getTime() + now),
    monotonicMs: () => now,
    get sleeping() {
      return sleepers.size
    },
    async sleep(ms, { signal } = {}) {
      throwIfAborted(signal)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const sleeper: Sleeper = { at: now + ms, wake: resolve }
      sleepers.add(sleeper)
      const remove = onAbort(signal, (reason) => reject(abortError(reason)))
      try {
        await promise
      } finally {
        sleepers.delete(sleeper)
        remove()
      }
    },
    async advance(ms) {
      const until = now + ms
      await settle()
      for (let sleeper = next(until); sleeper !== undefined; sleeper = next(until)) {
        now = Math.max(now, sleeper.at)
        sleepers.delete(sleeper)
        sleeper.wake()
        await settle()
      }
      now = until
      await settle()
    },
  }
}

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
