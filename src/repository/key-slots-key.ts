/** The keys a caller gives. A key is an object that shows its kind and nothing else: the secret cannot be printed. */
import type { KdfParameters } from '../crypto/kdf.ts'
import { BackupError } from '../errors.ts'

/** Made by `passphrase()` or `rawKey()`. Holds a secret that never shows up in logs, errors or JSON. */
export interface Key {
  readonly kind: string
}

/** `kdf`: what a new slot for it costs, where that is not the default. */
export type Secret = { kind: 'passphrase'; text: string; kdf?: KdfParameters } | { kind: 'raw'; bytes: Uint8Array }

const RAW_KEY_BYTES = 32
const secrets = new WeakMap<Key, Secret>()

/**
 * A key from a passphrase, of any length. Throws KEY_MISSING for undefined or '': an unset variable must never mean
 * "unencrypted" (that is `key: 'none'`).
 */
export function passphrase(value: string | undefined): Key {
  if (value === undefined || value === '') throw unset('passphrase')
  if (typeof value !== 'string') throw invalid('passphrase: expected a string')
  return keyOf({ kind: 'passphrase', text: value })
}

/**
 * A key of 32 random bytes: as bytes, or as 64 hex digits, or in base64 or base64url. Opens at once, since nothing has
 * to slow down guessing. Throws KEY_MISSING for undefined or '', INVALID_OPTIONS for any other length.
 */
export function rawKey(value: Uint8Array | string | undefined): Key {
  if (value === undefined || value === '') throw unset('rawKey')
  const bytes = typeof value === 'string' ? parseRawKey(value) : value
  if (!(bytes instanceof Uint8Array) || bytes.length !== RAW_KEY_BYTES) {
    throw invalid(`rawKey: expected ${RAW_KEY_BYTES} bytes, or them in hex or base64`)
  }
  return keyOf({ kind: 'raw', bytes: new Uint8Array(bytes) })
}

/** The lowest cost that a slot may have: 4 MiB and a few milliseconds. */
const CHEAP_KDF: KdfParameters = { N: 2 ** 15, r: 1, p: 1 }

/** For `holdfast/testing` alone: the same key, whose new slots are cheap to open, and cheap to guess. */
export function cheapKey(key: Key): Key {
  const secret = secretOf(key)
  return secret.kind === 'passphrase' ? keyOf({ ...secret, kdf: CHEAP_KDF }) : key
}

/** The secret behind a key. INVALID_OPTIONS for an object that `passphrase()` or `rawKey()` did not make. */
export function secretOf(key: Key): Secret {
  const secret = secrets.get(key)
  if (secret !== undefined) return secret
  throw invalid("key: expected what passphrase() or rawKey() gave, or 'none'")
}

function keyOf(secret: Secret): Key {
  const key: Key = Object.freeze({ kind: secret.kind })
  secrets.set(key, secret)
  return key
}

function parseRawKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex')
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
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
