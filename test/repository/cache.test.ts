import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BackupError } from '../../src/errors.ts'
import type { Warning } from '../../src/events.ts'
import { DiskCache } from '../../src/repository/cache/disk-cache.ts'
import { rangeThrough } from '../../src/repository/cache/object-cache.ts'
import { PagesAhead } from '../../src/repository/cache/pages-ahead.ts'

const HEX = 'ab'.repeat(32)
const FRAGMENT = `index/${HEX}`
const PACK = `packs/ab/${HEX}`

let folder: string
let warnings: Warning[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cache-test-'))
  warnings = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text))
const cacheIn = (directory = join(folder, 'cache'), maxBytes = 1_000_000): DiskCache =>
  new DiskCache({ directory, maxBytes, onWarning: (warning) => warnings.push(warning) })
const filesBelow = (place = folder): string[] =>
  readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(place, name)).isFile())

describe('the local cache', () => {
  it('gives back what was put, to others too, and owns its buffer', async () => {
    await cacheIn().put({ key: FRAGMENT, bytes: 5 }, bytesOf('hello'))
    const given = await cacheIn().get({ key: FRAGMENT, bytes: 5 })
    expect(given).toEqual(bytesOf('hello'))
    expect(given!.byteOffset + given!.buffer.byteLength).toBe(5)
    expect(await cacheIn().get({ key: `index/${'cd'.repeat(32)}`, bytes: 5 })).toBeUndefined()
  })

  it('is for this user alone', async () => {
    await cacheIn().put({ key: FRAGMENT, bytes: 5 }, bytesOf('hello'))
    const modes = ['cache', 'cache/index', `cache/${FRAGMENT}`].map((name) => statSync(join(folder, name)).mode & 0o777)
    expect(modes).toEqual([0o700, 0o700, 0o600])
  })

  it('keeps ranges of one pack apart, and takes keys of a repository only', async () => {
    const cache = cacheIn()
    await cache.put({ key: PACK, start: 0, bytes: 2 }, bytesOf('ab'))
    await cache.put({ key: PACK, start: 2, bytes: 2 }, bytesOf('cd'))
    expect(await cache.get({ key: PACK, start: 2, bytes: 2 })).toEqual(bytesOf('cd'))
    expect(await cache.get({ key: PACK, start: 0, bytes: 2 })).toEqual(bytesOf('ab'))
    const strange = ['../../outside', 'index/../../outside', 'snapshots/..', 'keys/00', 'config/00000001', 'runs/a', '']
    for (const key of strange) {
      await cache.put({ key, bytes: 1 }, bytesOf('x'))
      expect(await cache.get({ key, bytes: 1 }), key).toBeUndefined()
    }
    expect(filesBelow()).toHaveLength(2)
  })

  it('drops a file of another length', async () => {
    const cache = cacheIn()
    await cache.put({ key: FRAGMENT, bytes: 5 }, bytesOf('hello'))
    expect(await cache.get({ key: FRAGMENT, bytes: 4 })).toBeUndefined()
    expect(filesBelow()).toEqual([])
  })

  it('may be deleted at any time, and goes on', async () => {
    const cache = cacheIn()
    for (let n = 0; n < 3; n++) {
      await cache.put({ key: FRAGMENT, bytes: 5 }, bytesOf('hello'))
      expect(await cache.get({ key: FRAGMENT, bytes: 5 })).toBeDefined()
      rmSync(join(folder, 'cache'), { recursive: true })
      expect(await cache.get({ key: FRAGMENT, bytes: 5 })).toBeUndefined()
    }
    expect(warnings).toEqual([])
  })

  it('can be written by many at once: each reader gets one whole version', async () => {
    const caches = Array.from({ length: 8 }, () => cacheIn(undefined, 4_000_000))
    const versions = caches.map((_, n) => new Uint8Array(300_000).fill(n))
    const item = { key: FRAGMENT, bytes: 300_000 }
    await caches[0]!.put({ ...item, bytes: versions[0]!.length }, versions[0]!)
    const readers = caches.map((cache) => cache.get(item))
    await Promise.all(caches.map((cache, n) => cache.put(item, versions[n]!)))
    for (const given of [...(await Promise.all(readers)), await caches[0]!.get(item)]) {
      expect(new Set(given).size).toBe(1)
    }
    expect(filesBelow()).toHaveLength(1)
    expect(warnings).toEqual([])
  })

  it('stays near its size: what was not used for longest goes, and what a dead process left', async () => {
    const cache = cacheIn(undefined, 10_000)
    const item = (n: number) => ({ key: PACK, start: n, bytes: 1000 })
    for (let n = 0; n < 10; n++) {
      await cache.put(item(n), new Uint8Array(1000))
      const day = new Date(Date.now() - (20 - n) * 86_400_000)
      utimesSync(join(folder, 'cache/packs', `${HEX}.${n}.1000`), day, day)
    }
    const leftOver = join(folder, 'cache/packs/x.tmp')
    writeFileSync(leftOver, 'left')
    utimesSync(leftOver, new Date(0), new Date(0))
    await cache.get(item(0))
    await cache.settled()
    await cache.put(item(10), new Uint8Array(1000))
    await cache.settled()
    const left = []
    for (let n = 0; n <= 10; n++) if (await cache.get(item(n))) left.push(n)
    expect(left).toEqual([0, 4, 5, 6, 7, 8, 9, 10])
    expect(filesBelow()).toHaveLength(8)
  })

  it('refuses one file that would drive out the rest', async () => {
    const cache = cacheIn(undefined, 1000)
    await cache.put({ key: FRAGMENT, bytes: 500 }, new Uint8Array(500))
    expect(filesBelow()).toEqual([])
  })
})

