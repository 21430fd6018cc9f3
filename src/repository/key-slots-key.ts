/** The keys a caller gives. A key is an object that shows its kind and nothing else: the secret cannot be printed. */
import type { KdfParameters } from '../crypto/kdf.ts'
import { decodeRecoveryKey, encodeRecoveryKey, type RecoveryKeyFault } from '../crypto/recovery-key.ts'
import { BackupError } from '../errors.ts'
import type { ProviderCall, ProviderSecret } from './key-slots-provider.ts'

export type { ProviderCall } from './key-slots-provider.ts'

/** Made by `passphrase()`, `rawKey()` or `keyProvider()`. Holds a secret that never shows up in logs, errors or JSON. */
export interface Key {
  readonly kind: string
}

/** `kdf`: what a new slot for it costs, where that is not the default. */
export type Secret =
  | { kind: 'passphrase'; text: string; kdf?: KdfParameters }
  | { kind: 'raw'; bytes: Uint8Array }
  | ProviderSecret

const RAW_KEY_BYTES = 32
const secrets = new WeakMap<Key, Secret>()

/**
 * A key from a passphrase, of any length. Throws KEY_MISSING for undefined, '' or blanks alone: an unset variable, or an
 * empty file, must never mean "unencrypted" (that is `key: 'none'`).
 */
export function passphrase(value: string | undefined): Key {
  if (value === undefined) throw unset('passphrase')
  if (typeof value !== 'string') throw invalid('passphrase: expected a string')
  if (value.trim() === '') throw unset('passphrase')
  if (!value.isWellFormed()) throw invalid('passphrase: it has half of a surrogate pair: characters were cut in two')
  return keyOf({ kind: 'passphrase', text: value })
}

/**
 * A key of 32 random bytes: as bytes, or as 64 hex digits, or in base64 or base64url, or as a recovery sheet has it (there
 * blanks and case do not matter). Blanks and line feeds around a text do not count, so a key file may end with one. Opens
 * at once, since nothing has to slow down guessing. Throws KEY_MISSING for undefined or '', INVALID_OPTIONS for anything
 * else; for a mistyped line of a sheet it names the group.
 */
export function rawKey(value: Uint8Array | string | undefined): Key {
  const given = typeof value === 'string' ? value.trim() : value
  if (given === undefined || given === '') throw unset('rawKey')
  const bytes = typeof given === 'string' ? parseRawKey(given) : given
  if (!(bytes instanceof Uint8Array) || bytes.length !== RAW_KEY_BYTES) {
    throw invalid(
      `rawKey: expected ${RAW_KEY_BYTES} bytes, or them in hex or base64, or the groups of a recovery sheet`,
    )
  }
  return keyOf({ kind: 'raw', bytes: new Uint8Array(bytes) })
}

/** A raw key as it stands on a recovery sheet: 14 groups of five letters and digits. `rawKey` reads it. */
export function recoveryText(bytes: Uint8Array): string {
  return encodeRecoveryKey(bytes)
}

export interface KeyProviderOptions {
  /** Names the provider and its key, e.g. the ARN of a KMS key: slots of other ids are not tried. 1 to 256 characters. */
  id: string
  /** Encrypts 32 bytes. Called when a slot is made: by a creation, `keys.add` and `keys.change`. */
  wrap(key: Uint8Array, call: ProviderCall): Promise<Uint8Array>
  /** Gives back what `wrap` was given. Called at every open, and as a proof when a slot is made. */
  unwrap(wrapped: Uint8Array, call: ProviderCall): Promise<Uint8Array>
}

/**
 * A key that somebody else keeps, e.g. a key management service: it sees a random key of the slot, never the repository's.
 * Throws INVALID_OPTIONS. What its functions throw becomes KEY_PROVIDER_FAILED, with the error as its cause.
 */
export function keyProvider(options: KeyProviderOptions): Key {
  const { id, wrap, unwrap } = options
  if (typeof id !== 'string' || id === '' || id.length > 256)
    throw invalid('keyProvider: id must have 1 to 256 characters')
  if (typeof wrap !== 'function' || typeof unwrap !== 'function') {
    throw invalid('keyProvider: wrap and unwrap must be functions')
  }
  return keyOf({
    kind: 'provider',
    id,
    wrap: async (key, call) => await options.wrap(key, call),
    unwrap: async (wrapped, call) => await options.unwrap(wrapped, call),
  })
}

/** The lowest cost that a slot may have: 4 MiB and a few milliseconds. */
const CHEAP_KDF: KdfParameters = { N: 2 ** 15, r: 1, p: 1 }

/** For `holdfast/testing` alone: the same key, whose new slots are cheap to open, and cheap to guess. */
export function cheapKey(key: Key): Key {
  const secret = secretOf(key)
  return secret.kind === 'passphrase' ? keyOf({ ...secret, kdf: CHEAP_KDF }) : key
}

/** The secret behind a key. INVALID_OPTIONS for an object that `passphrase()` and its like did not make. */
export function secretOf(key: Key): Secret {
  const secret = secrets.get(key)
  if (secret !== undefined) return secret
  throw invalid("key: expected what passphrase(), rawKey() or keyProvider() gave, or 'none'")
}

function keyOf(secret: Secret): Key {
  const key: Key = Object.freeze({ kind: secret.kind })
  secrets.set(key, secret)
  return key
}

function parseRawKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64')
  if (/^[0-9a-fA-F]+$/.test(text)) throw invalid(`rawKey: in hex it has 64 digits, this one has ${text.length}`)
  return LIKE_A_SHEET.test(text) ? parseRecoveryText(text) : undefined
}

/** Nearly as long as the groups of a recovery sheet, and of nothing else: what is wrong with it can be said. */
const LIKE_A_SHEET = /^\s*[0-9A-Za-z](?:[\s-]*[0-9A-Za-z]){59,79}\s*$/

function parseRecoveryText(text: string): Uint8Array {
  const read = decodeRecoveryKey(text)
  if (read instanceof Uint8Array) return read
  throw new BackupError('INVALID_OPTIONS', `rawKey: ${sayFault(read)}`, {
    origin: 'usage',
    details: 'groups' in read ? { groups: [...read.groups] } : {},
    hint: 'Compare it with the sheet. 0 and O are the same, so are 1, I and L; there is no U.',
  })
}

/** Never what was typed. */
function sayFault(fault: RecoveryKeyFault): string {
  if ('found' in fault) return `a recovery key has 14 groups of five letters and digits, this one has ${fault.found}`
  if ('whole' in fault) return 'each group is right, and all of them together are not: two may be of another sheet'
  const { groups } = fault
  return groups.length === 1 ? `group ${groups[0]} is mistyped` : `groups ${groups.join(', ')} are mistyped`
}

function unset(what: string): BackupError {
  return new BackupError('KEY_MISSING', `${what}: the value is undefined or empty`, {
    origin: 'usage',
    hint: "Set the variable it comes from; an unencrypted repository has to be asked for with key: 'none'.",
  })
}

function invalid(message: string): BackupError {
  return new BackupError('INVALID_OPTIONS', message, { origin: 'usage' })
}
