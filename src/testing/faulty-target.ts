/** Faults that no real store can be made to show on demand. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BackupError } from '../errors.ts'
import { type CallSignal, type ObjectInfo, type Target, wrapTarget } from '../targets/target.ts'
import { throwIfAborted } from '../util/abort.ts'

export type TargetOperation = 'put' | 'get' | 'list' | 'stat' | 'delete'

export interface PlannedFault {
  operation: TargetOperation
  /** Which call of that operation, from 1. */
  nth: number
  /**
   * - `error`: nothing happens; rejects with TARGET_UNREACHABLE, retryable.
   * - `delay`: happens 20 turns of the event loop later than asked.
   * - `truncate`: success is reported for a half: half a body is kept by put or given by get, half the keys are listed
   *   or deleted, half the size is told.
   * - `lost-reply`: happens, but rejects with TARGET_UNREACHABLE, retryable.
   */
  fault: 'error' | 'delay' | 'truncate' | 'lost-reply'
}

/**
 * Does what `inner` does, but for the planned faults; each strikes once. `assertAllHit` throws if one never did: a test
 * of a fault that was not met proves nothing.
 */
export function faultyTarget(inner: Target, plan: readonly PlannedFault[]): Target & { assertAllHit(): void } {
  const pending = new Set(plan)
  const calls = new Map<TargetOperation, number>()
  const next = (operation: TargetOperation): PlannedFault['fault'] | undefined => {
    const nth = (calls.get(operation) ?? 0) + 1
    calls.set(operation, nth)
    const planned = [...pending].find((each) => each.operation === operation && each.nth === nth)
    if (planned !== undefined) pending.delete(planned)
    return planned?.fault
  }
  const assertAllHit = (): void => {
    const missed = [...pending].map(({ operation, nth, fault }) => `${fault} of ${operation} ${nth}`)
    if (missed.length > 0) throw new Error(`planned faults that were never met: ${missed.join(', ')}`)
  }
  return wrapTarget(inner, { ...faultyCalls(inner, next), assertAllHit })
}

function faultyCalls(inner: Target, next: (operation: TargetOperation) => PlannedFault['fault'] | undefined) {
  return {
    put: (key, body, call) =>
      strike('put', key, next('put'), (cut) => inner.put(key, cut ? half(body) : body, call), call?.signal),
    get: (key, call) =>
      strike('get', key, next('get'), async (cut) => whole(await inner.get(key, call), cut), call?.signal),
    stat: (key, call) =>
      strike('stat', key, next('stat'), async (cut) => smaller(await inner.stat(key, call), cut), call?.signal),
    delete: (keys, call) =>
      strike(
        'delete',
        keys[0] ?? '',
        next('delete'),
        (cut) => inner.delete(cut ? keys.slice(0, keys.length >> 1) : keys, call),
        call?.signal,
      ),
    list: (prefix, call) => faultyList(inner, next('list'), prefix, call),
  } satisfies Partial<Target>
}

async function* faultyList(
  inner: Target,
  fault: PlannedFault['fault'] | undefined,
  prefix: string,
  call: CallSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  if (fault === 'error') throw unreachable('list', prefix, 'it failed as planned')
  if (fault === 'delay') await turns(20, call?.signal)
  const all: ObjectInfo[] = []
  for await (const info of inner.list(prefix, call)) {
    if (fault === undefined || fault === 'delay') yield info
    else all.push(info)
  }
  yield* all.slice(0, all.length >> 1)
  // The line breaks in the middle of a listing.
  if (fault === 'lost-reply') throw unreachable('list', prefix, 'the reply was lost')
}

async function strike<T>(
  operation: TargetOperation,
  key: string,
  fault: PlannedFault['fault'] | undefined,
  run: (cut: boolean) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (fault === 'error') throw unreachable(operation, key, 'it failed as planned')
  if (fault === 'delay') await turns(20, signal)
  const result = await run(fault === 'truncate')
  if (fault === 'lost-reply') throw unreachable(operation, key, 'the reply was lost')
  return result
}

async function turns(count: number, signal: AbortSignal | undefined): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    throwIfAborted(signal)
    await nextTurn()
  }
  throwIfAborted(signal)
}

function half(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, bytes.byteLength >> 1)
}

function whole(bytes: Uint8Array<ArrayBuffer>, cut: boolean): Uint8Array<ArrayBuffer> {
  return cut ? half(bytes) : bytes
}

function smaller(info: ObjectInfo | undefined, cut: boolean): ObjectInfo | undefined {
  return info && cut ? { ...info, size: info.size >> 1 } : info
}

function unreachable(operation: TargetOperation, key: string, why: string): BackupError {
  return new BackupError('TARGET_UNREACHABLE', `${operation} of ${key}: ${why}`, {
    origin: 'target',
    retryable: true,
    details: { operation, key },
  })
}
