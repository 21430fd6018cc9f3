/** Who operates the target, or had a key once and kept everything: what they may try, and what comes of it. */
import { describe, expect, it } from 'vitest'
import { sealNextEpoch } from '../../../src/crypto/epoch-seal.ts'
import { Keyring } from '../../../src/crypto/keyring.ts'
import { RecipientKey } from '../../../src/crypto/recipient.ts'
import { type BackupEngine, wrapTarget } from '../../../src/index.ts'
import { type Config, parseConfig } from '../../../src/model/config.ts'
import { parseKeySlot } from '../../../src/model/key-slot.ts'
import { sealConfig } from '../../../src/repository/config-chain.ts'
import { unwrapSlot } from '../../../src/repository/key-slots.ts'
import { secretOf } from '../../../src/repository/key-slots-key.ts'
import { ANN, BEN, CARLA, codeOf, copyOf, freshTarget, grow, type MemoryTarget, open, using } from './support.ts'

const key = (n: number): string => `config/${String(n).padStart(8, '0')}`

async function slotOf(engine: BackupEngine, label: string): Promise<string> {
  return (await engine.keys.list()).find((slot) => slot.label === label)!.id
}

function configOf(target: MemoryTarget, n: number): Config {
  return parseConfig(target.objects.get(key(n))!).config
}

/** All that a holder can keep: the secrets of their time. */
async function kept(target: MemoryTarget, slot: string): Promise<Keyring> {
  const opened = await unwrapSlot(secretOf(BEN), parseKeySlot(target.objects.get(`keys/${slot}`)!), `keys/${slot}`)
  return opened!.keyring
}

async function putConfig(target: MemoryTarget, n: number, config: Config, keyring: Keyring): Promise<void> {
  const { sha256Hex } = await import('../../../src/crypto/hash.ts')
  const previousHash = n === 1 ? null : sha256Hex(target.objects.get(key(n - 1))!)
  await target.put(key(n), sealConfig({ ...config, previousHash }, n, keyring))
}

/** Ann, Ben and Carla; Ben goes, and a rotation follows. Before that: a copy, and what Ben has kept. */
async function scene(): Promise<{
  target: MemoryTarget
  before: MemoryTarget
  keyring: Keyring
  ben: string
  carla: string
}> {
  const target = freshTarget()
  return using(target, ANN, async (ann) => {
    await ann.keys.add(BEN, { label: 'Ben' })
    await ann.keys.add(CARLA, { label: 'Carla' })
    await ann.backup()
    const [ben, carla] = [await slotOf(ann, 'Ben'), await slotOf(ann, 'Carla')]
    const keyring = await kept(target, ben)
    const before = await copyOf(target)
    await ann.keys.remove(ben)
    await ann.keys.rotate()
    return { target, before, keyring, ben, carla }
  })
}

describe('a removed holder who kept everything', () => {
  it('cannot put a slot of theirs in the place of one that counts', async () => {
    const { target, before, ben, carla } = await scene()
    const benSlot = new Uint8Array(before.objects.get(`keys/${ben}`)!)
    await target.put(`keys/${carla}`, benSlot)
    expect(await codeOf(open(target, BEN)), 'after the rotation').toBe('KEY_SLOT_CORRUPT')
    expect(await codeOf(open(target, CARLA))).toBe('KEY_SLOT_CORRUPT')
    await using(target, ANN, async (ann) => {
      expect(await ann.keys.verify()).toContainEqual(
        expect.objectContaining({ code: 'KEY_SLOT_CORRUPT', object: `keys/${carla}` }),
      )
    })
    const early = await copyOf(before)
    await using(early, ANN, async (ann) => ann.keys.remove(ben))
    await early.put(`keys/${carla}`, benSlot)
    expect(await codeOf(open(early, BEN)), 'removed, not rotated').toBe('KEY_SLOT_CORRUPT')
  })

  it('cannot write a config after the rotation, nor one that takes an epoch back', async () => {
    const { target, keyring, ben, before } = await scene()
    const newest = configOf(target, 5)
    const { rotation: _, ...config } = newest
    const slots = { ...config.slots, [ben]: configOf(before, 3).slots![ben]! }
    const tries: Readonly<Record<string, [Config, Keyring]>> = {
      'own slot, under the old epoch': [{ ...config, epoch: 1, slots }, keyring],
      'own slot, saying the new epoch': [{ ...config, slots }, keyring.withNewEpoch()],
      'a rotation of their own': [
        { ...config, epoch: 3, slots, rotation: newest.rotation! },
        keyring.withNewEpoch().withNewEpoch(),
      ],
    }
    for (const [what, [forged, ring]] of Object.entries(tries)) {
      const copy = await copyOf(target)
      await putConfig(copy, 6, forged, ring)
      expect(await codeOf(open(copy, ANN)), what).toBe('CONFIG_TAMPERED')
      await using(target, ANN, async (ann) => expect((await ann.keys.verify()).length).toBe(0))
    }
  })

  it('with a target that plays along: only who knows of the rotation notices, or has a pin', async () => {
    const { target, before, keyring, carla } = await scene()
    const engine = await open(target, ANN)
    const pin = await engine.pin()
    // The config of the removal and that of the rotation go; in their place comes one that Ben can read.
    const forged = await copyOf(before)
    const { rotation: _, ...config } = configOf(forged, 3)
    const publicKeys = Object.entries(config.slots!).map(
      ([id, slot]) => [id, new Uint8Array(Buffer.from(slot.publicKey, 'base64'))] as const,
    )
    const next = sealNextEpoch(keyring, config.repositoryId, new Map(publicKeys))
    if ('badSlot' in next) throw new Error('these are sound')
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
    const rotation = {
      ephemeral: base64(next.sealed.ephemeral),
      sealed: Object.fromEntries([...next.sealed.sealed].map(([id, bytes]) => [id, base64(bytes)])),
    }
    await putConfig(forged, 4, { ...config, epoch: 2, rotation }, keyring.withNewEpoch(next.secret))
    // As docs/threat-model.md says: an old slot that starts afresh believes it.
    expect(await codeOf(open(forged, ANN))).toBe('resolved')
    expect(await codeOf(open(forged, ANN, { pin }))).toBe('ROLLED_BACK')
    await engine.keys.change(carla, CARLA)
    const after = await copyOf(target)
    for (const n of [4, 5, 6]) after.objects.delete(key(n))
    after.objects.set(key(4), forged.objects.get(key(4))!)
    expect(await codeOf(open(after, CARLA)), 'a slot that was made after the rotation').toBe('CONFIG_TAMPERED')
    await engine.close()
  })
})

