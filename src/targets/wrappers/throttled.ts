/** Holds a target to a number of bytes a second, so that a backup leaves room on a line that others use too. */
import { z } from 'zod'
import { throwIfAborted } from '../../util/abort.ts'
import { type Clock, systemClock } from '../../util/clock.ts'
import { checkRange, parseOptions } from '../checks.ts'
import { type GetOptions, type Target, wrapTarget } from '../target.ts'

export interface ThrottledOptions {
  /** Bytes a second of the bodies of put and get together, over all calls. More than 0. */
  bytesPerSecond: number
  /** For tests. Default: the system's. */
  clock?: Pick<Clock, 'monotonicMs' | 'sleep'>
}

const optionsSchema = z.strictObject({
  bytesPerSecond: z.number().positive(),
  clock: z.looseObject({ monotonicMs: z.function(), sleep: z.function() }).optional(),
})

/**
 * Spaces the bodies of `put` and `get` out to `bytesPerSecond`; up to one second's worth that was not used may come at
 * once. A body is paid for before it is sent, and a range before it is asked for; a `get` of a whole object, whose size
 * is not known before, is paid for before it resolves. Waits end with ABORTED on abort.
 */
export function throttled(target: Target, options: ThrottledOptions): Target {
  parseOptions('throttled', optionsSchema, options)
  const bucket = new TokenBucket(options.bytesPerSecond, options.clock ?? systemClock)
  return wrapTarget(target, {
    async put(key, body, call = {}) {
      await bucket.pay(body.byteLength, call.signal)
      return await target.put(key, body, call)
    },
    get: (key, call = {}) =>
      call.range ? getRange(target, bucket, key, call, call.range) : getAll(target, bucket, key, call),
  } satisfies Partial<Target>)
}

async function getRange(
  target: Target,
  bucket: TokenBucket,
  key: string,
  call: GetOptions,
  range: { start: number; end: number },
): Promise<Uint8Array<ArrayBuffer>> {
  checkRange(range)
  const bytes = range.end - range.start
  await bucket.pay(bytes, call.signal)
  try {
    return await target.get(key, call)
  } catch (error) {
    // Nothing came: a missing object must not hold up the others.
    bucket.refund(bytes)
    throw error
  }
}

async function getAll(
  target: Target,
  bucket: TokenBucket,
  key: string,
  call: GetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const body = await target.get(key, call)
  await bucket.pay(body.byteLength, call.signal)
  return body
}

/** Tokens are bytes. It may go into debt, which is what makes room for bodies larger than a second's worth, in order. */
class TokenBucket {
  readonly #bytesPerMs: number
  readonly #capacity: number
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  #tokens: number
  #filledAt: number

  constructor(bytesPerSecond: number, clock: Pick<Clock, 'monotonicMs' | 'sleep'>) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#capacity = bytesPerSecond
    this.#clock = clock
    this.#tokens = bytesPerSecond
    this.#filledAt = clock.monotonicMs()
  }

  /** Takes the tokens now and waits until they would have been there. Gives them back on abort. */
  async pay(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal)
    this.#fill()
    this.#tokens -= bytes
    if (this.#tokens >= 0) return
    try {
      await this.#clock.sleep(Math.ceil(-this.#tokens / this.#bytesPerMs), { signal })
    } catch (error) {
      this.refund(bytes)
      throw error
    }
  }

  refund(bytes: number): void {
    this.#fill()
    this.#tokens = Math.min(this.#capacity, this.#tokens + bytes)
  }

  #fill(): void {
    const now = this.#clock.monotonicMs()
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) * this.#bytesPerMs)
    this.#filledAt = now
  }
}
