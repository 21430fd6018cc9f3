/** Records what is asked of a target: for tests of how much traffic a verb makes. */
import { type ObjectInfo, type Target, wrapTarget } from '../targets/target.ts'
import type { TargetOperation } from './fault-plan.ts'

export interface RecordedCall {
  operation: TargetOperation
  /** The key; the prefix of a list; one record for each key of a delete. */
  key: string
  /** Of the body sent or received; absent for other operations and for calls that failed or have not ended. */
  bytes?: number
}
export interface CountingTarget extends Target {
  /** Every call so far, in the order they began. */
  readonly operations: readonly RecordedCall[]
  /** The most calls that were under way at once. */
  readonly maxInFlight: number
  /** How many there were, of one operation or of all, below a prefix of keys. */
  count(operation?: TargetOperation, prefix?: string): number
  /** Forgets all so far. */
  reset(): void
}

/** Does what `inner` does and records it. */
export function countingTarget(inner: Target): CountingTarget {
  const operations: RecordedCall[] = []
  let inFlight = 0
  let maxInFlight = 0
  const begin = (operation: TargetOperation, key: string): RecordedCall => {
    const call: RecordedCall = { operation, key }
    operations.push(call)
    maxInFlight = Math.max(maxInFlight, ++inFlight)
    return call
  }
  const track = async <T>(call: RecordedCall, run: () => Promise<T>, bytesOf?: (result: T) => number): Promise<T> => {
    try {
      const result = await run()
      if (bytesOf !== undefined) call.bytes = bytesOf(result)
      return result
    } finally {
      inFlight--
    }
  }
  return wrapTarget(inner, {
    operations,
    get maxInFlight() {
      return maxInFlight
    },
    count: (operation?: TargetOperation, prefix = '') =>
      operations.filter((call) => (operation ?? call.operation) === call.operation && call.key.startsWith(prefix))
        .length,
    reset() {
      operations.length = 0
      maxInFlight = inFlight
    },
    put: (key, body, call) =>
      track(
        begin('put', key),
        () => inner.put(key, body, call),
        () => body.byteLength,
      ),
    get: (key, call) =>
      track(
        begin('get', key),
        () => inner.get(key, call),
        (body) => body.byteLength,
      ),
    stat: (key, call) => track(begin('stat', key), () => inner.stat(key, call)),
    async delete(keys, call) {
      if (keys.length === 0) return await inner.delete(keys, call)
      const first = begin('delete', keys[0]!)
      for (const key of keys.slice(1)) operations.push({ operation: 'delete', key })
      await track(first, () => inner.delete(keys, call))
    },
    async *list(prefix, call): AsyncGenerator<ObjectInfo> {
      begin('list', prefix)
      try {
        yield* inner.list(prefix, call)
      } finally {
        inFlight--
      }
    },
  } satisfies Partial<CountingTarget>)
}
