import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countLineFeeds } from '../../../src/workers/ingest/line-feeds.ts'

const plain = (bytes: Uint8Array): number => bytes.reduce((count, byte) => count + Number(byte === 10), 0)

describe('counting line feeds', () => {
  it('finds all of them, wherever the bytes begin and end', () => {
    const byte = fc.constantFrom(0, 9, 10, 11, 0x8a, 0x0b, 0x7f, 0x80, 0xff)
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 300 }), fc.nat({ max: 5 }), fc.nat({ max: 5 }), (all, skip, drop) => {
        const bytes = Uint8Array.from(all).subarray(skip, Math.max(skip, all.length - drop))
        expect(countLineFeeds(bytes)).toBe(plain(bytes))
      }),
    )
  })

  it.each([0, 1, 255 * 4, 256 * 4, 1021 * 4 + 3, 100_001])('counts %i of nothing but feeds', (length) => {
    expect(countLineFeeds(new Uint8Array(length).fill(10))).toBe(length)
  })

  it('counts every value of a byte right', () => {
    const bytes = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) & 0xff)
    expect(countLineFeeds(bytes)).toBe(plain(bytes))
  })
})
