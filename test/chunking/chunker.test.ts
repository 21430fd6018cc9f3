import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Chunker } from '../../src/chunking/chunker.ts'
import { gearTable } from '../../src/chunking/gear.ts'
import { type ChunkProfile, FILES_PROFILE, TABLE_PROFILE } from '../../src/chunking/profiles.ts'
import { sha256Hex } from '../../src/crypto/hash.ts'
import { seededBytes } from './seeded.ts'

const MIB = 2 ** 20
const TINY: ChunkProfile = { name: 'tiny', minBytes: 64, avgBytes: 256, maxBytes: 1024 }
const gear = gearTable(seededBytes(32, 1))

/** All of it in one buffer. */
function cutAll(chunker: Chunker, bytes: Uint8Array): number[] {
  const lengths: number[] = []
  for (let at = 0; at < bytes.length; at += lengths.at(-1) ?? 0)
    lengths.push(chunker.cut(bytes, at, bytes.length, true))
  return lengths
}

/** As a caller does whose input comes in parts: bytes are kept until the chunk is whole. */
function cutInParts(chunker: Chunker, bytes: Uint8Array, parts: readonly number[]): number[] {
  const lengths: number[] = []
  let start = 0
  let end = 0
  for (let i = 0; end < bytes.length; i++) {
    end = Math.min(bytes.length, end + (parts[i % parts.length] ?? 1))
    const last = end === bytes.length
    while (start < end) {
      const length = chunker.cut(bytes, start, end, last)
      if (length === 0) break
      lengths.push(length)
      start += length
    }
  }
  return lengths
}

function ends(lengths: readonly number[], offset = 0): number[] {
  let at = offset
  return lengths.map((length) => {
    at += length
    return at
  })
}

/** The rule as it is written down, without any of the speed: hash of the last 32 bytes, two masks, two bounds. */
function cutPlainly({ minBytes, avgBytes, maxBytes }: ChunkProfile, bytes: Uint8Array): number[] {
  const bits = Math.log2(avgBytes)
  const lengths: number[] = []
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    length++
    let hash = 0n
    for (let back = 31; back >= 0 && length > minBytes; back--) {
      hash = (hash * 2n + BigInt(gear[bytes[at - back]!]!)) & 0xffffffffn
    }
    const zeros = BigInt(length <= (avgBytes * 7) / 8 ? bits + 2 : bits - 2)
    const cut = length > minBytes && hash >> (32n - zeros) === 0n
    if (!cut && length < maxBytes && at < bytes.length - 1) continue
    lengths.push(length)
    length = 0
  }
  return lengths
}

describe('gearTable', () => {
  it('is the same for ever for one key', () => {
    expect(gear).toHaveLength(256)
    expect(sha256Hex(new Uint8Array(gear.buffer))).toMatchInlineSnapshot(
      `"4cda155613803cc970e90464d95b742d1820ef1cb72b84c62875397524680b8a"`,
    )
  })
  it('differs by key', () => {
    expect(gearTable(seededBytes(32, 2))).not.toEqual(gear)
  })
})

