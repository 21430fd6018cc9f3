/** A call that never settles would hang the whole suite without a word: each gets a limit, and is named. */
import { type CallSignal, type ObjectInfo, type Target, wrapTarget } from '../targets/target.ts'

export function limited(target: Target, ms: number): Target {
  return wrapTarget(target, {
    put: (key, body, options) => within(target.put(key, body, options), `put of ${key}`, ms),
    get: (key, options) => within(target.get(key, options), `get of ${key}`, ms),
    stat: (key, options) => within(target.stat(key, options), `stat of ${key}`, ms),
    list: (prefix, options) => limitedList(target, prefix, options, ms),
    delete: (keys, options) => within(target.delete(keys, options), `delete of ${keys.length} keys`, ms),
    ...(target.space && { space: () => within(target.space!(), 'space()', ms) }),
    close: () => within(target.close(), 'close()', ms),
  } satisfies Partial<Target>)
}

/** @throws Error that names the call, if it has not settled in time */
export async function within<T>(promise: Promise<T> | T, call: string, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${call} did not settle in ${ms / 1000} s`)), ms)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

async function* limitedList(
  target: Target,
  prefix: string,
  options: CallSignal | undefined,
  ms: number,
): AsyncGenerator<ObjectInfo> {
  const reader = target.list(prefix, options)[Symbol.asyncIterator]()
  // One that hangs or has failed is not asked to end: it would hang again.
  let canEnd = false
  try {
    for (;;) {
      canEnd = false
      const step = await within(reader.next(), `list of ${prefix}`, ms)
      if (step.done) return
      canEnd = true
      yield step.value
    }
  } finally {
    if (canEnd) await within(Promise.resolve(reader.return?.()), `the end of a list of ${prefix}`, ms)
  }
}
