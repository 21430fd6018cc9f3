/** Faults that no real store can be made to show on demand. */
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import { BackupError } from '../errors.ts'
import { type CallSignal, type ObjectInfo, type Target, wrapTarget } from '../targets/target.ts'
import { abortError, throwIfAborted } from '../util/abort.ts'
import { type FaultHit, FaultPlan, type PlannedFault, plannedError, type TargetOperation } from './fault-plan.ts'
import { bentList, ChangeLog } from './faulty-list.ts'

export type { ErrorFault, FaultHit, OutcomeFault, PlannedFault, TargetOperation } from './fault-plan.ts'

export interface FaultyTarget extends Target {
  /** What struck so far, in order. */
  readonly hits: readonly FaultHit[]
  /** Applies what was to come `late`, in the order it was asked for; gives the number of calls. Errors of theirs are not told. */
  applyLate(): Promise<number>
  /**
   * Throws if a planned fault never struck, or a late one was never applied: a test of a fault that was not met proves
   * nothing.
   */
  assertAllHit(): void
}

interface Call {
  readonly operation: TargetOperation
  readonly key: string
  readonly signal: AbortSignal | undefined
}

type Run<T> = (signal: AbortSignal | undefined) => Promise<T>

const DELAY_TURNS = 20

/** Does what `inner` does, but for the planned faults. @throws BackupError INVALID_OPTIONS for a plan that cannot be */
export function faultyTarget(inner: Target, plan: readonly PlannedFault[]): FaultyTarget {
  const faults = new FaultPlan(plan)
  const log = faults.has('stale') ? new ChangeLog(inner) : undefined
  const late: (() => Promise<unknown>)[] = []
  return wrapTarget(inner, {
    ...changingCalls({ inner, faults, log, late }),
    ...readingCalls(inner, faults, log),
    hits: faults.hits,
    async applyLate() {
      const due = late.splice(0)
      for (const apply of due) await apply().catch(() => undefined)
      return due.length
    },
    assertAllHit() {
      const missed = faults.missed()
      if (missed.length > 0) throw new Error(`planned faults that were never met: ${missed.join(', ')}`)
      if (late.length > 0) throw new Error(`${late.length} late changes that were never applied: call applyLate()`)
    },
  })
}

interface Changing {
  readonly inner: Target
  readonly faults: FaultPlan
  readonly log: ChangeLog | undefined
  readonly late: (() => Promise<unknown>)[]
}

function changingCalls({ inner, faults, log, late }: Changing) {
  const change = async <T>(keys: readonly string[], run: () => Promise<T>): Promise<T> => {
    await log?.note(keys)
    return await run()
  }
  return {
    async put(key, body, options) {
      const planned = faults.next('put', key)
      const call: Call = { operation: 'put', key, signal: options?.signal }
      const kept = planned?.fault === 'late' ? body.slice() : bentBody(body, planned)
      const apply: Run<boolean> = (signal) => change([key], () => inner.put(key, kept, { ...options, signal }))
      return await strike(call, planned, apply, late)
    },
    async delete(keys, options) {
      const planned = faults.next('delete', keys[0] ?? '')
      const call: Call = { operation: 'delete', key: keys[0] ?? '', signal: options?.signal }
      const some = planned?.fault === 'truncate' ? keys.slice(0, keys.length >> 1) : [...keys]
      const apply: Run<void> = (signal) => change(some, () => inner.delete(some, { signal }))
      await strike(call, planned, apply, late)
    },
  } satisfies Partial<Target>
}

function readingCalls(inner: Target, faults: FaultPlan, log: ChangeLog | undefined) {
  return {
    async get(key, options) {
      const planned = faults.next('get', key)
      const call: Call = { operation: 'get', key, signal: options?.signal }
      return await strike(call, planned, async () => bentBody(await inner.get(key, options), planned))
    },
    async stat(key, options) {
      const planned = faults.next('stat', key)
      const call: Call = { operation: 'stat', key, signal: options?.signal }
      return await strike(call, planned, async () => smaller(await inner.stat(key, options), planned))
    },
    list: (prefix, options) => faultyList({ inner, faults, log }, prefix, options),
  } satisfies Partial<Target>
}

async function* faultyList(
  { inner, faults, log }: Omit<Changing, 'late'>,
  prefix: string,
  options: CallSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  const planned = faults.next('list', prefix)
  const call: Call = { operation: 'list', key: prefix, signal: options?.signal }
  if (planned !== undefined) await before(call, planned)
  yield* bentList(inner.list(prefix, options), planned, { prefix, log })
  // The line breaks in the middle of a listing.
  if (planned?.fault === 'lost-reply') throw lostReply(call)
}

async function strike<T>(
  call: Call,
  planned: PlannedFault | undefined,
  run: Run<T>,
  late?: (() => Promise<unknown>)[],
): Promise<T> {
  if (planned !== undefined) await before(call, planned)
  if (planned?.fault === 'late') {
    // Whoever gave up is gone, and so is the signal: the request is on its way.
    late?.push(() => run(undefined))
    throw lostReply(call)
  }
  const result = await run(call.signal)
  if (planned?.fault === 'lost-reply') throw lostReply(call)
  return result
}

/** What comes before the call, or in its place. */
async function before({ operation, key, signal }: Call, planned: PlannedFault): Promise<void> {
  throwIfAborted(signal)
  const error = plannedError(planned, operation, key)
  if (error !== undefined) throw error
  if (planned.fault === 'delay') await delay(planned.delayMs, signal)
}

async function delay(ms: number | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (ms !== undefined) {
    await wait(ms, undefined, signal && { signal }).catch(() => {
      throw abortError(signal?.reason)
    })
    return
  }
  for (let turn = 0; turn < DELAY_TURNS; turn++) {
    throwIfAborted(signal)
    await nextTurn()
  }
  throwIfAborted(signal)
}

function bentBody(body: Uint8Array<ArrayBuffer>, planned: PlannedFault | undefined): Uint8Array<ArrayBuffer> {
  if (planned?.fault === 'truncate') return body.slice(0, body.byteLength >> 1)
  if (planned?.fault !== 'corrupt' || body.byteLength === 0) return body
  const bent = body.slice()
  const middle = bent.byteLength >> 1
  bent[middle] = (bent[middle] as number) ^ 1
  return bent
}

function smaller(info: ObjectInfo | undefined, planned: PlannedFault | undefined): ObjectInfo | undefined {
  return info && planned?.fault === 'truncate' ? { ...info, size: info.size >> 1 } : info
}

function lostReply({ operation, key }: Call): BackupError {
  return new BackupError('TARGET_UNREACHABLE', `${operation} of ${key}: the reply was lost`, {
    origin: 'target',
    retryable: true,
    details: { operation, key },
  })
}
