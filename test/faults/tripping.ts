/** Aborts verbs at each of their calls of the target, and looks what is left behind. */
import { getEventListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import { expect } from 'vitest'
import { type BackupEngine, type EngineOptions, memoryTarget, type Target, wrapTarget } from '../../src/index.ts'
import { throwIfAborted } from '../../src/util/abort.ts'
import { patience } from '../patience.ts'
import { codeOf, type MemoryTarget, makeTree, openOn } from './support.ts'

/** No option: the pool of the process. */
export const THREADS = { workers: undefined as never }

export interface Tripped extends Target {
  /** Calls `action` at the n-th operation from now on, before that is done. */
  arm(n: number, action: () => void): void
  /** Operations since it was armed. */
  readonly seen: number
}

export function tripping(inner: Target): Tripped {
  let seen = 0
  let at = Number.POSITIVE_INFINITY
  let action = (): void => {}
  const step = (signal?: AbortSignal): void => {
    if (++seen === at) action()
    throwIfAborted(signal)
  }
  return wrapTarget(inner, {
    get seen() {
      return seen
    },
    arm(n: number, next: () => void) {
      seen = 0
      at = n
      action = next
    },
    async put(key, body, call) {
      step(call?.signal)
      return inner.put(key, body, call)
    },
    async get(key, call) {
      step(call?.signal)
      return inner.get(key, call)
    },
    async stat(key, call) {
      step(call?.signal)
      return inner.stat(key, call)
    },
    async delete(keys, call) {
      step(call?.signal)
      return inner.delete(keys, call)
    },
    async *list(prefix, call) {
      step(call?.signal)
      yield* inner.list(prefix, call)
    },
  } satisfies Partial<Tripped>)
}

export const openFiles = (): number => readdirSync('/proc/self/fd').length
export const processListeners = (): string =>
  process
    .eventNames()
    .map((name) => `${String(name)}:${process.listenerCount(name as never)}`)
    .sort()
    .join()

export interface Attempt {
  code: string
  ms: number
}

/** Runs the verb, aborted at its n-th operation of the target. */
export async function abortAt(
  target: Tripped,
  n: number,
  verb: (signal: AbortSignal) => Promise<unknown>,
): Promise<Attempt> {
  const controller = new AbortController()
  let abortedAt = Number.NaN
  target.arm(n, () => {
    abortedAt = performance.now()
    controller.abort()
  })
  const code = await codeOf(verb(controller.signal))
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  return { code, ms: performance.now() - abortedAt }
}

/** Aborts the verb at each of its operations, with `after` to look around each time. How often it could be stopped. */
export async function abortEverywhere(
  target: Tripped,
  verb: (signal?: AbortSignal) => Promise<unknown>,
  after: (attempt: Attempt, n: number) => Promise<void>,
): Promise<number> {
  let stopped = 0
  for (let n = 1; ; n++) {
    const attempt = await abortAt(target, n, verb)
    if (target.seen < n) return stopped
    expect(attempt.ms, `at operation ${n}`).toBeLessThan(patience(1000))
    if (attempt.code !== 'resolved') {
      expect(attempt.code, `at operation ${n}`).toBe('ABORTED')
      stopped++
    }
    await after(attempt, n)
  }
}

export async function prepared(
  source: string,
  over: Partial<EngineOptions> = {},
): Promise<{ engine: BackupEngine; inner: MemoryTarget; target: Tripped }> {
  makeTree(source)
  const inner = memoryTarget()
  const target = tripping(inner)
  return { engine: await openOn(target, source, over), inner, target }
}
