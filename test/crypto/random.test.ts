import { describe, expect, it } from 'vitest'
import { newId, randomBytes } from '../../src/crypto/random.ts'

describe('randomBytes', () => {
  it('owns its buffer', () => {
    for (const length of [0, 1, 32, 5000]) {
      const bytes = randomBytes(length)
      expect(bytes.length).toBe(length)
      expect(bytes.buffer.byteLength).toBe(length)
    }
  })
  it('differs from call to call', () => {
    expect(randomBytes(32)).not.toEqual(randomBytes(32))
  })
})

describe('newId', () => {
  it('is the UTC time to the millisecond and ten letters', () => {
    expect(newId(new Date('2026-11-21T07:34:23.123Z'))).toMatch(/^20261121t073423123-[0-9a-hjkmnp-tv-z]{10}$/)
  })
  it('sorts by time', () => {
    const times = [0, 1, 999, 1000, 60_000, 86_400_000, 1e12, 1e12 + 1]
    const ids = times.map((ms) => newId(new Date(ms)))
    expect(ids.toSorted()).toEqual(ids)
  })
  it('does not repeat within a millisecond', () => {
    const now = new Date()
    expect(new Set(Array.from({ length: 1000 }, () => newId(now))).size).toBe(1000)
  })
})
