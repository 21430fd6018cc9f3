/** Repeats calls that failed for a passing reason. Adapters never do; this is the one place. */
import { z } from 'zod'
import { parseOptions } from '../checks.ts'
import { type CallSignal, type ObjectInfo, type Target, wrapTarget } from '../target.ts'
import { createOnce } from './create-once.ts'
import { type Repeat, type RetryingOptions, repeater } from './repeat.ts'

export type { RetryingOptions, RetryNotice } from './repeat.ts'

const optionsSchema = z.strictObject({
  attempts: z.int().min(1).optional(),
  budgetMs: z.number().nonnegative().optional(),
  sharedRetries: z.int().nonnegative().optional(),
  onRetry: z.function().optional(),
  clock: z.looseObject({ monotonicMs: z.function(), sleep: z.function() }).optional(),
  random: z.function().optional(),
})

/**
 * Repeats calls whose error is `retryable`, with exponential backoff and full jitter (200 ms, 400 ms … 15 s at most; the
 * store's own `details.retryAfterMs` is respected: where it asks for more than the budget has left, the error is thrown at
 * once). The last error is thrown as it is. Abort ends a wait at once. In an outage the calls of this target share a
 * number of repetitions (`sharedRetries`).
 *
 * A `put` with `ifAbsent` is not repeated blindly, since a failed one may have happened: first the key is read. Our own
 * bytes mean true, others false. None means that it can be tried again only where nobody deletes such objects or
 * it would do no harm (`config/`, `runs/`, `reports/`, `notes/`, `state/`, `index/`, `packs/`); the error is thrown for all
 * other keys, above all `snapshots/` and `gc/`, since the object may have been there and rightly be gone again; unless the
 * target has failed before it asked for it (`details.operation` is `stat`) or, for all but `snapshots/`, has answered that
 * it refuses (TARGET_THROTTLED, or `details.status` 4xx). So what is claimed by `ifAbsent` should have contents that nobody else would write: two callers with equal bytes are both
 * told true.
 */
export function retrying(target: Target, options: RetryingOptions = {}): Target {
  parseOptions('retrying', optionsSchema, options)
  const repeat = repeater(options)
  const wrapped = wrapTarget(target, {
    put: (key, body, { ifAbsent, signal, sha256 } = {}) =>
      ifAbsent
        ? createOnce(target, repeat, key, body, signal)
        : repeat({ operation: 'put', key, signal, run: () => target.put(key, body, { signal, sha256 }) }),
    get: (key, call = {}) => repeat({ operation: 'get', key, signal: call.signal, run: () => target.get(key, call) }),
    stat: (key, call = {}) =>
      repeat({ operation: 'stat', key, signal: call.signal, run: () => target.stat(key, call) }),
    list: (prefix, call = {}) => listAgain(target, repeat, prefix, call),
    delete: (keys, call = {}) =>
      repeat({ operation: 'delete', key: keys[0] ?? '', signal: call.signal, run: () => target.delete(keys, call) }),
  } satisfies Partial<Target>)
  RETRYING.add(wrapped)
  return wrapped
}

const RETRYING = new WeakSet<Target>()

/** Whether it is what `retrying` gave, so that nobody repeats repetitions. One inside another wrapper is not seen. */
export function isRetrying(target: Target): boolean {
  return RETRYING.has(target)
}

/** A listing that broke off begins anew and passes over what was seen, since no store says how to go on exactly. */
async function* listAgain(
  target: Target,
  repeat: Repeat,
  prefix: string,
  call: CallSignal,
): AsyncGenerator<ObjectInfo> {
  const seen = new Set<string>()
  let listing: AsyncIterator<ObjectInfo> | undefined
  const run = async (): Promise<ObjectInfo | undefined> => {
    listing ??= target.list(prefix, call)[Symbol.asyncIterator]()
    try {
      return await nextUnseen(listing, seen)
    } catch (error) {
      listing = undefined
      throw error
    }
  }
  try {
    for (;;) {
      const info = await repeat({ operation: 'list', key: prefix, signal: call.signal, run })
      if (info === undefined) return
      yield info
    }
  } finally {
    await listing?.return?.()
  }
}

async function nextUnseen(listing: AsyncIterator<ObjectInfo>, seen: Set<string>): Promise<ObjectInfo | undefined> {
  for (;;) {
    const { done, value } = await listing.next()
    if (done) return undefined
    if (seen.has(value.key)) continue
    seen.add(value.key)
    return value
  }
}
