import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { sha256Hex } from '../../src/crypto/hash.ts'
import { Keyring } from '../../src/crypto/keyring.ts'
import { sealConfig } from '../../src/repository/config-chain.ts'
import { passphrase, rawKey } from '../../src/repository/key-slots-key.ts'
import { addKey } from '../../src/repository/keys/change-keys.ts'
import { memoryTarget } from '../../src/targets/memory.ts'
import { CHEAP_KDF, codeOf, codeThrown, copyOf, freshRepository, NOW, openIn } from './fixtures.ts'

const OTHER = passphrase('another')
const never = { create: 'never' } as const
const utf8 = (text: string) => new TextEncoder().encode(text)
const slotOf = (objects: ReadonlyMap<string, Uint8Array>) => [...objects.keys()].find((key) => key.startsWith('keys/'))!

describe('keys', () => {
  it('refuse an unset variable, and never print their secret', () => {
    expect(codeThrown(() => passphrase(undefined))).toBe('KEY_MISSING')
    expect(codeThrown(() => passphrase(''))).toBe('KEY_MISSING')
    expect(codeThrown(() => rawKey(undefined))).toBe('KEY_MISSING')
    const key = passphrase('very secret')
    expect(inspect(key, { showHidden: true, depth: 9 }) + JSON.stringify(key) + String(key)).not.toContain('secret')
  })

  it('take a raw key as bytes, hex or base64, and nothing else', async () => {
    const bytes = new Uint8Array(32).fill(7)
    const target = memoryTarget()
    await openIn(target, { key: rawKey(bytes) })
    for (const spelling of [Buffer.from(bytes).toString('hex'), Buffer.from(bytes).toString('base64')]) {
      expect(await codeOf(openIn(target, { key: rawKey(spelling), ...never }))).toBe('resolved')
    }
    expect(await codeOf(openIn(target, { key: rawKey(new Uint8Array(32)), ...never }))).toBe('KEY_WRONG')
    expect(await codeOf(openIn(target, never))).toBe('KEY_WRONG')
    expect(codeThrown(() => rawKey('short'))).toBe('INVALID_OPTIONS')
    expect(codeThrown(() => rawKey(new Uint8Array(31)))).toBe('INVALID_OPTIONS')
    expect(await codeOf(openIn(target, { key: { kind: 'passphrase' } }))).toBe('INVALID_OPTIONS')
  })
})

