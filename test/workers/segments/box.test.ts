import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex } from '../../../src/crypto/hash.ts'
import { decodeBoxHeader } from '../../../src/model/box.ts'
import { gzip } from '../../../src/transforms/gzip.ts'
import { defineTransform, type Transform } from '../../../src/transforms/transform.ts'
import { zstd } from '../../../src/transforms/zstd.ts'
import type { SealOptions } from '../../../src/workers/segments/box.ts'
import { brotli, parity } from '../../transforms/fixtures/brotli.ts'
import { content, corrupt, idsOf, keyrings, noise, opener, SEALED, sealer, text } from './box-support.ts'

describe.each(Object.entries(keyrings))('box in an %s repository', (kind, keyring) => {
  const contents = { text, noise, nothing: new Uint8Array(0), 'one byte': new Uint8Array([7]) }

  it.each(Object.entries(contents))('gives back %s', (_, raw) => {
    for (const cls of SEALED) {
      for (const compress of [true, false]) {
        for (const bind of [undefined, '', 'snapshots/20261121t073423123-k3f9qhw2zt', 'é/\u{1f600}']) {
          const bound = bind === undefined ? {} : { bind }
          const box = sealer(keyring).seal(cls, raw, { compress, ...bound })
          const opened = opener(keyring).open(box, 0, { cls, maxRawBytes: raw.length, whole: true, ...bound })
          expect(new Uint8Array(opened.raw)).toEqual(raw)
          expect(opened.boxBytes).toBe(box.length)
        }
      }
    }
  })

  it('gives back any content through any chain', () => {
    const chains: Transform[][] = [
      [],
      [zstd()],
      [gzip({ level: 1 })],
      [brotli(null)],
      [parity()],
      [parity(), zstd(), gzip()],
    ]
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.nat(20_000).map((n) => new Uint8Array(n).fill(n)),
    )
    fc.assert(
      fc.property(any, fc.constantFrom(...chains), fc.boolean(), fc.nat(40), (raw, chain, compress, padBytes) => {
        const box = sealer(keyring, chain).seal('content', raw, { compress, padBytes })
        const { raw: found } = opener(keyring, [brotli(null), parity()]).open(box, 0, content({ whole: true }))
        expect(Buffer.compare(found, raw)).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('owns its buffer, and never repeats itself', () => {
    const seal = () => sealer(keyring).seal('content', text, { compress: true })
    const boxes = Array.from({ length: 20 }, seal)
    for (const box of boxes) expect(box.buffer.byteLength).toBe(box.length)
    expect(new Set(boxes.map(hex)).size).toBe(boxes.length)
    expect(new Set(boxes.map((box) => hex(decodeBoxHeader(box, 0).header.salt))).size).toBe(boxes.length)
  })

  it('compresses only where it pays', () => {
    const plain = kind === 'encrypted' ? ['aes-256-gcm'] : []
    const seal = (raw: Uint8Array, compress: boolean) => sealer(keyring).seal('content', raw, { compress })
    expect(idsOf(seal(text, true))).toEqual(['zstd', ...plain])
    expect(seal(text, true).length).toBeLessThan(text.length / 3)
    expect(idsOf(seal(text, false))).toEqual(plain)
    expect(idsOf(seal(noise, true))).toEqual(plain)
    expect(seal(noise, true).length).toBeLessThan(noise.length + 200)
    expect(sealer(keyring, []).seal('content', text, { compress: true }).length).toBeGreaterThan(text.length)
  })

  it('leaves out compression that saves less than 2 %', () => {
    const shrinks = (share: number) =>
      defineTransform({
        id: 'x-shrinks',
        kind: 'compress',
        encode: (s) => s.subarray(0, s.length * share),
        decode: (s) => s,
      })
    const ids = (share: number) => idsOf(sealer(keyring, [shrinks(share)]).seal('content', noise, { compress: true }))
    expect(ids(0.99)).not.toContain('x-shrinks')
    expect(ids(0.97)).toContain('x-shrinks')
  })

  it('is written into a pack where it fits', () => {
    const pack = new Uint8Array(1000).fill(0xee)
    const options: SealOptions = { compress: true }
    const first = sealer(keyring).sealInto(pack, 3, 'content', text, options)
    const second = sealer(keyring).sealInto(pack, 3 + first, 'index', noise.subarray(0, 50), options)
    expect(opener(keyring).open(pack, 3, content())).toMatchObject({ boxBytes: first })
    const found = opener(keyring).open(pack, 3 + first, { cls: 'index', maxRawBytes: 50 })
    expect(new Uint8Array(found.raw)).toEqual(noise.slice(0, 50))
    expect([...pack.subarray(0, 3), ...pack.subarray(3 + first + second)].every((byte) => byte === 0xee)).toBe(true)
  })

  it('fits to the last byte, else leaves the pack alone', () => {
    const length = sealer(keyring).seal('content', noise, { compress: false }).length
    const exact = new Uint8Array(length + 2)
    expect(sealer(keyring).sealInto(exact, 2, 'content', noise, { compress: false })).toBe(length)
    expect(new Uint8Array(opener(keyring).open(exact, 2, content({ whole: true })).raw)).toEqual(noise)
    const small = new Uint8Array(length + 1)
    expect(sealer(keyring).sealInto(small, 2, 'content', noise, { compress: false })).toBe(-1)
    expect(small.every((byte) => byte === 0)).toBe(true)
  })

  it('notices every single bit', () => {
    const raw = text.subarray(0, 200)
    const box = sealer(keyring).seal('content', raw, { compress: true, bind: 'k' })
    for (let bit = 0; bit < box.length * 8; bit++) {
      const damaged = box.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => opener(keyring).open(damaged, 0, content({ bind: 'k' })), `bit ${bit}`).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/^(OBJECT_CORRUPT|FORMAT_UNSUPPORTED|TRANSFORM_UNKNOWN)$/),
        }),
      )
    }
  })

  it('calls a damaged payload corrupt, and nothing else', () => {
    const box = sealer(keyring).seal('content', text, { compress: true })
    const { headerBytes } = decodeBoxHeader(box, 0)
    for (let at = headerBytes; at < box.length; at++) {
      const damaged = box.slice()
      damaged[at]! ^= 0x80
      expect(() => opener(keyring).open(damaged, 0, content())).toThrow(corrupt())
    }
  })

  it('is good for one repository, class and object key only', () => {
    const box = sealer(keyring).seal('content', text, { compress: true, bind: 'a' })
    const bare = sealer(keyring).seal('content', text, { compress: true })
    const open = opener(keyring)
    expect(() => open.open(box, 0, content({ cls: 'index', bind: 'a' }))).toThrow(corrupt('class'))
    expect(() => open.open(box, 0, content({ bind: 'b' }))).toThrow(corrupt())
    expect(() => open.open(box, 0, content())).toThrow(corrupt())
    expect(() => open.open(bare, 0, content({ bind: '' }))).toThrow(corrupt())
    expect(() => opener(keyring, [], 'r-other').open(box, 0, content({ bind: 'a' }))).toThrow(corrupt())
  })

  it('may not be cut, nor be longer than announced', () => {
    const box = sealer(keyring).seal('content', noise, { compress: false })
    for (const length of [0, 50, box.length - 33, box.length - 1]) {
      expect(() => opener(keyring).open(box.subarray(0, length), 0, content())).toThrow(corrupt())
    }
    const longer = new Uint8Array([...box, 0])
    expect(opener(keyring).open(longer, 0, content()).boxBytes).toBe(box.length)
    expect(() => opener(keyring).open(longer, 0, content({ whole: true }))).toThrow(corrupt('trailing bytes'))
  })

  it('may not hold more than the reader takes', () => {
    const box = sealer(keyring).seal('content', text, { compress: true })
    expect(() => opener(keyring).open(box, 0, content({ maxRawBytes: text.length - 1 }))).toThrow(corrupt('raw length'))
  })

  it('names a transform that is not known, once the rest is proved', () => {
    const box = sealer(keyring, [brotli(null)]).seal('content', text, { compress: true })
    expect(() => opener(keyring).open(box, 0, content())).toThrow(
      expect.objectContaining({ code: 'TRANSFORM_UNKNOWN' }),
    )
    box[box.length - 1]! ^= 1
    expect(() => opener(keyring).open(box, 0, content())).toThrow(corrupt())
  })

  it('is corrupt where a transform gives too much, too little, or fails', () => {
    const wrong = (decode: Transform['decode']) =>
      defineTransform({ id: 'x-wrong', kind: 'other', encode: (s) => s, decode })
    const box = sealer(keyring, [wrong((s) => s)]).seal('content', text, { compress: true })
    const open = (decode: Transform['decode']) => opener(keyring, [wrong(decode)]).open(box, 0, content())
    expect(open((s) => s).raw).toHaveLength(text.length)
    expect(() => open((s) => s.subarray(1))).toThrow(corrupt('raw length'))
    expect(() => open((s) => new Uint8Array(s.length + 1))).toThrow(corrupt('transform failed'))
    expect(() => open(() => 'text' as never)).toThrow(corrupt('transform failed'))
    expect(() =>
      open(() => {
        throw new Error('broken')
      }),
    ).toThrow(corrupt('transform failed'))
  })

  it('hides its length with padding', () => {
    const box = sealer(keyring).seal('content', text, { compress: true, padBytes: 999 })
    expect(box.length).toBe(sealer(keyring).seal('content', text, { compress: true }).length + 999)
    expect(decodeBoxHeader(box, 0).header.padBytes).toBe(999)
    expect(new Uint8Array(opener(keyring).open(box, 0, content()).raw)).toEqual(text)
  })

  it('fails to seal where a transform does', () => {
    const bad = (encode: Transform['encode']) =>
      sealer(keyring, [defineTransform({ id: 'x-bad', kind: 'other', encode, decode: (s) => s })])
    const failed = expect.objectContaining({ code: 'TRANSFORM_FAILED', origin: 'transform' })
    const seal = (encode: Transform['encode']) => bad(encode).seal('content', text, { compress: true })
    expect(() => seal(() => undefined as never)).toThrow(failed)
    expect(() => seal(() => new Uint8Array(10 * 2 ** 20))).toThrow(failed)
    expect(() =>
      seal(() => {
        throw new TypeError('broken')
      }),
    ).toThrow(failed)
  })

  it('refuses what is too large, and classes that seal nothing', () => {
    const large = new Uint8Array(2 ** 26 + 1)
    expect(() => sealer(keyring).seal('content', large, { compress: false })).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    )
    for (const cls of ['ids', 'chunking'] as const) {
      expect(() => sealer(keyring).seal(cls, text, { compress: false })).toThrow(
        expect.objectContaining({ code: 'INTERNAL' }),
      )
    }
  })

  it('refuses nine transforms', () => {
    const eight = Array.from({ length: 8 }, (_, i) => ({ ...parity(), id: `x-${i}` }))
    const seal = () => sealer(keyring, eight).seal('content', text, { compress: false })
    if (kind === 'unencrypted') expect(idsOf(seal())).toHaveLength(8)
    else expect(seal).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })

  it('never throws anything but a BackupError, and never hangs', () => {
    const box = sealer(keyring).seal('content', text, { compress: true })
    const change = fc.tuple(fc.nat(box.length - 1), fc.nat(255))
    const damaged = fc.array(change, { minLength: 1, maxLength: 5 }).map((changes) => {
      const bytes = box.slice()
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
    const garbage = fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array([...box.subarray(0, 20), ...bytes]))
    fc.assert(
      fc.property(fc.oneof(damaged, garbage, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        try {
          const { raw } = opener(keyring).open(bytes, 0, content({ maxRawBytes: 10_000 }))
          expect(Buffer.compare(raw, text)).toBe(0)
        } catch (error) {
          expect(error).toMatchObject({ name: 'BackupError' })
        }
      }),
      { numRuns: 500 },
    )
  })
})
