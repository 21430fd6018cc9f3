import { describe, expect, it } from 'vitest'
import { deriveSegmentKey, equalBytes, mac, open, seal, sealInto, sha256Of, ZERO_NONCE } from '../../src/crypto/aead.ts'
import { derive } from '../../src/crypto/derive.ts'
import { hex, sha256Hex } from '../../src/crypto/hash.ts'
import { seededBytes } from '../chunking/seeded.ts'

const bytes = (digits: string) => new Uint8Array(Buffer.from(digits, 'hex'))

describe('AES-256-GCM', () => {
  it('meets test case 16 of the GCM specification', () => {
    const key = bytes('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308')
    const nonce = bytes('cafebabefacedbaddecaf888')
    const aad = bytes('feedfacedeadbeeffeedfacedeadbeefabaddad2')
    const plain = bytes(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    )
    const sealed =
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
      '76fc6ece0f4e1768cddf8853bb2d551b'
    expect(hex(seal(key, nonce, aad, plain))).toBe(sealed)
    expect(hex(open(key, nonce, aad, bytes(sealed)) ?? ZERO_NONCE)).toBe(hex(plain))
  })
  it('writes in place and nowhere else', () => {
    const key = seededBytes(32, 1)
    const out = new Uint8Array(50).fill(0xee)
    expect(sealInto(out, 10, key, ZERO_NONCE, key, seededBytes(8, 2))).toBe(24)
    expect([...out.subarray(0, 10), ...out.subarray(34)].every((byte) => byte === 0xee)).toBe(true)
    expect(open(key, ZERO_NONCE, key, out.subarray(10, 34))).toEqual(Buffer.from(seededBytes(8, 2)))
  })
  it('opens nothing that was changed, and nothing too short', () => {
    const key = seededBytes(32, 1)
    const sealed = seal(key, ZERO_NONCE, key, seededBytes(5, 2))
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.slice()
      changed[i]! ^= 1
      expect(open(key, ZERO_NONCE, key, changed)).toBeUndefined()
    }
    expect(open(key, ZERO_NONCE, new Uint8Array(3), sealed)).toBeUndefined()
    expect(open(key, ZERO_NONCE, key, sealed.subarray(0, 15))).toBeUndefined()
  })
})

describe('derive', () => {
  it('meets test case 3 of RFC 5869', () => {
    const okm = '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'
    expect(hex(derive(new Uint8Array(22).fill(0x0b), '', 42))).toBe(okm)
  })
})

describe('deriveSegmentKey', () => {
  it('depends on key and salt, and key and commitment differ', () => {
    const one = deriveSegmentKey(seededBytes(32, 1), seededBytes(32, 2))
    const values = [
      one,
      deriveSegmentKey(seededBytes(32, 1), seededBytes(32, 3)),
      deriveSegmentKey(seededBytes(32, 4), seededBytes(32, 2)),
    ].flatMap(({ key, commitment }) => [hex(key), hex(commitment)])
    expect(new Set(values).size).toBe(6)
    expect(one.key).toHaveLength(32)
    expect(one.commitment).toHaveLength(32)
  })
})

describe('mac', () => {
  it('tells apart lists that read alike when joined', () => {
    const [a, b, c] = [seededBytes(3, 1), seededBytes(4, 2), seededBytes(7, 3)]
    const key = seededBytes(32, 9)
    const joined = new Uint8Array([...a, ...b])
    const macs = [mac(key, a, b), mac(key, joined), mac(key, b, a), mac(key, a, b, c), mac(seededBytes(32, 8), a, b)]
    expect(new Set(macs.map(hex)).size).toBe(macs.length)
    expect(hex(mac(key, a, b))).toBe(hex(mac(key, a.slice(), b.slice())))
  })
})

describe('equalBytes', () => {
  it('compares length and content', () => {
    expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true)
    expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false)
    expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1]))).toBe(false)
  })
})

describe('sha256Of', () => {
  it('reads the parts as one', () => {
    expect(hex(sha256Of(seededBytes(5, 1), seededBytes(6, 2)))).toBe(
      sha256Hex(new Uint8Array([...seededBytes(5, 1), ...seededBytes(6, 2)])),
    )
  })
})
