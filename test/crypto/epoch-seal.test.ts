import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openEpoch, sealNextEpoch } from '../../src/crypto/epoch-seal.ts'
import { hex } from '../../src/crypto/hash.ts'
import { Keyring } from '../../src/crypto/keyring.ts'
import { RecipientKey } from '../../src/crypto/recipient.ts'

const REPOSITORY = '00112233445566778899aabbccddeeff'
const context = { repositoryId: REPOSITORY, epoch: 2 }
const [ann, ben] = [RecipientKey.random(), RecipientKey.random()]

function sealed(keyring: Keyring) {
  const slots = new Map([
    ['ann', ann.publicKey],
    ['ben', ben.publicKey],
  ])
  const made = sealNextEpoch(keyring, REPOSITORY, slots)
  if ('badSlot' in made) throw new Error(made.badSlot)
  const of = (slot: string) => ({ ephemeral: made.sealed.ephemeral, sealed: made.sealed.sealed.get(slot)! })
  return { secret: made.secret, of }
}

describe('X25519', () => {
  it('agrees as RFC 7748 says', () => {
    const of = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
    const bob = RecipientKey.from(of('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'))
    expect(hex(bob.publicKey)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    const shared = bob.agree(of('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'))
    expect(hex(shared!)).toBe('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
  })

  it('refuses keys of low order, and shows nothing', () => {
    expect(ann.agree(new Uint8Array(32))).toBeUndefined()
    expect(inspect(ann)).toBe('RecipientKey')
    expect(JSON.stringify({ ann })).toBe('{"ann":"RecipientKey"}')
  })
})

describe('the secret of a new epoch', () => {
  it('opens for each slot, and for no other', () => {
    const keyring = Keyring.create()
    const { secret, of } = sealed(keyring)
    expect(openEpoch(keyring, { slot: 'ann', recipient: ann }, of('ann'), context)).toEqual(secret)
    expect(openEpoch(keyring, { slot: 'ben', recipient: ben }, of('ben'), context)).toEqual(secret)
    expect(openEpoch(keyring, { slot: 'ben', recipient: ben }, of('ann'), context)).toBeUndefined()
    const stranger = { slot: 'ann', recipient: RecipientKey.random() }
    expect(openEpoch(keyring, stranger, of('ann'), context)).toBeUndefined()
  })

  it('is believed only from a holder of the epoch before, for this repository, slot and number', () => {
    const keyring = Keyring.create()
    const own = { slot: 'ann', recipient: ann }
    const { of } = sealed(keyring)
    expect(openEpoch(keyring, own, sealed(Keyring.create()).of('ann'), context)).toBeUndefined()
    expect(openEpoch(keyring, { ...own, slot: 'other' }, of('ann'), context)).toBeUndefined()
    expect(openEpoch(keyring, own, of('ann'), { ...context, repositoryId: 'f'.repeat(32) })).toBeUndefined()
    const later = keyring.withNewEpoch()
    expect(openEpoch(later, own, of('ann'), { ...context, epoch: 3 })).toBeUndefined()
  })

  it('is adopted by a keyring that others hold', () => {
    const keyring = Keyring.create()
    const next = keyring.withNewEpoch()
    keyring.adopt(next)
    expect(keyring.newestEpoch).toBe(2)
    expect(hex(keyring.classKey('content', 2))).toBe(hex(next.classKey('content', 2)))
    expect(keyring.has(3)).toBe(false)
  })
})
