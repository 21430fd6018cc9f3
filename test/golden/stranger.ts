/**
 * A reader written from docs/format.md alone, for the repository that is not encrypted: nothing of src is imported. Where
 * it fails and the engine does not, the document is wrong.
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { expect } from 'vitest'

export const ROOT = new URL('repositories/zstd/', import.meta.url).pathname
export const CLASSES = { index: 2, content: 4, snapshots: 5 }

export const get = (key: string): Buffer => readFileSync(join(ROOT, key))
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** HKDF-SHA-256 without salt, 32 bytes. */
export function derive(secret: string | Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', info, 32))
}

/** Numbers little-endian, varints, text as latin1. */
export class Cursor {
  readonly bytes: Buffer
  at: number
  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }
  uint(count: 1 | 2 | 4): number {
    const value = this.bytes.readUIntLE(this.at, count)
    this.at += count
    return value
  }
  varint(): number {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = this.uint(1)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  take(count: number): Buffer {
    if (this.at + count > this.bytes.length) throw new Error('cut short')
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }
  text(): string {
    return this.take(this.varint()).toString('latin1')
  }
}

export const [LINE_1, LINE_2, MAC] = get('config/00000001').toString().split('\n') as [string, string, string]
export const config = JSON.parse(LINE_2) as {
  repositoryId: string
  encrypted: boolean
  epoch: number
  idAlgorithm: string
}
const root = derive(config.repositoryId, 'holdfast/1/public-root')
export const epochSecret = derive(config.repositoryId, 'holdfast/1/public-epoch')
const idsKey = derive(root, 'holdfast/1/ids')

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** Section "Sealing". */
export function openBox(bytes: Buffer, cls: number, objectKey?: string): Buffer {
  const box = new Cursor(bytes)
  expect(box.take(4).toString()).toBe('HFBX')
  expect([box.uint(1), box.uint(1), box.uint(2), box.uint(4), box.uint(1)]).toEqual([1, 2, 0, 0, cls])
  const transforms = Array.from({ length: box.uint(1) }, () => box.take(box.uint(1)).toString())
  box.take(64)
  const [rawBytes, storedBytes, padBytes] = [box.uint(4), box.uint(4), box.uint(4)] as const
  const header = bytes.subarray(0, box.at)
  const body = box.take(storedBytes - 32)
  const id = Buffer.from(config.repositoryId)
  const key = Buffer.from(objectKey ?? '')
  const bound = [u32(id.length), id, u32(objectKey === undefined ? 0xffffffff : key.length), key, header]
  expect(sha256(Buffer.concat([...bound, body]))).toBe(box.take(32).toString('hex'))
  const packed = body.subarray(0, body.length - padBytes)
  expect(transforms.filter((each) => each !== 'zstd')).toEqual([])
  const raw = transforms.length > 0 ? zstdDecompressSync(packed, { maxOutputLength: rawBytes }) : packed
  expect(raw.length).toBe(rawBytes)
  return raw
}

export interface Place {
  pack: string
  offset: number
  stored: number
  from: number
  bytes: number
}

/** Section "Index fragments". */
export function readIndex(): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const name of readdirSync(join(ROOT, 'index'))) {
    const fragment = new Cursor(openBox(get(`index/${name}`), CLASSES.index, `index/${name}`))
    expect(fragment.uint(4)).toBe(1)
    fragment.take(32)
    fragment.text()
    for (let packs = fragment.uint(4); packs > 0; packs--) {
      const pack = fragment.take(32).toString('hex')
      fragment.take(4)
      readDirectory(pack, fragment.take(fragment.uint(4)), places)
    }
    expect(fragment.at).toBe(fragment.bytes.length)
  }
  return places
}

/** The same from the packs alone: section "Packs". */
export function readPacks(): Map<string, Place> {
  const places = new Map<string, Place>()
  const keys = readdirSync(join(ROOT, 'packs'), { recursive: true, encoding: 'utf8' }).filter((key) => key.length > 2)
  for (const key of keys) {
    const bytes = get(`packs/${key}`)
    const end = bytes.length
    expect(`${sha256(bytes).slice(0, 2)}/${sha256(bytes)}`).toBe(key)
    expect([bytes.toString('latin1', 0, 4), bytes.readUInt32LE(4)]).toEqual(['HFPK', 1])
    expect(bytes.toString('latin1', end - 4)).toBe('HFPE')
    const [sections, footer] = [bytes.readUInt32LE(end - 12), bytes.readUInt32LE(end - 8)] as const
    expect([sections, footer, bytes.readUInt32LE(end - footer)]).toEqual([1, 24, 1])
    const [at, length] = [bytes.readUInt32LE(end - footer + 4), bytes.readUInt32LE(end - footer + 8)] as const
    readDirectory(key.slice(3), openBox(bytes.subarray(at, at + length), CLASSES.index), places)
  }
  return places
}

