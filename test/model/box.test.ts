import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BackupError } from '../../src/errors.ts'
import {
  BOX_CLASSES,
  type BoxHeader,
  boxHeaderBytes,
  decodeBoxHeader,
  encodeBoxHeader,
  MAX_BOX_HEADER_BYTES,
  MAX_BOX_RAW_BYTES,
  MAX_BOX_STORED_BYTES,
  WRAP,
} from '../../src/model/box.ts'
import { seededBytes } from '../chunking/seeded.ts'

const header: BoxHeader = {
  wrapType: WRAP.epoch,
  wrapData: new Uint8Array(0),
  epoch: 0x01020304,
  cls: 'content',
  transforms: ['zstd', 'aes-256-gcm'],
  salt: seededBytes(32, 1),
  commitment: seededBytes(32, 2),
  rawBytes: 1_000_000,
  storedBytes: 400_016,
  padBytes: 7,
}
// Places in the encoded header above.
const AT = { version: 4, wrapType: 5, wrapData: 6, epoch: 8, cls: 12, count: 13, firstId: 14, salt: 31, lengths: 95 }
const HEADER_BYTES = 107

function encode(change: Partial<BoxHeader> = {}): Uint8Array {
  const changed = { ...header, ...change }
  const out = new Uint8Array(boxHeaderBytes(changed))
  expect(encodeBoxHeader(changed, out, 0)).toBe(out.length)
  return out
}

function patched(at: number, ...values: number[]): Uint8Array {
  const bytes = encode()
  bytes.set(values, at)
  return bytes
}

const plain = (decoded: BoxHeader) => ({
  ...decoded,
  wrapData: new Uint8Array(decoded.wrapData),
  salt: new Uint8Array(decoded.salt),
  commitment: new Uint8Array(decoded.commitment),
})

describe('box header', () => {
  it('is the same for ever', () => {
    expect(Buffer.from(encode()).toString('hex')).toMatchInlineSnapshot(
      `"4846425801000000040302010402047a7374640b6165732d3235362d67636d232ac7d4b6e994f6f7295454c4a838a375e04ea42674d7fa7c61a1eb1d4dc16b56160df4bc047c0949733113671e4c9cc7ae5c2c92eb521847c88fb561f8a9ed40420f00901a060007000000"`,
    )
    expect(encode()).toHaveLength(HEADER_BYTES)
  })

  it('comes back as it was', () => {
    const id = fc.stringMatching(/^[a-z0-9-]{1,32}$/)
    const any = fc.record({
      wrapType: fc.constantFrom(WRAP.epoch, WRAP.none),
      wrapData: fc.constant(new Uint8Array(0)),
      epoch: fc.nat(2 ** 32 - 1),
      cls: fc.constantFrom(...BOX_CLASSES.slice(2)),
      transforms: fc.array(id, { maxLength: 8 }),
      salt: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      commitment: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      rawBytes: fc.nat(MAX_BOX_RAW_BYTES),
      storedBytes: fc.integer({ min: 1000, max: MAX_BOX_STORED_BYTES }),
      padBytes: fc.nat(1000),
    })
    fc.assert(
      fc.property(any, fc.nat(100), (value, offset) => {
        const bytes = new Uint8Array(offset + boxHeaderBytes(value) + 5).fill(0xff)
        const length = encodeBoxHeader(value, bytes, offset)
        const decoded = decodeBoxHeader(bytes, offset)
        expect(plain(decoded.header)).toEqual(value)
        expect(decoded.headerBytes).toBe(length)
        expect(length).toBe(boxHeaderBytes(value))
        expect(length).toBeLessThanOrEqual(MAX_BOX_HEADER_BYTES)
      }),
    )
  })

  it('reads a view that does not begin its buffer', () => {
    const large = new Uint8Array([9, 9, 9, ...encode(), 9])
    expect(plain(decodeBoxHeader(large.subarray(3), 0).header)).toEqual(header)
  })

  it.each([
    ['other magic', patched(0, 0x49)],
    ['version 0', patched(AT.version, 0)],
    ['an unknown wrap type', patched(AT.wrapType, 3)],
    ['wrap data', patched(AT.wrapData, 1)],
    ['too much wrap data', patched(AT.wrapData, 1, 16)],
    ['an unknown class', patched(AT.cls, BOX_CLASSES.length)],
    ['a class that seals nothing', patched(AT.cls, 1)],
    ['nine transforms', patched(AT.count, 9)],
    ['an empty transform id', patched(AT.firstId, 0)],
    ['a transform id of 33 letters', patched(AT.firstId, 33)],
    ['a capital in a transform id', patched(AT.firstId + 1, 0x5a)],
    ['too long a content', encode({ rawBytes: MAX_BOX_RAW_BYTES + 1 })],
    ['too long a payload', encode({ storedBytes: MAX_BOX_STORED_BYTES + 1 })],
    ['more padding than payload', encode({ padBytes: header.storedBytes + 1 })],
    ['nothing', new Uint8Array(0)],
  ])('is OBJECT_CORRUPT with %s', (_, bytes) => {
    expect(() => decodeBoxHeader(bytes, 0)).toThrow(
      expect.objectContaining({ code: 'OBJECT_CORRUPT', origin: 'repository', retryable: false }),
    )
  })

  it('is OBJECT_CORRUPT wherever it is cut', () => {
    const bytes = encode()
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeBoxHeader(bytes.subarray(0, length), 0)).toThrow(
        expect.objectContaining({ code: 'OBJECT_CORRUPT' }),
      )
    }
  })

  it.each([-1, HEADER_BYTES, 2 ** 40, 0.5, Number.NaN])('is OBJECT_CORRUPT at the place %d', (offset) => {
    expect(() => decodeBoxHeader(encode(), offset)).toThrow(expect.objectContaining({ code: 'OBJECT_CORRUPT' }))
  })

  it.each([
    ['of a newer version', patched(AT.version, 2)],
    ['sealed to a public key', patched(AT.wrapType, WRAP.publicKey)],
  ])('%s is unsupported, not corrupt', (_, bytes) => {
    expect(() => decodeBoxHeader(bytes, 0)).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNSUPPORTED', origin: 'repository' }),
    )
  })

  it('never throws anything but a BackupError', () => {
    const change = fc.tuple(fc.nat(HEADER_BYTES - 1), fc.nat(255))
    const damaged = fc.array(change, { maxLength: 6 }).map((changes) => {
      const bytes = encode()
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
    fc.assert(
      fc.property(
        fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })),
        fc.integer({ min: -5, max: 120 }),
        (bytes, offset) => {
          try {
            const { header: found, headerBytes } = decodeBoxHeader(bytes, offset)
            expect(found.rawBytes).toBeLessThanOrEqual(MAX_BOX_RAW_BYTES)
            expect(offset + headerBytes).toBeLessThanOrEqual(bytes.length)
          } catch (error) {
            expect(BackupError.is(error)).toBe(true)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
