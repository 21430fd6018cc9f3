/** Key slots: the repository's secrets wrapped under a passphrase or key, and how a caller's key gets them out. */
import { equalBytes, open, seal, ZERO_NONCE } from '../crypto/aead.ts'
import { derive } from '../crypto/derive.ts'
import { hex, sha256Hex } from '../crypto/hash.ts'
import { checkKdfParameters, DEFAULT_KDF, derivePassphraseKey, type KdfParameters } from '../crypto/kdf.ts'
import { Keyring } from '../crypto/keyring.ts'
import { randomBytes } from '../crypto/random.ts'
import { RecipientKey } from '../crypto/recipient.ts'
import { BackupError } from '../errors.ts'
import type { SlotRecord } from '../model/config.ts'
import { withSeal } from '../model/json-record-lines.ts'
import { type KeySlotHeader, keySlotHeaderBytes, keySlotToSign, type ParsedKeySlot } from '../model/key-slot.ts'
import { damagedSlot } from './key-slots-errors.ts'
import type { Secret } from './key-slots-key.ts'
import { unwrapBy, wrapBy } from './key-slots-provider.ts'
import { slotKey } from './keys-layout.ts'

const SALT_BYTES = 32
const SLOT_ID_BYTES = 16
const COMMITMENT_BYTES = 32
/** What a secret is stretched to: the wrapping key, a commitment to it, and the slot's X25519 key. */
const DERIVED_BYTES = 96

export interface NewSlotOptions {
  keyring: Keyring
  repositoryId: string
  label: string
  now: Date
  signal?: AbortSignal | undefined
  /** Cost of a passphrase. Default 2^17, 8, 1. */
  kdf?: KdfParameters | undefined
}

/** Who holds a slot: new epochs are sealed to its public key. */
export interface SlotHolder {
  readonly slot: string
  readonly recipient: RecipientKey
  /** SHA-256 of the object that was opened, in hex: a config says which one counts. */
  readonly hash: string
}

export interface NewSlot extends SlotHolder {
  readonly key: string
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly header: KeySlotHeader
  /** What a config says of it. */
  readonly record: SlotRecord
}

/** What is in a slot that opened. */
export interface OpenedSlot {
  readonly keyring: Keyring
  readonly recipient: RecipientKey
}

/** A new slot as an object: its key and its bytes. It counts once a config names it. */
export async function makeSlot(secret: Secret, options: NewSlotOptions): Promise<NewSlot> {
  const fresh = randomBytes(32)
  const header = await headerOf(secret, fresh, options)
  const headerBytes = keySlotHeaderBytes(header)
  const { key, commitment, recipient } = slotKeys(await stretch(secret, fresh, header))
  const sealed = seal(key, ZERO_NONCE, headerBytes, options.keyring.encode())
  const signed = keySlotToSign(headerBytes, Buffer.concat([commitment, sealed]))
  const bytes = withSeal(signed, sha256Hex(signed))
  const slot = hex(randomBytes(SLOT_ID_BYTES))
  const publicKey = Buffer.from(recipient.publicKey).toString('base64')
  const hash = sha256Hex(bytes)
  return { slot, key: slotKey(slot), bytes, header, recipient, hash, record: { publicKey, hash } }
}

/**
 * What is in a slot; undefined if this secret is not the one it was made with. KEY_SLOT_CORRUPT when the secret is
 * right and the slot is not; KEY_PROVIDER_FAILED. The KDF's bounds are checked before it runs.
 */
export async function unwrapSlot(
  secret: Secret,
  slot: ParsedKeySlot,
  key: string,
  signal?: AbortSignal,
): Promise<OpenedSlot | undefined> {
  const { header, headerBytes, wrapped } = slot
  if (header.kind !== secret.kind) return undefined
  const inner = await slotSecret(secret, header, signal)
  if (inner === undefined) return undefined
  const derived = slotKeys(await stretch(secret, inner, header))
  if (!equalBytes(wrapped.subarray(0, COMMITMENT_BYTES), derived.commitment)) return undefined
  const bundle = open(derived.key, ZERO_NONCE, headerBytes, wrapped.subarray(COMMITMENT_BYTES))
  if (bundle === undefined) throw damagedSlot(key, 'its wrapped key was changed')
  // A copy: what node decrypted is a Buffer, whose `slice` shares memory.
  return { keyring: Keyring.decode(new Uint8Array(bundle)), recipient: derived.recipient }
}

/** KEY_SLOT_CORRUPT unless the slot is as it was written and costs no more than it may. */
export function checkSlot(slot: ParsedKeySlot, key: string): void {
  if (sha256Hex(slot.signed) !== slot.seal) throw damagedSlot(key, 'its checksum is wrong')
  if (slot.header.kind === 'passphrase') checkKdfParameters(slot.header.kdf)
}

/** `fresh`: what a provider is given to wrap. */
async function headerOf(secret: Secret, fresh: Uint8Array, options: NewSlotOptions): Promise<KeySlotHeader> {
  const { repositoryId, label, now, signal } = options
  const common = { repositoryId, label, createdAt: now }
  const salt = Buffer.from(randomBytes(SALT_BYTES)).toString('base64')
  const kdf = { name: 'hkdf-sha256', salt } as const
  if (secret.kind === 'raw') return { kind: 'raw', ...common, kdf }
  if (secret.kind === 'provider') {
    const wrapped = Buffer.from(await wrapBy(secret, fresh, signal)).toString('base64')
    return { kind: 'provider', ...common, provider: secret.id, wrapped, kdf }
  }
  const { N, r, p } = options.kdf ?? secret.kdf ?? DEFAULT_KDF
  return { kind: 'passphrase', ...common, kdf: { name: 'scrypt', N, r, p, salt } }
}

/** What a provider has wrapped; nothing where the secret needs no unwrapping. Undefined: another provider's. */
async function slotSecret(
  secret: Secret,
  header: KeySlotHeader,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (secret.kind !== 'provider' || header.kind !== 'provider') return new Uint8Array(0)
  if (header.provider !== secret.id) return undefined
  return await unwrapBy(secret, new Uint8Array(Buffer.from(header.wrapped, 'base64')), signal)
}

/**
 * The key that wraps, and a commitment to it: GCM alone would let one slot open under two passphrases, and the
 * commitment tells a wrong passphrase from damage.
 */
function slotKeys(bytes: Uint8Array): { key: Uint8Array; commitment: Uint8Array; recipient: RecipientKey } {
  const recipient = RecipientKey.from(bytes.subarray(64, 96))
  return { key: bytes.subarray(0, 32), commitment: bytes.subarray(32, 64), recipient }
}

async function stretch(secret: Secret, unwrapped: Uint8Array, { kind, kdf }: KeySlotHeader): Promise<Uint8Array> {
  const salt = Buffer.from(kdf.salt, 'base64')
  if (secret.kind === 'passphrase' && kdf.name === 'scrypt') {
    return derivePassphraseKey(secret.text, salt, kdf, DERIVED_BYTES)
  }
  if (secret.kind === 'raw' && kind === 'raw') return derive(secret.bytes, 'holdfast/1/key-slot', DERIVED_BYTES, salt)
  if (secret.kind === 'provider') return derive(unwrapped, 'holdfast/1/key-slot', DERIVED_BYTES, salt)
  throw new BackupError('INTERNAL', 'a key slot of another kind', { origin: 'repository' })
}
