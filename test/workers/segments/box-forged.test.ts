import { describe, expect, it } from 'vitest'
import type { Keyring } from '../../../src/crypto/keyring.ts'
import { type BoxHeader, boxHeaderBytes, decodeBoxHeader, encodeBoxHeader, WRAP } from '../../../src/model/box.ts'
import type { Transform } from '../../../src/transforms/transform.ts'
import { bindingOf, checksum } from '../../../src/workers/segments/box-steps.ts'
import { parity } from '../../transforms/fixtures/brotli.ts'
import { content, corrupt, encrypted, keyrings, noise, opener, REPOSITORY, sealer, text } from './box-support.ts'

/** What somebody without the key can make who can read and write the bucket: any header, any payload, a true checksum. */
function forge(
  genuine: Uint8Array,
  change: Partial<BoxHeader>,
  body: Uint8Array,
  tail: 'checksum' | 'none',
): Uint8Array {
  const storedBytes = body.length + (tail === 'checksum' ? 32 : 0)
  const header = { ...decodeBoxHeader(genuine, 0).header, storedBytes, rawBytes: body.length, padBytes: 0, ...change }
  const box = new Uint8Array(boxHeaderBytes(header) + storedBytes)
  const start = encodeBoxHeader(header, box, 0)
  box.set(body, start)
  if (tail === 'checksum') {
    const aad = bindingOf(REPOSITORY)(undefined, box.subarray(0, start))
    box.set(checksum(aad, body), start + body.length)
  }
  return box
}

const genuine = (keyring: Keyring) => sealer(keyring, []).seal('content', text, { compress: false })
const open = (keyring: Keyring, box: Uint8Array, custom: Transform[] = []) =>
  opener(keyring, custom).open(box, 0, content())

describe('forged boxes', () => {
  it('are made as the real ones are', () => {
    const box = forge(genuine(keyrings.unencrypted), {}, noise, 'checksum')
    expect(new Uint8Array(open(keyrings.unencrypted, box).raw)).toEqual(noise)
  })

  it('do not pass for encrypted with the salt and commitment of a real one and nothing that authenticates', () => {
    const real = genuine(encrypted)
    const own: Transform = { ...parity(), id: 'x-as-is', encode: (s) => s, decode: (s) => s }
    expect(() => open(encrypted, forge(real, { transforms: ['x-as-is'] }, noise, 'none'), [own])).toThrow(
      corrupt('transforms'),
    )
    expect(() => open(encrypted, forge(real, { transforms: [] }, noise, 'none'))).toThrow(corrupt('transforms'))
    expect(() => open(encrypted, forge(real, {}, noise, 'none'))).toThrow(corrupt('authentication'))
  })

  it('do not pass for unencrypted where there is a key', () => {
    const box = forge(genuine(encrypted), { wrapType: WRAP.none, transforms: [] }, noise, 'checksum')
    expect(() => open(encrypted, box)).toThrow(corrupt('not encrypted'))
  })

  it('cannot name encryption where there is no key', () => {
    const box = forge(genuine(keyrings.unencrypted), { transforms: ['aes-256-gcm'] }, noise, 'checksum')
    expect(() => open(keyrings.unencrypted, box)).toThrow(corrupt('transforms'))
  })

  it('cannot make the reader unpack more than they announce', () => {
    const bomb = sealer(keyrings.unencrypted).seal('content', new Uint8Array(2 ** 24), { compress: true })
    const { header, headerBytes } = decodeBoxHeader(bomb, 0)
    const body = bomb.subarray(headerBytes, bomb.length - 32)
    const box = forge(bomb, { rawBytes: 1000, transforms: header.transforms }, body, 'checksum')
    expect(() => open(keyrings.unencrypted, box)).toThrow(corrupt('transform failed'))
  })

  it('cannot be shorter than their checksum', () => {
    const box = forge(genuine(keyrings.unencrypted), { rawBytes: 0 }, new Uint8Array(31), 'none')
    expect(() => open(keyrings.unencrypted, box)).toThrow(corrupt('stored length'))
  })
})
