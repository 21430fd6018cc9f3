/**
 * The secret of a new epoch, sealed to each key slot by its public key, so that nobody else's passphrase is needed. The key
 * of the epoch before goes into the wrapping key too: whoever has only public keys cannot make an epoch that is believed,
 * and whoever had only the old secrets cannot read the new one.
 */
import { open, seal, ZERO_NONCE } from './aead.ts'
import { derive } from './derive.ts'
import type { Keyring } from './keyring.ts'
import { randomBytes } from './random.ts'
import { RecipientKey } from './recipient.ts'

export interface SealedEpoch {
  /** Public half of a pair that is made for this once. */
  readonly ephemeral: Uint8Array
  /** By slot id: 48 bytes. */
  readonly sealed: ReadonlyMap<string, Uint8Array>
}

export interface SealContext {
  readonly repositoryId: string
  /** The number of the new epoch. */
  readonly epoch: number
}

/** A secret for the epoch after the keyring's newest, and that sealed to each slot. Both halves MUST be fresh, but in test vectors. */
export function sealNextEpoch(
  keyring: Keyring,
  repositoryId: string,
  slots: ReadonlyMap<string, Uint8Array>,
  secret: Uint8Array = randomBytes(32),
  pair: RecipientKey = RecipientKey.random(),
): { secret: Uint8Array; sealed: SealedEpoch } | { badSlot: string } {
  const sealed = new Map<string, Uint8Array>()
  const context = { repositoryId, epoch: keyring.newestEpoch + 1 }
  for (const [slot, publicKey] of slots) {
    const shared = pair.agree(publicKey)
    if (shared === undefined) return { badSlot: slot }
    const key = wrappingKey(shared, keyring, context.epoch, pair.publicKey, publicKey)
    sealed.set(slot, seal(key, ZERO_NONCE, aadOf(context, slot), secret))
  }
  return { secret, sealed: { ephemeral: pair.publicKey, sealed } }
}

/** The secret, or undefined where any of it is not what was sealed to this slot by a holder of the epoch before. */
export function openEpoch(
  keyring: Keyring,
  own: { slot: string; recipient: RecipientKey },
  { ephemeral, sealed }: { ephemeral: Uint8Array; sealed: Uint8Array },
  context: SealContext,
): Uint8Array | undefined {
  const shared = own.recipient.agree(ephemeral)
  if (shared === undefined) return undefined
  const key = wrappingKey(shared, keyring, context.epoch, ephemeral, own.recipient.publicKey)
  const secret = open(key, ZERO_NONCE, aadOf(context, own.slot), sealed)
  return secret?.length === 32 ? new Uint8Array(secret) : undefined
}

/** Used once: the ephemeral key is new each time, and each slot has a public key of its own. */
function wrappingKey(
  shared: Uint8Array,
  keyring: Keyring,
  epoch: number,
  ephemeral: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array {
  const secret = Buffer.concat([shared, keyring.nextEpochKey(epoch - 1)])
  return derive(secret, 'holdfast/1/epoch-seal', 32, Buffer.concat([ephemeral, publicKey]))
}

function aadOf({ repositoryId, epoch }: SealContext, slot: string): Uint8Array {
  return new TextEncoder().encode(`holdfast/1/epoch-seal\n${repositoryId}\n${slot}\n${epoch}`)
}