describe('Chunker', () => {
  let content: Uint8Array
  beforeAll(() => {
    content = seededBytes(16 * MIB, 3)
  })

  it('cuts at the same places for ever', () => {
    const view = content.subarray(0, 4 * MIB)
    expect(cutAll(new Chunker(FILES_PROFILE, gear), view)).toMatchInlineSnapshot(`
      [
        507308,
        394113,
        672496,
        426676,
        608775,
        602213,
        476610,
        506113,
      ]
    `)
    expect(cutAll(new Chunker(TABLE_PROFILE, gear), view.subarray(0, MIB / 4))).toMatchInlineSnapshot(`
      [
        17245,
        14341,
        17446,
        19118,
        17548,
        20521,
        19033,
        16867,
        18165,
        26978,
        16192,
        24645,
        22861,
        11184,
      ]
    `)
    expect(cutAll(new Chunker(TINY, gear), view.subarray(0, 3000))).toMatchInlineSnapshot(`
      [
        273,
        249,
        266,
        410,
        241,
        401,
        273,
        260,
        338,
        114,
        175,
      ]
    `)
  })

  it('follows the written rule', () => {
    const profiles = [TINY, { name: 'other', minBytes: 33, avgBytes: 512, maxBytes: 700 }]
    for (const profile of profiles) {
      const view = content.subarray(0, 50_001)
      expect(cutAll(new Chunker(profile, gear), view)).toEqual(cutPlainly(profile, view))
    }
  })

  it.each([FILES_PROFILE, TABLE_PROFILE, TINY])('keeps $name within its bounds', (profile) => {
    const lengths = cutAll(new Chunker(profile, gear), content.subarray(0, 8 * MIB))
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(8 * MIB)
    const whole = lengths.slice(0, -1)
    expect(Math.min(...whole)).toBeGreaterThan(profile.minBytes)
    expect(Math.max(...whole)).toBeLessThanOrEqual(profile.maxBytes)
  })

  it('makes chunks of the average size, most of them near it', () => {
    const { avgBytes, maxBytes } = TABLE_PROFILE
    const lengths = cutAll(new Chunker(TABLE_PROFILE, gear), content)
    const share = (test: (length: number) => boolean) => lengths.filter(test).length / lengths.length
    expect(content.length / lengths.length / avgBytes).toBeGreaterThan(0.92)
    expect(content.length / lengths.length / avgBytes).toBeLessThan(1.12)
    expect(share((length) => length > avgBytes / 2 && length < avgBytes * 2)).toBeGreaterThan(0.8)
    expect(share((length) => length === maxBytes)).toBeLessThan(0.01)
  })

  it('finds the old cuts again after bytes were put in front', () => {
    const chunker = new Chunker(TABLE_PROFILE, gear)
    const before = new Set(ends(cutAll(chunker, content.subarray(0, 4 * MIB))))
    for (const shift of [1, 7, 1000, 40_000]) {
      const shifted = seededBytes(shift + 4 * MIB, shift + 9)
      shifted.set(content.subarray(0, 4 * MIB), shift)
      const after = ends(cutAll(chunker, shifted), -shift)
      const kept = after.filter((end) => before.has(end)).length
      expect(kept / before.size, `shift ${shift}`).toBeGreaterThan(0.95)
    }
  })

  it('re-cuts only round a change', () => {
    const chunker = new Chunker(TABLE_PROFILE, gear)
    const before = new Set(ends(cutAll(chunker, content.subarray(0, 4 * MIB))))
    const changed = content.slice(0, 4 * MIB)
    for (let at = MIB; at < MIB + 100; at++) changed[at] = 0
    const lost = ends(cutAll(chunker, changed)).filter((end) => !before.has(end))
    expect(lost.length).toBeLessThanOrEqual(4)
    for (const end of lost) expect(Math.abs(end - MIB)).toBeLessThan(MIB / 2)
  })

  it('cuts elsewhere under another key', () => {
    const view = content.subarray(0, MIB)
    const one = new Set(ends(cutAll(new Chunker(TABLE_PROFILE, gear), view)))
    const other = ends(cutAll(new Chunker(TABLE_PROFILE, gearTable(seededBytes(32, 2))), view))
    expect(other.filter((end) => one.has(end)).length).toBeLessThan(5)
  })

  it('asks for more bytes while it cannot tell', () => {
    const chunker = new Chunker(TINY, gear)
    const zeros = new Uint8Array(3000)
    expect(chunker.cut(zeros, 0, 0, false)).toBe(0)
    expect(chunker.cut(zeros, 0, 64, false)).toBe(0)
    expect(chunker.cut(zeros, 0, 1023, false)).toBe(0)
    expect(chunker.cut(zeros, 0, 1024, false)).toBe(1024)
    expect(chunker.cut(zeros, 0, 3000, false)).toBe(1024)
  })

  it('gives what is left as the last chunk', () => {
    const chunker = new Chunker(TINY, gear)
    const zeros = new Uint8Array(3000)
    expect(chunker.cut(zeros, 5, 5, true)).toBe(0)
    expect(chunker.cut(zeros, 5, 6, true)).toBe(1)
    expect(chunker.cut(zeros, 5, 900, true)).toBe(895)
  })

  it('does not look outside of [start, end)', () => {
    const chunker = new Chunker(TINY, gear)
    const alone = cutAll(chunker, content.slice(5000, 9000))
    const lengths: number[] = []
    for (let at = 5000; at < 9000; at += lengths.at(-1) ?? 0) lengths.push(chunker.cut(content, at, 9000, true))
    expect(lengths).toEqual(alone)
  })

  it('does not depend on how the input came in', () => {
    const chunker = new Chunker(TINY, gear)
    const input = fc.record({
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 5000 }),
        fc.tuple(fc.nat(5000), fc.nat(999)).map(([length, seed]) => seededBytes(length, seed)),
        fc.tuple(fc.nat(5000), fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
      ),
      parts: fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 20 }),
    })
    fc.assert(
      fc.property(input, ({ bytes, parts }) => {
        expect(cutInParts(chunker, bytes, parts)).toEqual(cutAll(chunker, bytes))
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    { minBytes: 16, avgBytes: 256, maxBytes: 1024 },
    { minBytes: 256, avgBytes: 256, maxBytes: 1024 },
    { minBytes: 64, avgBytes: 300, maxBytes: 1024 },
    { minBytes: 64, avgBytes: 1024, maxBytes: 1024 },
    { minBytes: 64, avgBytes: 128, maxBytes: 1024 },
    { minBytes: 64, avgBytes: 256, maxBytes: 2 ** 27 },
    { minBytes: Number.NaN, avgBytes: 256, maxBytes: 1024 },
  ])('refuses the profile %o', (sizes) => {
    expect(() => new Chunker({ name: 'unsound', ...sizes }, gear)).toThrow(RangeError)
  })
})
