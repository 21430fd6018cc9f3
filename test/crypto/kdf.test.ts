import { scryptSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hex } from '../../src/crypto/hash.ts'
import { checkKdfParameters, DEFAULT_KDF, derivePassphraseKey } from '../../src/crypto/kdf.ts'
import { seededBytes } from '../chunking/seeded.ts'

const CHEAP = { N: 2 ** 15, r: 8, p: 1 }
const salt = seededBytes(32, 1)

describe('derivePassphraseKey', () => {
  it('is scrypt', async () => {
    const expected = scryptSync('correct horse', salt, 32, { ...CHEAP, maxmem: 2 ** 26 }).toString('hex')
    expect(hex(await derivePassphraseKey('correct horse', salt, CHEAP))).toBe(expected)
  })
  it('does not care how the passphrase was typed', async () => {
    const composed = await derivePassphraseKey('caf\u00e9 \ufb01', salt, CHEAP)
    const decomposed = await derivePassphraseKey('cafe\u0301 fi', salt, CHEAP)
    expect(hex(composed)).toBe(hex(decomposed))
  })
  it('has room for the default cost', async () => {
    expect(DEFAULT_KDF).toEqual({ N: 131_072, r: 8, p: 1 })
    expect(await derivePassphraseKey('x', salt)).toHaveLength(32)
  })
  it('gives as many bytes as asked for', async () => {
    expect(await derivePassphraseKey('x', salt, CHEAP, 64)).toHaveLength(64)
  })
})

describe('checkKdfParameters', () => {
  it.each([
    { N: 2 ** 14, r: 8, p: 1 },
    { N: 2 ** 21, r: 8, p: 1 },
    { N: 2 ** 15 + 1, r: 8, p: 1 },
    { N: 2 ** 15, r: 0, p: 1 },
    { N: 2 ** 15, r: 33, p: 1 },
    { N: 2 ** 15, r: 8, p: 0 },
    { N: 2 ** 15, r: 8, p: 17 },
    { N: 2 ** 20, r: 9, p: 1 },
    { N: Number.NaN, r: 8, p: 1 },
    { N: 2 ** 15, r: 1.5, p: 1 },
  ])('refuses %o', (parameters) => {
    expect(() => checkKdfParameters(parameters)).toThrow(expect.objectContaining({ code: 'KEY_SLOT_CORRUPT' }))
  })
  it('takes 1 GiB at most', () => {
    checkKdfParameters({ N: 2 ** 20, r: 8, p: 1 })
    checkKdfParameters(CHEAP)
  })
})
