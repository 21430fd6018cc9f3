/** X25519: a key slot's own key pair, to which the secret of a new epoch can be sealed by whoever has only its public half. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { randomBytes } from './random.ts'

export const PUBLIC_KEY_BYTES = 32

/** What stands before the 32 bytes in the DER that node takes. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

/** A private key that never shows itself when printed or turned into JSON. */
export class RecipientKey {
  readonly publicKey: Uint8Array
  readonly #key: KeyObject

  private constructor(secret: Uint8Array) {
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: 'der', type: 'pkcs8' })
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' })
    this.publicKey = new Uint8Array(spki.subarray(SPKI.length))
  }

  /** From 32 secret bytes; the same ones give the same pair. */
  static from(secret: Uint8Array): RecipientKey {
    return new RecipientKey(secret)
  }

  static random(): RecipientKey {
    return new RecipientKey(randomBytes(32))
  }

  /** The secret that both sides can make. Undefined for a public key that is none, such as one of low order. */
  agree(publicKey: Uint8Array): Uint8Array | undefined {
    if (publicKey.length !== PUBLIC_KEY_BYTES) return undefined
    try {
      const other = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' })
      return new Uint8Array(diffieHellman({ privateKey: this.#key, publicKey: other }))
    } catch {
      return undefined
    }
  }

  toJSON(): string {
    return 'RecipientKey'
  }

  [inspect.custom](): string {
    return 'RecipientKey'
  }
}
