import { hkdfSync } from 'node:crypto'

const NO_SALT = new Uint8Array(0)

/** HKDF-SHA-256 with an ASCII `info`. The same input gives the same bytes for ever: stored data depends on it. */
export function derive(
  secret: Uint8Array,
  info: string,
  length: number,
  salt: Uint8Array = NO_SALT,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, length))
}
