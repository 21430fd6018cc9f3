import { describe, expect, it } from 'vitest'
import { Keyring } from '../../../src/crypto/keyring.ts'
import { decodeBoxHeader } from '../../../src/model/box.ts'
import { aes256gcm } from '../../../src/transforms/aes256gcm.ts'
import { defineTransform, type Transform } from '../../../src/transforms/transform.ts'
import { zstd } from '../../../src/transforms/zstd.ts'
import { content, corrupt, encrypted, idsOf, keyrings, noise, opener, sealer, text } from './box-support.ts'

/** A stream cipher with a checksum, standing for an AEAD that somebody brings along. */
function ownCipher(added = 2): Transform {
  const mix = (bytes: Uint8Array, key: Uint8Array) => bytes.map((byte, i) => byte ^ (key[i % 32] as number))
  const sum = (bytes: Uint8Array, aad: Uint8Array) =>
    [...bytes, ...aad].reduce((a, b, i) => (a + b * (i + 1)) & 0xffff, 0)
  return defineTransform({
    id: 'x-cipher',
    kind: 'encrypt',
    encode: (segment, { key, aad }) => {
      const check = sum(segment, aad ?? segment)
      return new Uint8Array([...mix(segment, key as Uint8Array), check & 255, check >> 8, ...new Uint8Array(added - 2)])
    },
    decode: (segment, { key, aad }) => {
      const raw = mix(segment.subarray(0, segment.length - added), key as Uint8Array)
      const check = sum(raw, aad ?? raw)
      if (segment.at(-added) !== (check & 255) || segment.at(1 - added) !== check >> 8) throw new Error('forged')
      return raw
    },
  })
}

describe('box and keys', () => {
  it('hides the content', () => {
    const box = sealer(encrypted, []).seal('content', text, { compress: false })
    expect(Buffer.from(box).includes('quick brown')).toBe(false)
    expect(
      Buffer.from(sealer(keyrings.unencrypted, []).seal('content', text, { compress: false })).includes('quick'),
    ).toBe(true)
  })

  it('means the same with aes256gcm() named or not', () => {
    for (const chain of [[zstd()], [zstd(), aes256gcm()], [aes256gcm(), zstd()]]) {
      expect(idsOf(sealer(encrypted, chain).seal('content', text, { compress: true }))).toEqual(['zstd', 'aes-256-gcm'])
    }
  })

  it('does not encrypt without a key, nor pretend to', () => {
    expect(() => sealer(keyrings.unencrypted, [aes256gcm()])).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    )
  })

  it('with a key does not believe in an unencrypted box, nor the other way round', () => {
    const options = { compress: true }
    const open = sealer(keyrings.unencrypted).seal('content', text, options)
    expect(() => opener(encrypted).open(open, 0, content())).toThrow(corrupt('not encrypted'))
    const closed = sealer(encrypted).seal('content', text, options)
    expect(() => opener(keyrings.unencrypted).open(closed, 0, content())).toThrow(corrupt('encrypted'))
  })

  it('does not open under another key, and the commitment says so first', () => {
    const box = sealer(encrypted).seal('content', text, { compress: true })
    expect(() => opener(Keyring.create()).open(box, 0, content())).toThrow(corrupt('key commitment'))
  })

  it('opens every epoch it has, and seals under the newest', () => {
    const newer = encrypted.withNewEpoch()
    const old = sealer(encrypted).seal('content', text, { compress: true })
    const recent = sealer(newer).seal('content', text, { compress: true })
    expect([old, recent].map((box) => decodeBoxHeader(box, 0).header.epoch)).toEqual([1, 2])
    for (const box of [old, recent]) expect(new Uint8Array(opener(newer).open(box, 0, content()).raw)).toEqual(text)
    expect(() => opener(encrypted).open(recent, 0, content())).toThrow(corrupt('epoch'))
  })

  it('takes a cipher of your own, bound to the whole header', () => {
    const box = sealer(encrypted, [ownCipher(), zstd()]).seal('content', text, { compress: true })
    expect(idsOf(box)).toEqual(['zstd', 'x-cipher'])
    expect(new Uint8Array(opener(encrypted, [ownCipher()]).open(box, 0, content()).raw)).toEqual(text)
    expect(() => opener(encrypted).open(box, 0, content())).toThrow(
      expect.objectContaining({ code: 'TRANSFORM_UNKNOWN' }),
    )
    expect(() => opener(encrypted, [ownCipher()]).open(box, 0, content({ bind: 'x' }))).toThrow(
      corrupt('authentication'),
    )
  })

  it('is corrupt where its padding is not zeros, or longer than the content', () => {
    const crooked: Transform = {
      ...ownCipher(),
      encode(segment, context) {
        const changed = segment.slice()
        if (segment.length > 1000) changed[changed.length - 1] = 1
        return ownCipher().encode(changed, context)
      },
    }
    const box = sealer(encrypted, [crooked]).seal('content', text, { compress: false, padBytes: 4 })
    expect(() => opener(encrypted, [ownCipher()]).open(box, 0, content())).toThrow(corrupt('pad'))
    const empty: Transform = { ...ownCipher(), decode: () => new Uint8Array(3) }
    const honest = sealer(encrypted, [ownCipher()]).seal('content', text, { compress: false, padBytes: 4 })
    expect(() => opener(encrypted, [empty]).open(honest, 0, content())).toThrow(corrupt('pad length'))
  })

  it('refuses a cipher whose overhead varies', () => {
    const varies: Transform = { ...ownCipher(), encode: (s) => new Uint8Array(s.length + (s.length % 7)) }
    expect(() => sealer(encrypted, [varies])).toThrow(expect.objectContaining({ code: 'PLUGIN_INCOMPATIBLE' }))
    const later: Transform = { ...ownCipher(), encode: (s) => new Uint8Array(s.length + (s.length > 1000 ? 1 : 0)) }
    expect(() => sealer(encrypted, [later]).seal('content', noise, { compress: false })).toThrow(
      expect.objectContaining({ code: 'TRANSFORM_FAILED' }),
    )
  })
})

describe('golden boxes', () => {
  const hello = new TextEncoder().encode('hello, hello, hello, hello, hello, hello, hello')
  const golden = {
    encrypted:
      '4846425801000000010000000402047a7374640b6165732d3235362d67636df2c913f3deeab90bf6c6e248d4b641a6c41227' +
      '54fba782f3da7ebe04a6becd0ed3a6ffba30e104960c1094ec5b872930400118f019d3994fe0207008cf2cc9502f00000026' +
      '000000000000009e1c8918948aa182014568666c4cdb451df03a7d92060576f0588933fe52b2e35640592389dd',
    unencrypted:
      '4846425801020000000000000401047a7374643b02c0b0a708652513791e9064619ce2c3a28c109c73f6764b7b6271157da5' +
      '1600000000000000000000000000000000000000000000000000000000000000002f000000360000000000000028b52ffd20' +
      '2f6d00003868656c6c6f2c200100551623948f066f676524e851290f20591287bdaf067a21f12eb61c4d4057fc80882e32',
  }

  it.each(Object.entries(golden))('%s opens for ever', (name, digits) => {
    const keyring = keyrings[name as keyof typeof keyrings]
    const box = new Uint8Array(Buffer.from(digits, 'hex'))
    const { raw } = opener(keyring).open(box, 0, content({ bind: 'golden/1', whole: true }))
    expect(new Uint8Array(raw)).toEqual(hello)
  })
})