describe('a cache that cannot be used', () => {
  async function expectOff(cache: DiskCache): Promise<void> {
    for (let n = 0; n < 3; n++) {
      await cache.put({ key: FRAGMENT, bytes: 5 }, bytesOf('hello'))
      expect(await cache.get({ key: FRAGMENT, bytes: 5 })).toBeUndefined()
    }
    expect(cache.isOn).toBe(false)
    expect(warnings.map(({ code }) => code)).toEqual(['CACHE_UNAVAILABLE'])
  }

  it('is off, with one warning: no folder can be made', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expectOff(cacheIn(join(folder, 'file', 'cache')))
  })

  it('is off: nothing can be written any more', async () => {
    mkdirSync(join(folder, 'cache'), { mode: 0o700 })
    writeFileSync(join(folder, 'cache/index'), '')
    await expectOff(cacheIn())
  })

  it('is off: others may write to the folder, or it is a link', async () => {
    mkdirSync(join(folder, 'open'))
    chmodSync(join(folder, 'open'), 0o777)
    await expectOff(cacheIn(join(folder, 'open')))
    warnings = []
    mkdirSync(join(folder, 'elsewhere'), { mode: 0o700 })
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'link'))
    await expectOff(cacheIn(join(folder, 'link')))
    expect(readdirSync(join(folder, 'elsewhere'))).toEqual([])
  })
})

describe('a range of a pack', () => {
  const request = { pack: HEX, start: 10, end: 15 }

  it('is fetched once where it is metadata, and always where it is content', async () => {
    const cache = cacheIn()
    let fetched = 0
    const fetch = async () => {
      fetched++
      return bytesOf('hello')
    }
    for (let n = 0; n < 3; n++) await rangeThrough(cache, request, fetch)
    expect(fetched).toBe(3)
    for (let n = 0; n < 3; n++) {
      expect(await rangeThrough(cache, { ...request, metadata: true }, fetch)).toEqual(bytesOf('hello'))
    }
    expect(fetched).toBe(4)
    await rangeThrough(cache, { ...request, metadata: true, again: true }, fetch)
    expect(fetched).toBe(5)
    expect(filesBelow()).toEqual([])
  })

  it('of pages brings along what lies behind it, for all who ask meanwhile', async () => {
    const cache = cacheIn()
    const pack = bytesOf('0123456789ABCDEFGHIJ')
    const segments = [0, 5, 10, 15].map((offset) => ({ offset, storedBytes: 5 }))
    const asked: string[] = []
    let isCut = false
    const fetch = async ({ start, end }: { start: number; end: number }) => {
      asked.push(`${start}-${end}`)
      if (isCut && end > 15) throw new BackupError('OBJECT_CORRUPT', 'cut', { origin: 'repository' })
      return pack.slice(start, end)
    }
    const ahead = new PagesAhead(cache, (name) => (name === HEX ? segments : undefined))
    const page = (start: number) => ({ pack: HEX, start, end: start + 5, metadata: true })
    const read = async (start: number, more: object = {}) => {
      return Buffer.from(await rangeThrough(cache, { ...page(start), ...more }, fetch, ahead)).toString()
    }
    const both = await Promise.all([ahead.read(page(5), fetch), ahead.read(page(15), fetch)])
    expect(both.map(String)).toEqual([bytesOf('56789'), bytesOf('FGHIJ')].map(String))
    expect(await read(10)).toBe('ABCDE')
    expect(asked.splice(0)).toEqual(['5-20'])
    expect(await read(10, { again: true })).toBe('ABCDE')
    expect(asked.splice(0), 'what was no good comes alone').toEqual(['10-15'])
    isCut = true
    expect(await read(0)).toBe('01234')
    expect(asked.splice(0), 'damage further on is not that of the first').toEqual(['0-20', '0-5'])
    expect(await read(0, { pack: HEX.replace('a', 'b') })).toBe('01234')
    expect(asked, 'contents').toEqual(['0-5'])
  })
})
