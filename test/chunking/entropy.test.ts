import { readFileSync } from 'node:fs'
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { looksIncompressible } from '../../src/chunking/entropy.ts'
import { seededBytes } from './seeded.ts'

const code = readFileSync(new URL('../../node_modules/typescript/lib/typescript.js', import.meta.url))
const executable = readFileSync(process.execPath).subarray(0, 4 * 2 ** 20)
const random = seededBytes(2 ** 20, 1)

const guess = (bytes: Uint8Array) => looksIncompressible(bytes, 0, bytes.length)

/** What a camera writes: entropy-coded bytes in which every FF is followed by 00. */
function jpegLike(length: number): Uint8Array {
  const bytes: number[] = []
  for (const byte of seededBytes(length, 5)) {
    bytes.push(byte)
    if (byte === 0xff) bytes.push(0)
  }
  return Uint8Array.from(bytes)
}

describe('looksIncompressible', () => {
  it.each([
    ['random bytes', random],
    ['zstd', zstdCompressSync(code)],
    ['gzip', gzipSync(code)],
    ['deflate, as in ZIP and PNG', deflateRawSync(executable)],
    ['JPEG', jpegLike(200_000)],
    ['2 KB of random bytes', random.subarray(0, 2000)],
  ])('is true for %s', (_, bytes) => {
    expect(guess(bytes)).toBe(true)
  })
  it.each([
    ['code', code],
    ['2 KB of code', code.subarray(5000, 7000)],
    ['an executable', executable],
    ['base64', Buffer.from(Buffer.from(random).toString('base64'))],
    ['hex', Buffer.from(Buffer.from(random).toString('hex'))],
    ['zeros', new Uint8Array(100_000)],
    ['random bytes among zeros', Uint8Array.from(random, (byte, i) => (i & 1 ? byte : 0))],
    ['7-bit noise', random.map((byte) => byte & 0x7f)],
    ['too little to tell', random.subarray(0, 1000)],
    ['nothing', new Uint8Array(0)],
  ])('is false for %s', (_, bytes) => {
    expect(guess(bytes)).toBe(false)
  })
  it('looks at the range only', () => {
    const mixed = new Uint8Array(3 * 65_536)
    mixed.set(random.subarray(0, 65_536), 65_536)
    expect(looksIncompressible(mixed, 0, 65_536)).toBe(false)
    expect(looksIncompressible(mixed, 65_536, 131_072)).toBe(true)
    expect(looksIncompressible(mixed, 131_072, 196_608)).toBe(false)
  })
  it('is steady over many ranges of both kinds', () => {
    for (let at = 0; at + 20_000 < 1_000_000; at += 20_000) {
      expect(looksIncompressible(random, at, at + 20_000)).toBe(true)
      expect(looksIncompressible(code, at, at + 20_000)).toBe(false)
    }
  })
})
