/** Of the promises of a target: nothing of it is left once it is closed, and it does not try again by itself. */
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { readdirSync, readlinkSync } from 'node:fs'
import { BackupError } from '../errors.ts'
import type { Target } from '../targets/target.ts'
import { type Bench, bytesOf, keysOf, pause } from './target-bench.ts'

/** Idle connections of a pool that the whole process shares (as that of `fetch`) end after some seconds. */
const MOST_WAIT_MS = 6000
/** Of work that goes on at any time, in the runner as well. */
const PASSING = new Set(['Immediate', 'TickObject', 'FSReqCallback', 'FSReqPromise', 'GetAddrInfoReqWrap'])

/** Enough of them that something of the runner which happens to end meanwhile does not hide what they leave. */
const USES = 4

/** The first use loads modules, and fills pools that the process keeps; the others may add nothing. */
export async function leavesNothing(use: () => Promise<void>): Promise<void> {
  await use()
  const before = census()
  const intervals = await intervalsAfter(async () => {
    for (let round = 0; round < USES; round++) await use()
  })
  assert.ok(intervals < USES, `${intervals} intervals go on after close(), of ${USES} targets`)
  let grown = moreThan(before)
  for (let waited = 0; grown.length > 0 && waited < MOST_WAIT_MS; waited += 100) {
    await pause(100)
    grown = moreThan(before)
  }
  assert.ok(grown.length === 0, `still there ${MOST_WAIT_MS} ms after close(): ${grown.join(', ')}`)
}

/** Intervals that were begun meanwhile and not cleared: those let the process end, but go on as long as it lives. */
async function intervalsAfter(work: () => Promise<void>): Promise<number> {
  const begun = new Set<number>()
  const hook = createHook({
    init(id, type, _, resource) {
      if (type === 'Timeout' && typeof (resource as { _repeat?: unknown })._repeat === 'number') begun.add(id)
    },
    destroy: (id) => void begun.delete(id),
  }).enable()
  try {
    await work()
    // That one was cleared is told a little later.
    await pause(20)
    return begun.size
  } finally {
    hook.disable()
  }
}

/** One call of each kind. */
export async function useOnce({ target, prefix }: Bench): Promise<void> {
  await target.put(`${prefix}a`, bytesOf(100), { ifAbsent: true })
  await target.get(`${prefix}a`)
  await target.stat(`${prefix}a`)
  await keysOf(target, prefix)
}

/** How many there are of each thing that keeps the process alive, and of each open file. */
function census(): Map<string, number> {
  const all = process.getActiveResourcesInfo().filter((type) => !PASSING.has(type))
  const counts = new Map<string, number>()
  for (const name of [...all, ...openFiles()]) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function moreThan(before: ReadonlyMap<string, number>): string[] {
  return [...census()].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name)
}

/** Where the system tells; elsewhere none. */
function openFiles(): string[] {
  try {
    return readdirSync('/proc/self/fd').flatMap(fileBehind)
  } catch {
    return []
  }
}

function fileBehind(descriptor: string): string[] {
  try {
    const name = readlinkSync(`/proc/self/fd/${descriptor}`)
    return name.startsWith('/') && !/^\/(dev|proc)\//.test(name) ? [`file ${name}`] : []
  } catch {
    // The one that the folder itself was read through.
    return []
  }
}

export type Outage = () => Promise<() => Promise<number> | number> | (() => Promise<number> | number)

/** Each call on its own, so that one which tries again is named. */
export async function failsOnce({ target, prefix }: Bench, outage: Outage): Promise<void> {
  await target.put(`${prefix}a`, bytesOf(10))
  const calls: Record<string, (target: Target) => Promise<unknown>> = {
    put: () => target.put(`${prefix}b`, bytesOf(10)),
    'put with ifAbsent': () => target.put(`${prefix}c`, bytesOf(10), { ifAbsent: true }),
    get: () => target.get(`${prefix}a`),
    stat: () => target.stat(`${prefix}a`),
    list: () => keysOf(target, prefix),
    delete: () => target.delete([`${prefix}a`]),
  }
  for (const [name, call] of Object.entries(calls)) {
    const end = await outage()
    const error: unknown = await call(target).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    const requests = await end()
    assert.ok(BackupError.is(error), `${name}: expected a BackupError, got ${error}`)
    assert.ok(error.retryable, `${name}: ${error.code} is not retryable, though the failure passes`)
    assert.ok(requests <= 1, `${name}: ${requests} requests, so it tried again by itself`)
  }
}
