import { randomFillSync } from 'node:crypto'

const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'

/** `length` bytes from the system's generator, in a buffer of their own (never a slice of node's pool). */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length))
}

/**
 * Id of a run or snapshot: UTC time to the millisecond and 10 random base32 letters, lower case, so that ids sort by
 * time: `20261121t073423123-k3f9qhw2zt`.
 */
export function newId(now: Date): string {
  const time = now
    .toISOString()
    .replace(/[-:.Z]/g, '')
    .toLowerCase()
  let letters = ''
  for (const byte of randomBytes(10)) letters += LETTERS[byte & 31]
  return `${time}-${letters}`
}
