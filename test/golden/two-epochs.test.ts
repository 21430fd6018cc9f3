/** Gets the keys of a rotated repository with nothing but docs/format.md: nothing of src is imported. */
import { createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = new URL('repositories/two-epochs/', import.meta.url).pathname
const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const base64 = (text: string): Buffer => Buffer.from(text, 'base64')
const get = (key: string): Buffer => readFileSync(join(ROOT, key))
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function hkdf(secret: Buffer, info: string, length: number, salt: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length))
}

function open(key: Buffer, aad: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(aad).setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}

function agree(secret: Buffer, other: Buffer): { publicKey: Buffer; shared: Buffer } {
  const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), secret])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), other])
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const own = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(12)
  return { publicKey: own, shared: diffieHellman({ privateKey, publicKey }) }
}

interface Config {
  repositoryId: string
  epoch: number
  previousHash: string | null
  slots: Record<string, { publicKey: string; hash: string }>
  rotation?: { ephemeral: string; sealed: Record<string, string> }
}

function configs(): { name: string; text: string; config: Config; mac: string }[] {
  return readdirSync(join(ROOT, 'config')).sort().map((name) => {
    const text = get(`config/${name}`).toString()
    const [first, second, mac] = text.split('\n') as [string, string, string]
    expect(first).toBe('holdfast config 1')
    return { name, text, config: JSON.parse(second) as Config, mac }
  })
}

function macOf(name: string, text: string, secret: Buffer): string {
  const hmac = createHmac('sha256', hkdf(secret, 'holdfast/1/control', 32))
  for (const part of ['holdfast/1/config', `config/${name}`, text.split('\n').slice(0, 2).join('\n').concat('\n')]) {
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(part)))
    hmac.update(length).update(part)
  }
  return hmac.digest('hex')
}

/** The slot that the raw key opens: of each the key is tried, as a commitment says whether it fits. */
function openSlot(): { slot: string; secret: Buffer; bundle: Buffer } {
  for (const slot of readdirSync(join(ROOT, 'keys'))) {
    const [first, second, wrapped] = get(`keys/${slot}`).toString().split('\n') as [string, string, string]
    const { kdf } = JSON.parse(second) as { kdf: { salt: string } }
    const derived = hkdf(KEY, 'holdfast/1/key-slot', 96, base64(kdf.salt))
    const bytes = base64(wrapped)
    if (!bytes.subarray(0, 32).equals(derived.subarray(32, 64))) continue
    const bundle = open(derived.subarray(0, 32), Buffer.from(`${first}\n${second}\n`), bytes.subarray(32))
    return { slot, secret: derived.subarray(64), bundle }
  }
  throw new Error('no slot opens')
}

it('a reader made from docs/format.md follows a rotation', () => {
  const { slot, secret, bundle } = openSlot()
  expect(bundle.subarray(0, 5).toString('latin1')).toBe('HFKB\x01')
  expect([bundle.readUInt16LE(37), bundle.readUInt32LE(39)]).toEqual([1, 1])
  const secrets = new Map([[1, bundle.subarray(43, 75)]])
  let previous: string | null = null
  for (const { name, text, config, mac } of configs()) {
    const { repositoryId, epoch, rotation, slots } = config
    expect(config.previousHash).toBe(previous)
    previous = sha256(Buffer.from(text))
    if (rotation) {
      const ephemeral = base64(rotation.ephemeral)
      const { publicKey, shared } = agree(secret, ephemeral)
      expect(publicKey.toString('base64')).toBe(slots[slot]!.publicKey)
      const before = hkdf(secrets.get(epoch - 1)!, 'holdfast/1/next-epoch', 32)
      const salt = Buffer.concat([ephemeral, publicKey])
      const key = hkdf(Buffer.concat([shared, before]), 'holdfast/1/epoch-seal', 32, salt)
      const aad = Buffer.from(['holdfast/1/epoch-seal', repositoryId, slot, epoch].join('\n'))
      secrets.set(epoch, open(key, aad, base64(rotation.sealed[slot]!)))
    }
    expect(macOf(name, text, secrets.get(epoch)!), name).toBe(mac)
  }
  expect([...secrets.keys()]).toEqual([1, 2])
  const { slots } = configs().at(-1)!.config
  for (const [id, { hash }] of Object.entries(slots)) expect(sha256(get(`keys/${id}`))).toBe(hash)
  expect(Object.keys(slots).sort()).toEqual(readdirSync(join(ROOT, 'keys')).sort())
})
