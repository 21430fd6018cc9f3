/** What the tests of targets share. */
import assert from 'node:assert/strict'
import { BackupError, type ErrorCode } from '../errors.ts'
import type { Target, TargetTraits } from '../targets/target.ts'

/** What each test gets: a target, and a prefix of keys that is its own. */
export interface Bench {
  target: Target
  prefix: string
  full: boolean
}
/** `missing` says by which trait the target does not promise this at all: the test is then skipped, and shown so. */
export type DefineTest = (
  name: string,
  body: (bench: Bench) => Promise<void>,
  missing?: (traits: TargetTraits) => string | undefined,
) => void

/** Bytes that differ at every place and between seeds, so that a shifted or foreign range is noticed. */
export function bytesOf(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  for (let i = 0, state = seed; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}

export async function keysOf(target: Target, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of target.list(prefix)) keys.push(key)
  return keys.sort()
}

/** Not `deepEqual`: two lists of a thousand keys say nothing to anybody. In any order. */
export function sameKeys(found: readonly string[], expected: readonly string[], what = 'list'): void {
  const [has, wants] = [new Set(found), new Set(expected)]
  const missing = expected.filter((key) => !has.has(key))
  const foreign = found.filter((key) => !wants.has(key))
  const faults = [
    missing.length > 0 && `${missing.length} of ${expected.length} missing, first ${missing[0]}`,
    foreign.length > 0 && `${foreign.length} that should not be there, first ${foreign[0]}`,
    has.size < found.length && `${found.length - has.size} more than once`,
  ]
  const told = faults.filter((fault) => fault !== false)
  if (told.length > 0) assert.fail(`${what}: ${told.join('; ')}`)
}

/** `what` begins the message: which call it was. */
export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode, what = 'the call'): Promise<void> {
  const outcome = await promise.then(
    () => ({ resolved: true, error: undefined }),
    (error: unknown) => ({ resolved: false, error }),
  )
  const { resolved, error } = outcome
  assert.ok(!resolved, `${what} resolved, instead of rejecting with ${code}`)
  assert.ok(BackupError.is(error), `${what}: expected a BackupError ${code}, got ${error}`)
  assert.equal(error.code, code, `${what}: ${error.code} instead of ${code}: ${error.message}`)
}

/** Lets timers and I/O have their turn: a loop over a target that answers at once would keep them out for ever. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** As many at once as the target takes. */
export async function inLanes(
  target: Target,
  keys: readonly string[],
  run: (key: string) => Promise<unknown>,
): Promise<void> {
  const rest = keys.values()
  const lane = async (): Promise<void> => {
    for (const key of rest) await run(key)
  }
  await Promise.all(Array.from({ length: Math.min(target.traits.maxConcurrency, keys.length) }, lane))
}

/** Not `deepEqual`: the difference it works out and prints of two large arrays takes gigabytes. */
export function same(actual: Uint8Array, expected: Uint8Array, what = 'the bytes'): void {
  assert.equal(
    actual.byteLength,
    expected.byteLength,
    `${what}: ${actual.byteLength} instead of ${expected.byteLength}`,
  )
  assert.ok(Buffer.compare(actual, expected) === 0, `${what} differ`)
}
