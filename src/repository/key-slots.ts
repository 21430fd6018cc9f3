/** Key slots: the repository's secrets wrapped under a passphrase or key, and how a caller's key gets them out. */
import { equalBytes, open, seal, ZERO_NONCE } from '../crypto/aead.ts'
import { derive } from '../crypto/derive.ts'
import { hex, sha256Hex } from '../crypto/hash.ts'
import { checkKdfParameters, DEFAULT_KDF, derivePassphraseKey, type KdfParameters } from '../crypto/kdf.ts'
import { Keyring } from '../crypto/keyring.ts'
import { randomBytes } from '../crypto/random.ts'
import { BackupError } from '../errors.ts'
import { withSeal } from '../model/json-record-lines.ts'
import { type KeySlotHeader, keySlotHeaderBytes, keySlotToSign, type ParsedKeySlot } from '../model/key-slot.ts'
import { damagedSlot } from './key-slots-errors.ts'
import type { Secret } from './key-slots-key.ts'
import { slotKey } from './keys-layout.ts'

const SALT_BYTES = 32
const SLOT_ID_BYTES = 16
const COMMITMENT_BYTES = 32

export interface NewSlotOptions {
  keyring: Keyring
  repositoryId: string
  label: string
  now: Date
  /** Cost of a passphrase. Default 2^17, 8, 1. */
  kdf?: KdfParameters | undefined
}

/** A new slot as an object: its key and its bytes. */
export async function makeSlot(
  secret: Secret,
  options: NewSlotOptions,
): Promise<{ key: string; bytes: Uint8Array<ArrayBuffer> }> {
  const header = headerOf(secret, options)
  const headerBytes = keySlotHeaderBytes(header)
  const { key, commitment } = await slotKeys(secret, header)
  const sealed = seal(key, ZERO_NONCE, headerBytes, options.keyring.encode())
  const signed = keySlotToSign(headerBytes, Buffer.concat([commitment, sealed]))
  return { key: slotKey(hex(randomBytes(SLOT_ID_BYTES))), bytes: withSeal(signed, sha256Hex(signed)) }
}

/**
 * The keyring in a slot; undefined if this secret is not the one it was made with. KEY_SLOT_CORRUPT when the secret is
 * right and the slot is not. The KDF's bounds are checked before it runs.
 */
export async function unwrapSlot(secret: Secret, slot: ParsedKeySlot, key: string): Promise<Keyring | undefined> {
  const { header, headerBytes, wrapped } = slot
  if (header.kind !== secret.kind) return undefined
  const derived = await slotKeys(secret, header)
  if (!equalBytes(wrapped.subarray(0, COMMITMENT_BYTES), derived.commitment)) return undefined
  const bundle = open(derived.key, ZERO_NONCE, headerBytes, wrapped.subarray(COMMITMENT_BYTES))
  if (bundle === undefined) throw damagedSlot(key, 'its wrapped key was changed')
  // A copy: what node decrypted is a Buffer, whose `slice` shares memory.
  return Keyring.decode(new Uint8Array(bundle))
}

/** KEY_SLOT_CORRUPT unless the slot is as it was written and costs no more than it may. */
export function checkSlot(slot: ParsedKeySlot, key: string): void {
  if (sha256Hex(slot.signed) !== slot.seal) throw damagedSlot(key, 'its checksum is wrong')
  if (slot.header.kind === 'passphrase') checkKdfParameters(slot.header.kdf)
}

function headerOf(secret: Secret, options: NewSlotOptions): KeySlotHeader {
  const { repositoryId, label, now } = options
  const common = { repositoryId, label, createdAt: now }
  const salt = Buffer.from(randomBytes(SALT_BYTES)).toString('base64')
  if (secret.kind === 'raw') return { kind: 'raw', ...common, kdf: { name: 'hkdf-sha256', salt } }
  const { N, r, p } = options.kdf ?? secret.kdf ?? DEFAULT_KDF
  return { kind: 'passphrase', ...common, kdf: { name: 'scrypt', N, r, p, salt } }
}

/**
 * The key that wraps, and a commitment to it: GCM alone would let one slot open under two passphrases, and the
 * commitment tells a wrong passphrase from damage.
 */
async function slotKeys(secret: Secret, header: KeySlotHeader): Promise<{ key: Uint8Array; commitment: Uint8Array }> {
  const bytes = await deriveSlotBytes(secret, header)
  return { key: bytes.subarray(0, 32), commitment: bytes.subarray(32) }
}

async function deriveSlotBytes(secret: Secret, header: KeySlotHeader): Promise<Uint8Array> {
  const salt = Buffer.from(header.kdf.salt, 'base64')
  if (secret.kind === 'passphrase' && header.kind === 'passphrase') {
    return derivePassphraseKey(secret.text, salt, header.kdf, 64)
  }
  if (secret.kind === 'raw') return derive(secret.bytes, 'holdfast/1/key-slot', 64, salt)
  throw new BackupError('INTERNAL', 'a key slot of another kind', { origin: 'repository' })
}
