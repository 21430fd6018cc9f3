import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gearTable } from '../../../src/chunking/gear.ts'
import { FILES_PROFILE } from '../../../src/chunking/profiles.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import type { StreamRefs } from '../../../src/model/streams.ts'
import { ContentWriter } from '../../../src/workers/ingest/content-writer.ts'
import type { Vault } from '../../../src/workers/segments/vault.ts'
import { seededBytes } from '../../chunking/seeded.ts'

const KIB = 1024
/** A hundred times smaller than the real one, but for what a hole is. */
const profile = { name: 'small', minBytes: 1 * KIB, avgBytes: 4 * KIB, maxBytes: 128 * KIB }
const gear = gearTable(new Uint8Array(32).fill(8))
const vault = (over = profile): Vault => ({ profile: over, gear }) as unknown as Vault

interface Written {
  stream: StreamRefs
  chunks: Map<string, Uint8Array>
}

function write(content: Uint8Array, pieces: readonly number[], over = profile): Written {
  const chunks = new Map<string, Uint8Array>()
  const put = (buffer: Uint8Array, start: number, end: number): Uint8Array => {
    const bytes = new Uint8Array(buffer.subarray(start, end))
    const id = sha256(bytes)
    chunks.set(Buffer.from(id).toString('hex'), bytes)
    return id
  }
  const writer = new ContentWriter(vault(over), { put })
  let at = 0
  for (let i = 0; at < content.length; i++) {
    const end = Math.min(content.length, at + (pieces[i % Math.max(1, pieces.length)] ?? content.length))
    writer.write(content.subarray(at, end))
    at = end
  }
  return { stream: writer.finish(), chunks }
}

function joined({ stream, chunks }: Written): Buffer {
  expect(stream.level).toBe(0)
  return Buffer.concat(
    stream.refs.map(({ id, sizeBytes }) =>
      id ? chunks.get(Buffer.from(id).toString('hex'))! : Buffer.alloc(sizeBytes),
    ),
  )
}

describe('a stream', () => {
  it('is cut the same however it comes in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 120 * KIB }),
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.integer({ min: 1, max: 40 * KIB }), { minLength: 1, maxLength: 6 }),
        (length, seed, pieces) => {
          const content = seededBytes(length, seed)
          const whole = write(content, [])
          expect(write(content, pieces).stream).toEqual(whole.stream)
          expect(joined(whole).equals(content)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('keeps to the lengths of its profile', () => {
    const { stream, chunks } = write(seededBytes(200 * KIB, 4), [7777])
    expect(stream.level).toBe(0)
    const lengths = stream.refs.map(({ sizeBytes }) => sizeBytes)
    expect(lengths.length).toBe(chunks.size)
    for (const length of lengths.slice(0, -1)) expect(length).toBeGreaterThanOrEqual(profile.minBytes)
    for (const length of lengths) expect(length).toBeLessThanOrEqual(profile.maxBytes)
  })

  it('of zeros is holes, and zeros in the middle of others come back', () => {
    const zeros = write(new Uint8Array(900 * KIB), [50_000])
    expect(zeros.chunks.size).toBeLessThanOrEqual(1)
    expect(zeros.stream.refs[0]!.id).toBe(undefined)
    expect(zeros.stream.refs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(900 * KIB)
    const mixed = new Uint8Array(1500 * KIB)
    mixed.set(seededBytes(70 * KIB, 1), 10)
    mixed.set(seededBytes(70 * KIB, 2), 1200 * KIB)
    const written = write(mixed, [12_345])
    expect(joined(written).equals(mixed)).toBe(true)
    expect(written.stream.refs.some(({ id }) => !id)).toBe(true)
  })

  const coarse = { name: 'coarse', minBytes: 8 * KIB, avgBytes: 32 * KIB, maxBytes: 128 * KIB }

  it('has the same holes whether their zeros are written or known', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 90 * KIB }), fc.integer({ min: 0, max: 400 * KIB })), {
          maxLength: 5,
        }),
        (runs) => {
          const content = Buffer.concat(runs.flatMap(([data, zeros]) => [seededBytes(data, data), Buffer.alloc(zeros)]))
          const put = (buffer: Uint8Array, start: number, end: number): Uint8Array =>
            sha256(buffer.subarray(start, end))
          const writer = new ContentWriter(vault(coarse), { put })
          for (const [data, zeros] of runs) {
            writer.write(seededBytes(data, data))
            writer.skip(zeros)
          }
          const written = write(content, [9999], coarse)
          expect(writer.finish()).toEqual(written.stream)
          expect(joined(written).equals(content)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('has no holes where it is to have none', () => {
    const put = (buffer: Uint8Array, start: number, end: number): Uint8Array => sha256(buffer.subarray(start, end))
    const writer = new ContentWriter(vault(), { put })
    writer.holes = false
    writer.write(new Uint8Array(700 * KIB))
    const { refs } = writer.finish()
    expect(refs.every(({ id }) => id !== undefined)).toBe(true)
    expect(refs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(700 * KIB)
  })

  it('shares its chunks with itself moved by some bytes', () => {
    const content = seededBytes(200 * KIB, 6)
    const moved = new Uint8Array(content.length + 11)
    moved.set(content, 11)
    const before = write(content, []).chunks
    const fresh = [...write(moved, []).chunks.keys()].filter((id) => !before.has(id))
    expect(fresh.length).toBeLessThan(4)
  })

  it('that was dropped leaves nothing to the next one', () => {
    const put = (buffer: Uint8Array, start: number, end: number): Uint8Array => sha256(buffer.subarray(start, end))
    const writer = new ContentWriter(vault(), { put })
    const content = seededBytes(90 * KIB, 7)
    writer.write(content)
    const first = writer.finish()
    writer.write(seededBytes(50 * KIB, 8))
    writer.reset()
    writer.write(content)
    expect(writer.finish()).toEqual(first)
    expect(writer.finish()).toEqual({ name: '', level: 0, refs: [] })
  })

  it.each([-1, 0, 1])('around the borders of the real profile, %i byte off, is whole', (off) => {
    for (const length of [
      FILES_PROFILE.minBytes,
      FILES_PROFILE.avgBytes,
      FILES_PROFILE.maxBytes,
      FILES_PROFILE.maxBytes * 3,
    ]) {
      const content = seededBytes(length + off, 5)
      expect(joined(write(content, [1_000_003], FILES_PROFILE)).equals(content)).toBe(true)
    }
  })
})