describe('opening', () => {
  it('creates in an empty place and opens the same afterwards', async () => {
    const made = await freshRepository()
    expect(made.created).toBe(true)
    expect([...made.objects.keys()].map((key) => key.split('/')[0]).sort()).toEqual(['config', 'keys'])
    const again = await openIn(made.target, never)
    expect(again.created).toBe(false)
    expect(again.repositoryId).toBe(made.repositoryId)
    expect(again.keyring.toPlain()).toEqual(made.keyring.toPlain())
    expect(again.config).toEqual(made.config)
  })

  it('keeps no secret in what it stores or shows', async () => {
    const { objects, keyring, target, ...rest } = await freshRepository()
    const { root } = keyring.toPlain()
    const stored = Buffer.concat([...objects.values()]).toString('latin1')
    expect(stored).not.toContain('correct horse')
    expect(stored).not.toContain(Buffer.from(root).toString('latin1'))
    expect(inspect({ keyring, rest }, { depth: 9, showHidden: true })).not.toContain('correct horse')
    expect(target.name).toBe('memory')
  })

  it('says what is there instead', async () => {
    expect(await codeOf(openIn(memoryTarget(), never))).toBe('REPOSITORY_NOT_FOUND')
    for (const key of ['notes.txt', 'keys/somebody', 'config', 'data/00/abc', 'config/other.json']) {
      const target = memoryTarget()
      await target.put(key, utf8('hello'))
      expect(await codeOf(openIn(target)), key).toBe('REPOSITORY_FOREIGN')
      expect(await codeOf(openIn(target, never)), key).toBe('REPOSITORY_FOREIGN')
      expect([...target.objects.keys()]).toEqual([key])
    }
  })

  it('tells a repository that lost its config or its slots from an empty place', async () => {
    const { objects, records } = await freshRepository()
    await records.target.put(`packs/aa/${'a'.repeat(64)}`, new Uint8Array(3))
    const noConfig = await copyOf(objects)
    await noConfig.delete(['config/00000001'])
    expect(await codeOf(openIn(noConfig))).toBe('OBJECT_MISSING')
    const noSlots = await copyOf(objects)
    await noSlots.delete([slotOf(objects)])
    expect(await codeOf(openIn(noSlots))).toBe('OBJECT_MISSING')
  })

  it('refuses a wrong passphrase, no key, and a key for what is not encrypted', async () => {
    const { target } = await freshRepository()
    expect(await codeOf(openIn(target, { key: OTHER }))).toBe('KEY_WRONG')
    expect(await codeOf(openIn(target, { key: 'none' }))).toBe('KEY_MISSING')
    const open = await freshRepository({ key: 'none' })
    expect(open.keyring.encrypted).toBe(false)
    expect([...open.objects.keys()]).toEqual(['config/00000001'])
    expect(await codeOf(openIn(open.target))).toBe('KEY_WRONG')
    expect(await codeOf(openIn(open.target, { key: 'none' }))).toBe('resolved')
  })

  it('stops on abort', async () => {
    const { target } = await freshRepository()
    expect(await codeOf(openIn(target, { signal: AbortSignal.abort() }))).toBe('ABORTED')
    const empty = memoryTarget()
    expect(await codeOf(openIn(empty, { signal: AbortSignal.abort() }))).toBe('ABORTED')
    expect(empty.objects.size).toBe(0)
  })
})

describe('damage', () => {
  it('notices a flip of any bit of the config', async () => {
    const { objects } = await freshRepository({ key: 'none' })
    const target = await copyOf(objects)
    const bytes = target.objects.get('config/00000001')!
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 2, 8, 32, 128]) {
        bytes[at]! ^= bit
        const code = await codeOf(openIn(target, { key: 'none', ...never }))
        // Which bits say "encrypted" or a version: another refusal, but one.
        expect(['CONFIG_TAMPERED', 'FORMAT_UNSUPPORTED', 'KEY_MISSING'], `${at}/${bit}`).toContain(code)
        bytes[at]! ^= bit
      }
    }
    expect(await codeOf(openIn(target, { key: 'none', ...never }))).toBe('resolved')
  })

  it('notices a flip in any byte of an encrypted repository’s config, and a slot', async () => {
    const key = rawKey(new Uint8Array(32).fill(9))
    const { objects } = await freshRepository({ key })
    const target = await copyOf(objects)
    const codes = new Set<string>()
    for (const name of target.objects.keys()) {
      const bytes = target.objects.get(name)!
      for (let at = 0; at < bytes.length; at++) {
        bytes[at]! ^= 1
        const code = await codeOf(openIn(target, { key, ...never }))
        expect(code, `${name} ${at}`).not.toBe('resolved')
        codes.add(code)
        bytes[at]! ^= 1
      }
      for (const cut of [0, 1, bytes.length >> 1, bytes.length - 1]) {
        const short = await copyOf(objects)
        await short.put(name, bytes.slice(0, cut))
        expect(await codeOf(openIn(short, { key, ...never }))).toMatch(/^(CONFIG_TAMPERED|KEY_SLOT_CORRUPT)$/)
      }
    }
    const expected = ['CONFIG_TAMPERED', 'FORMAT_UNSUPPORTED', 'KEY_SLOT_CORRUPT', 'OBJECT_MISSING']
    expect(expected).toEqual(expect.arrayContaining([...codes]))
  })

  it('opens by another slot when one is damaged, and otherwise names the damaged one', async () => {
    const made = await freshRepository()
    const damaged = slotOf(made.objects)
    const options = { now: NOW, signal: new AbortController().signal }
    await addKey(made.keys, { kind: 'passphrase', text: 'another', kdf: CHEAP_KDF }, 'b', options)
    made.objects.get(damaged)![200]! ^= 1
    expect(await codeOf(openIn(made.target, { key: OTHER }))).toBe('resolved')
    await expect(openIn(made.target)).rejects.toMatchObject({ code: 'KEY_SLOT_CORRUPT', details: { key: damaged } })
  })

  it('refuses costs out of bounds before it pays them', async () => {
    const made = await freshRepository()
    const key = slotOf(made.objects)
    const [head, header, wrapped] = Buffer.from(made.objects.get(key)!).toString().split('\n') as [
      string,
      string,
      string,
    ]
    for (const kdf of [{ N: 2 ** 30 }, { N: 2 ** 10 }, { N: 2 ** 20, r: 32 }, { N: 40_000 }, { p: 1000 }, { r: 0 }]) {
      const object = JSON.parse(header)
      const changed = `${head}\n${JSON.stringify({ ...object, kdf: { ...object.kdf, ...kdf } })}\n${wrapped}\n`
      await made.target.put(key, utf8(`${changed}${sha256Hex(utf8(changed))}\n`))
      expect(await codeOf(openIn(made.target)), JSON.stringify(kdf)).toBe('KEY_SLOT_CORRUPT')
    }
  })

  it('says unsupported of a newer config, slot, or required feature', async () => {
    const made = await freshRepository()
    const rewrite = async (key: string, from: string, to: string) => {
      const target = await copyOf(made.objects)
      await target.put(key, utf8(Buffer.from(made.objects.get(key)!).toString().replace(from, to)))
      return codeOf(openIn(target))
    }
    expect(await rewrite('config/00000001', 'config 1', 'config 2')).toBe('FORMAT_UNSUPPORTED')
    expect(await rewrite(slotOf(made.objects), 'key 1', 'key 2')).toBe('FORMAT_UNSUPPORTED')
    const changed = { ...made.config, requiredFeatures: { read: ['time-travel'], write: [], prune: [] } }
    await made.target.put('config/00000001', sealConfig(changed, 1, made.keyring))
    expect(await codeOf(openIn(made.target))).toBe('FORMAT_UNSUPPORTED')
  })
})

