/** Numbers and bytes that are the same for the same seed. */
import { createCipheriv, createHash } from 'node:crypto'

/** A seed made of others. */
export function mixed(...parts: readonly (number | string)[]): number {
  return createHash('sha256').update(parts.join(' ')).digest().readUInt32LE(0)
}

/** Numbers from 0 up to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Not to be compressed, so that there are as many bytes in the repository as in the files. */
export function noise(bytes: number, seed: number): Uint8Array {
  const key = Buffer.alloc(16)
  key.writeUInt32LE(seed)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes))
}
