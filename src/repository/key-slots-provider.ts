/** Keys that somebody else keeps, such as a key management service: it wraps 32 random bytes, and unwraps them again. */
import { equalBytes } from '../crypto/aead.ts'
import { BackupError } from '../errors.ts'
import { race, throwIfAborted } from '../util/abort.ts'

/** Handed on to a provider. */
export interface ProviderCall {
  /** Aborts when the answer is no longer wanted. */
  readonly signal: AbortSignal | undefined
}

export interface ProviderSecret {
  readonly kind: 'provider'
  readonly id: string
  readonly wrap: (key: Uint8Array, call: ProviderCall) => Promise<Uint8Array>
  readonly unwrap: (wrapped: Uint8Array, call: ProviderCall) => Promise<Uint8Array>
}

const KEY_BYTES = 32
const MAX_WRAPPED_BYTES = 16 * 1024

/**
 * KEY_PROVIDER_FAILED where it fails, gives no bytes, gives back what it was given, or cannot undo what it has done: a slot that
 * nobody can open must never be the one that a repository is created with.
 */
export async function wrapBy(provider: ProviderSecret, key: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  const wrapped = await asked(provider, 'wrap', (call) => provider.wrap(new Uint8Array(key), call), signal)
  if (wrapped.length === 0 || wrapped.length > MAX_WRAPPED_BYTES) {
    throw failed(provider, `wrap gave ${wrapped.length} bytes, not 1 to ${MAX_WRAPPED_BYTES}`)
  }
  if (Buffer.from(wrapped).includes(Buffer.from(key))) throw failed(provider, 'wrap gave back the key as it was')
  const again = await unwrapBy(provider, wrapped, signal)
  if (!equalBytes(again, key)) throw failed(provider, 'unwrap does not give back what wrap was given')
  return wrapped
}

export async function unwrapBy(
  provider: ProviderSecret,
  wrapped: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const key = await asked(provider, 'unwrap', (call) => provider.unwrap(new Uint8Array(wrapped), call), signal)
  if (key.length !== KEY_BYTES) throw failed(provider, `unwrap gave ${key.length} bytes, not ${KEY_BYTES}`)
  return key
}

async function asked(
  provider: ProviderSecret,
  what: string,
  call: (call: ProviderCall) => Promise<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  throwIfAborted(signal)
  let answer: unknown
  try {
    const asking = call({ signal })
    answer = await (signal ? race(asking, signal) : asking)
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
