import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createIdHasher, ID_BYTES, ID_HEADROOM, type IdAlgorithm, probeIdAlgorithm } from '../../src/crypto/chunk-id.ts'
import { hex } from '../../src/crypto/hash.ts'
import { seededBytes } from '../chunking/seeded.ts'

const ALGORITHMS: [IdAlgorithm, string][] = [
  ['hmac-sha256', 'sha256'],
  ['hmac-sha512-256', 'sha512-256'],
]
const key = seededBytes(32, 1)

describe.each(ALGORITHMS)('createIdHasher(%s)', (algorithm, digest) => {
  const hasher = createIdHasher(algorithm, key)
  const expected = (content: Uint8Array, secret = key) => createHmac(digest, secret).update(content).digest('hex')

  it('is a standard HMAC, wherever the content lies in the buffer', () => {
    const buffer = seededBytes(30_000, 2)
    for (const start of [0, 1, 63, 64, 65, 127, ID_HEADROOM, 5000]) {
      for (const length of [0, 1, 64, 1500, 20_000]) {
        const id = hasher.id(buffer, start, start + length)
        expect(hex(id)).toBe(expected(buffer.subarray(start, start + length)))
        expect(id.length).toBe(ID_BYTES)
      }
    }
  })
  it('leaves the buffer as it was', () => {
    const buffer = seededBytes(4000, 3)
    for (const start of [0, 64, ID_HEADROOM, 1000]) hasher.id(buffer, start, 4000)
    expect(buffer).toEqual(seededBytes(4000, 3))
  })
  it('works in a view of a larger buffer', () => {
    const view = seededBytes(4000, 4).subarray(1000, 3000)
    expect(hex(hasher.id(view, 200, 900))).toBe(expected(view.subarray(200, 900)))
  })
  it('takes keys up to the block size', () => {
    const short = seededBytes(7, 5)
    const content = seededBytes(100, 6)
    expect(hex(createIdHasher(algorithm, short).id(content, 0, 100))).toBe(expected(content, short))
    expect(() => createIdHasher(algorithm, new Uint8Array(129))).toThrow(RangeError)
  })
  it('does not change an earlier id', () => {
    const buffer = seededBytes(1000, 7)
    const first = hasher.id(buffer, 200, 500)
    const kept = hex(first)
    hasher.id(buffer, 300, 800)
    expect(hex(first)).toBe(kept)
  })
})

describe('createIdHasher', () => {
  it('meets test case 1 of RFC 4231', () => {
    const content = new TextEncoder().encode('Hi There')
    const id = createIdHasher('hmac-sha256', new Uint8Array(20).fill(0x0b)).id(content, 0, content.length)
    expect(hex(id)).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')
  })
})

describe('probeIdAlgorithm', () => {
  it('names one of the two', () => {
    expect(ALGORITHMS.map(([name]) => name)).toContain(probeIdAlgorithm())
  })
})