describe('the chain of configs', () => {
  async function withSecond() {
    const made = await freshRepository()
    const previousHash = sha256Hex(made.objects.get('config/00000001')!)
    const second = { ...made.config, requiredFeatures: { read: [], write: ['x'], prune: [] }, previousHash }
    await made.target.put('config/00000002', sealConfig(second, 2, made.keyring))
    return { ...made, second }
  }

  it('obeys the highest', async () => {
    const { target, second } = await withSecond()
    expect((await openIn(target)).config).toEqual(second)
  })

  it('notices what is missing, swapped, copied, or follows something else', async () => {
    const { target, objects, second, keyring } = await withSecond()
    const tamper = async (change: (copy: Awaited<ReturnType<typeof copyOf>>) => Promise<unknown>) => {
      const copy = await copyOf(objects)
      await change(copy)
      return codeOf(openIn(copy))
    }
    const bytes = (n: number) => new Uint8Array(objects.get(`config/0000000${n}`)!)
    expect(await tamper((t) => t.delete(['config/00000001']))).toBe('CONFIG_TAMPERED')
    expect(await tamper((t) => t.put('config/00000001', bytes(2)))).toBe('CONFIG_TAMPERED')
    expect(await tamper((t) => t.put('config/00000002', bytes(1)))).toBe('CONFIG_TAMPERED')
    expect(await tamper((t) => t.put('config/00000003', bytes(2)))).toBe('CONFIG_TAMPERED')
    const stray = { ...second, previousHash: 'f'.repeat(64) }
    expect(await tamper((t) => t.put('config/00000002', sealConfig(stray, 2, keyring)))).toBe('CONFIG_TAMPERED')
    const forged = sealConfig(second, 2, Keyring.create())
    expect(await tamper((t) => t.put('config/00000002', forged))).toBe('CONFIG_TAMPERED')
    expect(await codeOf(openIn(target))).toBe('resolved')
  })
})