function readDirectory(pack: string, bytes: Buffer, places: Map<string, Place>): void {
  const directory = new Cursor(bytes)
  expect(directory.uint(1)).toBe(1)
  directory.take(3)
  const rows = Array.from({ length: directory.uint(4) }, () => directory.take(16))
  for (const row of rows) {
    let from = 0
    for (let chunks = row.readUInt32LE(12); chunks > 0; chunks--) {
      const id = directory.take(32).toString('hex')
      const length = directory.uint(4)
      places.set(id, { pack, offset: row.readUInt32LE(0), stored: row.readUInt32LE(4), from, bytes: length })
      from += length
    }
    expect(from).toBe(row.readUInt32LE(8))
  }
  expect(directory.at).toBe(bytes.length)
}

export function chunk(places: Map<string, Place>, id: Buffer, bytes: number): Buffer {
  const place = places.get(id.toString('hex'))!
  const pack = get(`packs/${place.pack.slice(0, 2)}/${place.pack}`)
  const segment = openBox(pack.subarray(place.offset, place.offset + place.stored), CLASSES.content)
  const content = segment.subarray(place.from, place.from + place.bytes)
  expect(content.length).toBe(bytes)
  expect(createHmac('sha256', idsKey).update(content).digest().equals(id)).toBe(true)
  return content
}

export interface Entry {
  path: string
  type: number
  size: number
  group: string
  streams: Buffer
}

/** Section "Entries and pages". */
export function* walk(places: Map<string, Place>, page: Buffer, level: number): Generator<Entry> {
  const cursor = new Cursor(page)
  expect([cursor.uint(1), cursor.uint(1)]).toEqual([level > 0 ? 2 : 1, 1])
  if (level > 0) expect(cursor.uint(1)).toBe(level)
  cursor.take(level > 0 ? 1 : 2)
  for (let count = cursor.uint(4); count > 0; count--) {
    if (level === 0) yield { ...readMeta(cursor.take(cursor.varint())), streams: cursor.take(cursor.varint()) }
    else {
      const [, id, bytes] = [cursor.text(), cursor.take(32), cursor.varint()] as const
      const fingerprints = cursor.take(32)
      const [entries] = [cursor.varint(), cursor.varint()]
      if (level === 1) chunk(places, fingerprints, entries! * 16)
      yield* walk(places, chunk(places, id, bytes), level - 1)
    }
  }
  expect(cursor.at).toBe(page.length)
}

function readMeta(bytes: Buffer): Omit<Entry, 'streams'> {
  const meta = new Cursor(bytes)
  const type = meta.uint(1)
  const flags = meta.uint(1)
  const path = meta.text()
  if (flags & 1) meta.varint()
  if (flags & 2) meta.varint() + meta.varint()
  if (flags & 4) meta.take(8)
  const size = flags & 8 ? meta.varint() : 0
  if (flags & 16) meta.text()
  return { path, type, size, group: flags & 32 ? meta.text() : '' }
}

/** Section "Chunk lists". */
export function content(places: Map<string, Place>, refs: Cursor, level: number, holes: number[]): Buffer {
  const parts: Buffer[] = []
  for (let count = refs.varint(); count > 0; count--) {
    const packed = refs.varint()
    const size = Math.floor(packed / 2)
    if (packed % 2 === 1) holes.push(size)
    const id = packed % 2 === 1 ? undefined : refs.take(32)
    const bytes = id && chunk(places, id, level > 0 ? refs.varint() : size)
    if (level > 0 && bytes) expect([...bytes.subarray(0, 3)]).toEqual([3, 1, level - 1])
    const part = !bytes
      ? Buffer.alloc(size)
      : level > 0
        ? content(places, new Cursor(bytes, 3), level - 1, holes)
        : bytes
    expect(part.length).toBe(size)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
