import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex } from '../../src/crypto/hash.ts'
import { type KeyClass, Keyring } from '../../src/crypto/keyring.ts'
import { decodeSecretBundle, encodeSecretBundle } from '../../src/crypto/secret-bundle.ts'
import { BackupError } from '../../src/errors.ts'
import { seededBytes } from '../chunking/seeded.ts'

const CLASSES: KeyClass[] = ['ids', 'chunking', 'index', 'control', 'content', 'snapshots']
const fixed = () =>
  Keyring.fromPlain({ encrypted: true, root: seededBytes(32, 1), epochs: [{ n: 1, secret: seededBytes(32, 2) }] })
const allKeys = (keyring: Keyring, epoch: number) => CLASSES.map((cls) => hex(keyring.classKey(cls, epoch)))

describe('Keyring', () => {
  it('derives the same keys for ever', () => {
    expect(allKeys(fixed(), 1)).toMatchInlineSnapshot(`
      [
        "2241eeb7263a1973bdc17efde2a75e887dcfd1427c1dc4ba2231574423683c19",
        "2f99e4f1000c0fe5f76b8e4117135226f495facd5c3d8e8cf5ad6616034d2596",
        "823349815022d90229da72dae7ab1037ec2666d98480ba18ca6c6a1547ca1c5e",
        "7b2fa3c1fce8cb609b89dc202f7b29e4ad2440c85f995a14a4853aa4f110ab83",
        "90f14ed10a8a850b429a4c5ad87266811f391f8f73ae4cdb47ec9bd30652829f",
        "591cacc78fa6101f6537834706afe2634a484b10afbaf6a49bf7ac4ea21e5629",
      ]
    `)
  })
  it('has a key of its own for every class', () => {
    expect(new Set(allKeys(Keyring.create(), 1)).size).toBe(CLASSES.length)
  })
  it('creates other secrets each time', () => {
    expect(hex(Keyring.create().idsKey)).not.toBe(hex(Keyring.create().idsKey))
  })
  it('keeps ids and cuts in a new epoch, and changes the rest', () => {
    const old = Keyring.create()
    const rotated = old.withNewEpoch()
    expect(rotated.newestEpoch).toBe(old.newestEpoch + 1)
    expect(allKeys(rotated, 1)).toEqual(allKeys(old, 1))
    expect(hex(rotated.idsKey)).toBe(hex(old.idsKey))
    expect(hex(rotated.chunkingKey)).toBe(hex(old.chunkingKey))
    for (const cls of CLASSES.slice(2)) {
      expect(hex(rotated.classKey(cls, 2))).not.toBe(hex(rotated.classKey(cls, 1)))
    }
  })
  it('does not know other epochs', () => {
    expect(() => Keyring.create().classKey('content', 2)).toThrow(expect.objectContaining({ code: 'OBJECT_CORRUPT' }))
  })
  it('survives the way to a worker and the way into a key slot', () => {
    const keyring = Keyring.create().withNewEpoch().withNewEpoch()
    const there = Keyring.fromPlain(structuredClone(keyring.toPlain()))
    const back = Keyring.decode(keyring.encode())
    for (const other of [there, back]) {
      expect(other.encrypted).toBe(true)
      expect(other.newestEpoch).toBe(3)
      for (const epoch of [1, 2, 3]) expect(allKeys(other, epoch)).toEqual(allKeys(keyring, epoch))
    }
  })
  it('keeps its secrets when its plain form is transferred or wiped', () => {
    const keyring = fixed()
    const plain = keyring.toPlain()
    plain.root.fill(0)
    plain.epochs[0]?.secret.fill(0)
    expect(allKeys(keyring, 1)).toEqual(allKeys(fixed(), 1))
  })
  it('keeps its secrets when the Buffer that they came in is wiped', () => {
    const encoded = Buffer.from(fixed().encode())
    const decoded = Keyring.decode(encoded)
    const root = Buffer.from(seededBytes(32, 1))
    const secret = Buffer.from(seededBytes(32, 2))
    const made = Keyring.fromPlain({ encrypted: true, root, epochs: [{ n: 1, secret }] })
    for (const buffer of [encoded, root, secret]) buffer.fill(0)
    for (const keyring of [decoded, made]) expect(allKeys(keyring, 1)).toEqual(allKeys(fixed(), 1))
    expect(decodeSecretBundle(Buffer.from(fixed().encode())).root).toEqual(seededBytes(32, 1))
  })
  it('never shows a secret', () => {
    const keyring = fixed()
    const shown = [
      String(keyring),
      JSON.stringify({ keyring }),
      inspect(keyring, { showHidden: true, depth: 9 }),
      inspect(keyring, { customInspect: false, showHidden: true, depth: 9 }),
      JSON.stringify({ ...keyring }),
    ]
    expect(shown[0]).toBe('Keyring(encrypted, epoch 1)')
    for (const text of shown) {
      for (const secret of [seededBytes(32, 1), seededBytes(32, 2), keyring.idsKey]) {
        expect(text).not.toContain(hex(secret.subarray(0, 4)))
        expect(text).not.toContain([...secret.subarray(0, 3)].join(','))
        expect(text).not.toContain([...secret.subarray(0, 3)].join(', '))
      }
    }
  })
})

describe('Keyring.none', () => {
  it('derives everything from the repository id', () => {
    const keyring = Keyring.none('r-1')
    expect(keyring.encrypted).toBe(false)
    expect(keyring.newestEpoch).toBe(0)
    expect(allKeys(keyring, 0)).toEqual(allKeys(Keyring.none('r-1'), 0))
    expect(hex(keyring.chunkingKey)).not.toBe(hex(Keyring.none('r-2').chunkingKey))
    expect(Keyring.fromPlain(keyring.toPlain()).encrypted).toBe(false)
    expect(String(keyring)).toBe('Keyring(none, epoch 0)')
  })
})

describe('secret bundle', () => {
  const bundle = { root: seededBytes(32, 1), epochs: [{ n: 1, secret: seededBytes(32, 2) }] }
  const changed = (at: number, value: number) => {
    const bytes = encodeSecretBundle(bundle)
    bytes[at] = value
    return bytes
  }

  it('comes back as it was', () => {
    const many = { ...bundle, epochs: [3, 7, 4_000_000_000].map((n) => ({ n, secret: seededBytes(32, n) })) }
    expect(decodeSecretBundle(encodeSecretBundle(many))).toEqual(many)
  })
  it.each([
    ['other magic', changed(0, 1)],
    ['no epochs', changed(37, 0)],
    ['more epochs than there are', changed(37, 2)],
    ['a byte more', new Uint8Array([...encodeSecretBundle(bundle), 0])],
    ['a byte less', encodeSecretBundle(bundle).subarray(0, -1)],
    ['nothing', new Uint8Array(0)],
    ['an epoch twice', encodeSecretBundle({ ...bundle, epochs: [...bundle.epochs, ...bundle.epochs] })],
  ])('is KEY_SLOT_CORRUPT with %s', (_, bytes) => {
    expect(() => decodeSecretBundle(bytes)).toThrow(expect.objectContaining({ code: 'KEY_SLOT_CORRUPT' }))
  })
  it('of a newer version is unsupported, not corrupt', () => {
    expect(() => decodeSecretBundle(changed(4, 2))).toThrow(expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }))
  })
  it('never throws anything but a BackupError', () => {
    const head = encodeSecretBundle(bundle).subarray(0, 5)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, real) => {
        try {
          decodeSecretBundle(real ? new Uint8Array([...head, ...bytes]) : bytes)
        } catch (error) {
          expect(BackupError.is(error)).toBe(true)
        }
      }),
    )
  })
})