describe('somebody who knows only public keys', () => {
  it('cannot begin an epoch, and nothing is agreed with a point of low order', async () => {
    const { target } = await scene()
    const config = configOf(target, 5)
    const slots = Object.entries(config.slots!)
    const stranger = Keyring.create()
    const publicKeys = new Map(slots.map(([id, s]) => [id, new Uint8Array(Buffer.from(s.publicKey, 'base64'))]))
    const next = sealNextEpoch(stranger, config.repositoryId, publicKeys)
    if ('badSlot' in next) throw new Error('these are sound')
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
    const rotation = {
      ephemeral: base64(next.sealed.ephemeral),
      sealed: Object.fromEntries([...next.sealed.sealed].map(([id, bytes]) => [id, base64(bytes)])),
    }
    await putConfig(target, 6, { ...config, epoch: 3, rotation }, stranger.withNewEpoch().withNewEpoch(next.secret))
    expect(await codeOf(open(target, ANN))).toBe('CONFIG_TAMPERED')
    const low = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
    ]
    const own = RecipientKey.random()
    for (const point of low) expect(own.agree(new Uint8Array(Buffer.from(point, 'hex'))), point).toBeUndefined()
    for (const length of [0, 31, 33, 64]) expect(own.agree(new Uint8Array(length).fill(9)), `${length}`).toBeUndefined()
    expect(own.agree(RecipientKey.random().publicKey)).toHaveLength(32)
  })
})

describe('a host', () => {
  it('does not build upon a config that was exchanged for another of its number', async () => {
    const target = freshTarget()
    const ann = await open(target, ANN)
    await ann.backup()
    const fork = await copyOf(target)
    await using(fork, ANN, async (other) => other.keys.add(BEN, { label: 'Ben' }))
    await ann.keys.add(CARLA, { label: 'Carla' })
    await target.put(key(2), new Uint8Array(fork.objects.get(key(2))!))
    expect(await codeOf(ann.keys.rotate())).toBe('CONFIG_TAMPERED')
    expect(target.objects.has(key(3))).toBe(false)
    await ann.close()
  })

  it('whose target lists late says so with a code', async () => {
    const target = freshTarget()
    await using(target, ANN, async (engine) => engine.backup())
    const late = wrapTarget(target, {
      async *list(prefix, call) {
        for await (const info of target.list(prefix, call)) if (!info.key.startsWith('config/')) yield info
      },
      close: async () => {},
    })
    expect(await codeOf(open(late, ANN))).toBe('OBJECT_MISSING')
  })

  it('goes on in an engine whose keys were changed and rotated by a second and a third, in any order', async () => {
    const target = freshTarget()
    const [one, two] = [await open(target, ANN), await open(target, ANN)]
    const own = await slotOf(one, 'first')
    await two.keys.add(BEN, { label: 'Ben' })
    const three = await open(target, BEN)
    await three.keys.rotate()
    grow(90)
    await one.backup()
    await three.keys.remove(own)
    await one.backup()
    await three.keys.rotate()
    expect(await codeOf(one.backup())).toBe('KEY_WRONG')
    expect(await codeOf(two.keys.list())).toBe('KEY_WRONG')
    expect(await three.snapshots().toArray()).toHaveLength(2)
    await Promise.all([one.close(), two.close(), three.close()])
  })
})
