import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  type Decipheriv,
  timingSafeEqual,
} from 'node:crypto'
import { release } from '../util/bytes.ts'
import { derive } from './derive.ts'

export const TAG_BYTES = 16
export const NONCE_BYTES = 12
/** Right only where a key encrypts one message and never another, as a segment's does. */
export const ZERO_NONCE: Uint8Array = new Uint8Array(NONCE_BYTES)

/**
 * A call gives its output in a new buffer. For a segment malloc has one at hand; of an index fragment it is fresh memory, whose
 * pages cost ten times what the cipher does: 16 MB take 18 ms in one call, and 2 in pieces.
 */
const WHOLE_BYTES = 4 * 1024 * 1024
const PIECE_BYTES = 256 * 1024

/** AES-256-GCM: ciphertext, then the 16-byte tag, written into `out` at `offset`. Gives the bytes written. */
export function sealInto(
  out: Uint8Array,
  offset: number,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
): number {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad)
  update(cipher, plain, out, offset)
  cipher.final()
  out.set(cipher.getAuthTag(), offset + plain.length)
  return plain.length + TAG_BYTES
}

/** AES-256-GCM in a new buffer: ciphertext, then the 16-byte tag. */
export function seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(plain.length + TAG_BYTES)
  sealInto(out, 0, key, nonce, aad, plain)
  return out
}

/**
 * The plain bytes, or undefined where key, nonce, AAD or any byte is not what was sealed. `inPlace`: they may take the place of
 * the sealed ones, as they do where these are many; after a failure nothing of `sealed` is of use.
 */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
  inPlace = false,
): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(end))
  const plain = updated(decipher, sealed.subarray(0, end), inPlace)
  try {
    decipher.final()
    return plain
  } catch {
    return undefined
  }
}

function updated(decipher: Decipheriv, input: Uint8Array, inPlace: boolean): Uint8Array {
  if (input.length <= WHOLE_BYTES) return decipher.update(input)
  const out = inPlace ? input : Buffer.allocUnsafeSlow(input.length)
  update(decipher, input, out, 0)
  return out
}

function update(cipher: Cipheriv | Decipheriv, input: Uint8Array, out: Uint8Array, offset: number): void {
  const step = input.length <= WHOLE_BYTES ? input.length : PIECE_BYTES
  for (let at = 0; at < input.length; at += step) {
    const piece = cipher.update(input.subarray(at, at + step))
    out.set(piece, offset + at)
    release(piece)
  }
}

export interface SegmentKey {
  readonly key: Uint8Array
  /** Stored beside the segment: GCM alone would let one ciphertext open under two keys. */
  readonly commitment: Uint8Array
}

/** The key that encrypts exactly one segment, and the commitment to it. `salt` is 32 fresh random bytes. */
export function deriveSegmentKey(classKey: Uint8Array, salt: Uint8Array): SegmentKey {
  const bytes = derive(classKey, 'holdfast/1/segment', 64, salt)
  return { key: bytes.subarray(0, 32), commitment: bytes.subarray(32) }
}

/** Compares in a time that tells nothing about where the difference is. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** HMAC-SHA-256 over the parts, each preceded by its length, so that no two lists of parts read alike. */
export function mac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac('sha256', key)
  const length = new DataView(new ArrayBuffer(8))
  for (const part of parts) {
    length.setBigUint64(0, BigInt(part.length), true)
    hmac.update(new Uint8Array(length.buffer)).update(part)
  }
  return hmac.digest()
}

/** SHA-256 over the parts as if they stood in one buffer. */
export function sha256Of(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest()
}
