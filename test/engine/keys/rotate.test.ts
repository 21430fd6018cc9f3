import { describe, expect, it } from 'vitest'
import type { BackupEngine } from '../../../src/index.ts'
import { parseConfig } from '../../../src/model/config.ts'
import {
  ANN,
  BEN,
  CARLA,
  codeOf,
  copyOf,
  epochsBelow,
  freshTarget,
  grow,
  keysBelow,
  type MemoryTarget,
  open,
  using,
} from './support.ts'

const ALL = ['packs/', 'index/', 'snapshots/']

async function two(): Promise<{ target: MemoryTarget; ann: BackupEngine; ben: BackupEngine }> {
  const target = freshTarget()
  const ann = await open(target, ANN)
  await ann.keys.add(BEN, { label: 'Ben' })
  return { target, ann, ben: await open(target, BEN) }
}

describe('a rotation', () => {
  it('is for new data, reaches every key, and leaves old data readable', async () => {
    const { target, ann } = await two()
    await ann.backup()
    expect(await ann.keys.rotate()).toMatchObject({ action: 'rotate', generation: 2, slots: [{}, {}] })
    grow(1)
    await ann.backup()
    for (const prefix of ALL) expect([...new Set(epochsBelow(target, prefix))].sort(), prefix).toEqual([1, 2])
    for (const key of [ANN, BEN]) {
      await using(target, key, async (engine) => {
        expect(await engine.snapshots().toArray()).toHaveLength(2)
        expect((await engine.verify({ level: 'data' })).findings).toEqual([])
        expect(await engine.keys.verify()).toEqual([])
      })
    }
    expect((await ann.keys.rotate()).generation).toBe(3)
    await using(target, BEN, async (ben) => expect((await ben.keys.rotate()).generation).toBe(4))
  })

  it('is met by engines that were open before: as readers, and as writers from their next run on', async () => {
    const { target, ann, ben } = await two()
    await ann.backup()
    expect(await ben.snapshots().toArray()).toHaveLength(1)
    await ann.keys.rotate()
    grow(2)
    const { snapshot } = await ann.backup()
    expect((await ben.snapshots().toArray())[0]!.id).toBe(snapshot.id)
    expect((await ben.entries({ snapshot: 'latest', recursive: true }).toArray()).length).toBeGreaterThan(2)
    expect((await ben.verify({ level: 'data' })).findings).toEqual([])
    await ann.keys.rotate()
    const before = keysBelow(target, 'snapshots/').length
    grow(3)
    await ben.backup()
    expect(epochsBelow(target, 'snapshots/').slice(before)).toEqual([3])
    expect((await ann.history.list().toArray()).length).toBeGreaterThan(4)
  })

  it('of two at once is two, one upon the other', async () => {
    const { target, ann, ben } = await two()
    const made = await Promise.all([ann.keys.rotate(), ben.keys.rotate()])
    expect(made.map(({ generation }) => generation).sort()).toEqual([2, 3])
    await using(target, ANN, async (engine) => expect(await engine.keys.verify()).toEqual([]))
  })

  it('shuts out whoever was removed before, even with all that they kept', async () => {
    const { target, ann, ben } = await two()
    await ann.backup()
    const stolen = await copyOf(target)
    const [, slot] = await ann.keys.list()
    await ann.keys.remove(slot!.id)
    // Until the rotation the keys in memory are the right ones.
    expect(await ben.snapshots().toArray()).toHaveLength(1)
    expect((await ben.keys.verify()).map(({ code }) => code)).toContain('KEY_TAKEN_AWAY')
    await ann.keys.rotate()
    grow(4)
    await ann.backup()
    expect(await codeOf(ben.snapshots().toArray())).toBe('KEY_WRONG')
    expect(await codeOf(ben.backup())).toBe('KEY_WRONG')
    expect(await codeOf(ben.keys.rotate())).toBe('KEY_WRONG')
    // They put their slot back: it opens nothing, the next rotation does not reach it, and a check tells of it.
    const key = `keys/${slot!.id}`
    await target.put(key, new Uint8Array(stolen.objects.get(key)!))
    expect(await codeOf(open(target, BEN))).toBe('KEY_WRONG')
    expect((await ann.keys.verify()).map(({ code, object }) => [code, object])).toContainEqual(['KEY_UNLISTED', key])
    await ann.keys.rotate()
    expect(keysBelow(target, 'keys/')).not.toContain(key)
    // They put back the configs, too: those who know better notice.
    for (const config of keysBelow(target, 'config/')) if (!stolen.objects.has(config)) await target.delete([config])
    expect(await codeOf(ann.backup())).toBe('CONFIG_TAMPERED')
  })

  it('cannot be forged: wrong key, damaged slot and tampered config are told apart', async () => {
    const { target, ann } = await two()
    await ann.keys.rotate()
    const tamper = async (change: (t: MemoryTarget) => unknown, key = BEN): Promise<string> => {
      const copy = await copyOf(target)
      await change(copy)
      return codeOf(open(copy, key))
    }
    const [, slot] = await ann.keys.list()
    expect(await tamper(() => {})).toBe('resolved')
    expect(await tamper(() => {}, CARLA)).toBe('KEY_WRONG')
    const flip = (t: MemoryTarget, key: string, at: number): void => {
      t.objects.get(key)![at]! ^= 1
    }
    expect(await tamper((t) => flip(t, `keys/${slot!.id}`, 250))).toBe('KEY_SLOT_CORRUPT')
    expect(await tamper((t) => t.delete(['config/00000003']))).toBe('resolved')
    expect(await tamper((t) => t.delete(['config/00000002']))).toBe('CONFIG_TAMPERED')
    const replace = (t: MemoryTarget, from: string, to: string): void => {
      const text = Buffer.from(t.objects.get('config/00000003')!).toString().replace(from, to)
      t.objects.set('config/00000003', new Uint8Array(Buffer.from(text)))
    }
    const { config } = parseConfig(target.objects.get('config/00000003')!)
    const sealed = config.rotation!.sealed[slot!.id]!
    expect(await tamper((t) => replace(t, sealed, `A${sealed.slice(1)}`.replace(/^AA/, 'AB')))).toBe('CONFIG_TAMPERED')
    expect(await tamper((t) => replace(t, '"epoch":2', '"epoch":3'))).toBe('CONFIG_TAMPERED')
    const { publicKey } = config.slots![slot!.id]!
    expect(await tamper((t) => replace(t, publicKey, `${'A'.repeat(43)}=`))).toBe('CONFIG_TAMPERED')
    target.objects.get(`keys/${slot!.id}`)![250]! ^= 1
    expect(await ann.keys.verify()).toMatchObject([
      { code: 'KEY_SLOT_CORRUPT', severity: 'error', object: `keys/${slot!.id}` },
    ])
    expect((await ann.verify()).sound).toBe(false)
  })
})

describe('old data', () => {
  it('is sealed anew when asked, and only once', async () => {
    const { target, ann, ben } = await two()
    await ann.backup()
    grow(5)
    await ann.backup()
    const { rekeyed, generation } = await ann.keys.rotate({ rekeyOldData: true })
    expect([generation, rekeyed?.state]).toEqual([2, 'done'])
    for (const prefix of ['packs/', 'index/']) expect([...new Set(epochsBelow(target, prefix))], prefix).toEqual([2])
    // Records of snapshots stay: their hashes are in those that follow.
    expect([...new Set(epochsBelow(target, 'snapshots/'))]).toEqual([1])
    expect((await ann.verify({ level: 'data' })).findings).toEqual([])
    expect((await ben.verify({ level: 'data' })).findings).toEqual([])
    const again = await ann.planPrune({ rekeyOldData: true })
    expect(again).toMatchObject({ rewrite: { packs: 0 }, request: { rekeyOldData: true } })
    grow(6)
    await ben.backup()
    expect((await ann.planPrune({ rekeyOldData: true })).rewrite.packs).toBe(0)
  })
})
