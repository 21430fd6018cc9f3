/** Reads a golden repository with nothing but the document: see stranger.ts. */
import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as stranger from './stranger.ts'

const { CLASSES, chunk, config, content, Cursor, derive, epochSecret, get, LINE_1, LINE_2, MAC } = stranger
const { openBox, ROOT, readIndex, readPacks, sha256, u32, walk } = stranger

describe('a reader made from docs/format.md', () => {
  it('believes the config', () => {
    const u64 = (bytes: Buffer): Buffer => Buffer.concat([u32(bytes.length), u32(0), bytes])
    const parts = ['holdfast/1/config', 'config/00000001', `${LINE_1}\n${LINE_2}\n`].map((part) =>
      u64(Buffer.from(part)),
    )
    const control = derive(epochSecret, 'holdfast/1/control')
    expect(createHmac('sha256', control).update(Buffer.concat(parts)).digest('hex')).toBe(MAC)
    expect(config).toMatchObject({ encrypted: false, epoch: 0, idAlgorithm: 'hmac-sha256' })
  })

  it('makes the same index from packs alone', () => {
    const places = readIndex()
    expect(places.size).toBeGreaterThan(64)
    expect(readPacks()).toEqual(places)
  })

  it.each([0, 1])('lists snapshot %i and extracts every file of it', (number) => {
    const places = readIndex()
    const key = `snapshots/${readdirSync(join(ROOT, 'snapshots')).sort()[number]}`
    const { sources } = JSON.parse(openBox(get(key), CLASSES.snapshots, key).toString())
    const { id, rawBytes, level } = sources[0].root
    const entries = [...walk(places, chunk(places, Buffer.from(id, 'base64url'), rawBytes), level)]
    const all = JSON.parse(readFileSync(new URL('expected.json', import.meta.url), 'utf8'))[number]
    const expected = new Map<string, string>(
      all.map((each: { path: string; sha256?: string }) => [each.path, each.sha256]),
    )
    const levels = new Set<number>()
    let compared = 0
    const holes: number[] = []
    for (const { path, size, streams } of entries) {
      const cursor = new Cursor(streams)
      const isEmpty = cursor.varint() === 0
      if (!isEmpty) expect(cursor.text()).toBe('')
      const depth = isEmpty ? 0 : cursor.varint()
      levels.add(depth)
      const bytes = isEmpty ? Buffer.alloc(0) : content(places, cursor, depth, holes)
      expect(bytes.length).toBe(size)
      const wanted = expected.get(`tree/${Buffer.from(path, 'latin1').toString()}`)
      if (wanted === undefined) continue
      expect(sha256(bytes), path).toBe(wanted)
      compared++
    }
    // The name that is not UTF-8 is shown in a form of the engine's own.
    expect(compared).toBe(
      all.filter(
        (each: { path: string; type: string }) =>
          each.path.startsWith('tree/') && (each.type === 'file' || each.type === 'hardlink'),
      ).length - 1,
    )
    expect(entries).toHaveLength(sources[0].entries)
    expect(entries.slice(0, 5).map(({ path }) => path)).toEqual([
      'a',
      'a/b',
      'a b',
      'a.b',
      number ? 'added' : 'changed',
    ])
    expect(entries.filter(({ group }) => group !== '').map(({ path }) => path)).toEqual(['hard-1', 'hard-2'])
    expect([...levels].sort()).toEqual([0, 1])
    expect(holes).toEqual([262_144, 262_144])
  })
})
