/** Time that only moves when told to. */
import { abortError, onAbort, throwIfAborted } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

export interface FakeClock extends Clock {
  /** Sleepers that have not woken: zero means no timer is left. */
  readonly sleeping: number
  /** Moves time on, and wakes those who are due on the way, each at its own time, in order. */
  advance(ms: number): Promise<void>
  /**
   * Moves time on from one sleeper to the next until the promise settles, and gives what it gives. Each time it first
   * waits a moment, so that work which needs no sleeper gets on. For calls that wait by themselves, such as retries.
   */
  until<T>(promise: Promise<T>): Promise<T>
}

interface Sleeper {
  readonly at: number
  wake(): void
}

const START = new Date('2026-01-02T03:04:05Z')
/** Real time without which `until` takes nobody for idle. */
const IDLE_MS = 10

/**
 * A clock for tests. Between two sleepers that wake, all that can settle does, so what the first one does comes before
 * the second one wakes. `start`: what `now()` says at first. Default 2026-01-02T03:04:05Z.
 */
export function fakeClock(start: Date = START): FakeClock {
  let now = 0
  const sleepers = new Set<Sleeper>()
  const next = (until: number): Sleeper | undefined =>
    [...sleepers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
  const wake = async (sleeper: Sleeper): Promise<void> => {
    now = Math.max(now, sleeper.at)
    sleepers.delete(sleeper)
    sleeper.wake()
    await settle()
  }
  return {
    now: () => new Date(start.getTime() + now),
    monotonicMs: () => now,
    get sleeping() {
      return sleepers.size
    },
    sleep: (ms, { signal } = {}) => sleep(sleepers, now + ms, signal),
    async advance(ms) {
      const until = now + ms
      await settle()
      for (let sleeper = next(until); sleeper !== undefined; sleeper = next(until)) await wake(sleeper)
      now = until
      await settle()
    },
    async until(promise) {
      let settled = false
      const note = (): void => {
        settled = true
      }
      const noted = promise.then(note, note)
      while (!settled) {
        await Promise.race([noted, pause(IDLE_MS)])
        const sleeper = settled ? undefined : next(Number.POSITIVE_INFINITY)
        if (sleeper !== undefined) await wake(sleeper)
      }
      return await promise
    },
  }
}

async function sleep(sleepers: Set<Sleeper>, at: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const sleeper: Sleeper = { at, wake: resolve }
  sleepers.add(sleeper)
  const remove = onAbort(signal, (reason) => reject(abortError(reason)))
  try {
    await promise
  } finally {
    sleepers.delete(sleeper)
    remove()
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Lets every promise that can settle do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}
