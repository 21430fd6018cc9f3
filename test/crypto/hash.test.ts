import { describe, expect, it } from 'vitest'
import { hex, sha256, sha256Hex } from '../../src/crypto/hash.ts'

const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

describe('sha256', () => {
  it('meets the vector of FIPS 180-2', () => {
    const abc = new TextEncoder().encode('abc')
    expect(sha256Hex(abc)).toBe(ABC)
    expect(hex(sha256(abc))).toBe(ABC)
  })
})

describe('hex', () => {
  it('reads only the view', () => {
    expect(hex(new Uint8Array([1, 2, 0xab, 0xff]).subarray(1, 3))).toBe('02ab')
  })
})
