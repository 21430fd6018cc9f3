/** Keys that somebody else keeps, such as a key management service: it wraps 32 random bytes, and unwraps them again. */
import { BackupError } from '../errors.ts'
import { race } from '../util/abort.ts'

export interface ProviderSecret {
  readonly kind: 'provider'
  readonly id: string
  readonly wrap: (key: Uint8Array) => Promise<Uint8Array>
  readonly unwrap: (wrapped: Uint8Array) => Promise<Uint8Array>
}

const KEY_BYTES = 32
const MAX_WRAPPED_BYTES = 16 * 1024

/** KEY_PROVIDER_FAILED where it fails, gives no bytes, or gives back what it was given. */
export async function wrapBy(provider: ProviderSecret, key: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  const wrapped = await asked(provider, 'wrap', () => provider.wrap(new Uint8Array(key)), signal)
  if (wrapped.length === 0 || wrapped.length > MAX_WRAPPED_BYTES) {
    throw failed(provider, `wrap gave ${wrapped.length} bytes, not 1 to ${MAX_WRAPPED_BYTES}`)
  }
  if (Buffer.from(wrapped).includes(Buffer.from(key))) throw failed(provider, 'wrap gave back the key as it was')
  return wrapped
}

export async function unwrapBy(
  provider: ProviderSecret,
  wrapped: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const key = await asked(provider, 'unwrap', () => provider.unwrap(wrapped), signal)
  if (key.length !== KEY_BYTES) throw failed(provider, `unwrap gave ${key.length} bytes, not ${KEY_BYTES}`)
  return key
}

async function asked(
  provider: ProviderSecret,
  what: string,
  call: () => Promise<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  let answer: unknown
  try {
    answer = await (signal ? race(Promise.resolve(call()), signal) : call())
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw failed(provider, `${what} failed`, cause)
  }
  if (!(answer instanceof Uint8Array)) throw failed(provider, `${what} gave no bytes`)
  return new Uint8Array(answer)
}

/** Its own message is in the cause only: it may hold what must not be logged. */
function failed({ id }: ProviderSecret, why: string, cause?: unknown): BackupError {
  return new BackupError('KEY_PROVIDER_FAILED', `the key provider '${id}' cannot be used: ${why}`, {
    origin: 'usage',
    retryable: cause !== undefined,
    details: { provider: id },
    hint: 'See the cause. Another key of the repository opens it too.',
    cause,
  })
}
