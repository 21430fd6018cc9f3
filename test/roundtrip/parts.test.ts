/** Parts of a tree, and a tree through a folder of the caller's. */
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { folder } from '../../src/index.ts'
import { noise, scratch } from '../faults/support.ts'
import { differences, requirePrograms } from './outside-proof.ts'
import { putFile, rawPath, roundTrip } from './round-trip.ts'

const MIB = 1024 * 1024
const space = scratch()
const source = (...names: string[]): string => space.at('source', ...names)
const raw = (name: string | Buffer): Buffer => rawPath(source(), name)
const put = (name: string | Buffer, content?: string | Uint8Array, mode?: number): void =>
  putFile(raw(name), content, mode)

beforeAll(requirePrograms)

describe('a part of a tree', () => {
  function makeParts(): void {
    mkdirSync(source('docs', 'old'), { recursive: true })
    mkdirSync(source('media'), { recursive: true })
    put('docs/a.txt', 'a')
    put('docs/b.md', 'b')
    put('docs/old/c.txt', 'c')
    put('media/m.bin', noise(2 * MIB, 2))
    linkSync(source('docs', 'a.txt'), source('media', 'same-as-a'))
    linkSync(source('docs', 'a.txt'), source('media', 'same-again'))
    for (const name of ['docs/a.txt', 'docs/old/c.txt', 'media/m.bin'])
      utimesSync(source(name), 1_500_000_000, 1_500_000_000)
  }

  it('is what include says, with the folders above', async () => {
    makeParts()
    chmodSync(source('docs'), 0o750)
    const to = await roundTrip(space.path, { select: { include: ['data/docs/**/*.txt'] } })
    expect(readFileSync(join(to, 'docs/old/c.txt'), 'utf8')).toBe('c')
    expect(differences(source('docs', 'old'), join(to, 'docs', 'old'))).toBe('')
    expect(statSync(join(to, 'docs')).mode & 0o7777).toBe(0o750)
    expect(statSync(join(to, 'docs/b.md'), { throwIfNoEntry: false })).toBeUndefined()
    expect(statSync(join(to, 'media'), { throwIfNoEntry: false })).toBeUndefined()
  })

  it('has the content of a link whose first name was left out, and its other names as links', async () => {
    makeParts()
    const to = await roundTrip(space.path, { select: { exclude: ['data/docs'] } })
    expect(differences(source('media'), join(to, 'media')).replace(/^hf.*\n/gm, '')).toBe('')
    expect(statSync(join(to, 'media/same-as-a')).ino).toBe(statSync(join(to, 'media/same-again')).ino)
    expect(readFileSync(join(to, 'media/same-as-a'), 'utf8')).toBe('a')
  })

  it('is what changed after a time', async () => {
    makeParts()
    const to = await roundTrip(space.path, { select: { changedAfter: new Date(1_600_000_000_000) } })
    expect(statSync(join(to, 'docs/old/c.txt'), { throwIfNoEntry: false })).toBeUndefined()
    expect(readFileSync(join(to, 'docs/b.md'), 'utf8')).toBe('b')
  })

  it('goes with an excluding source, and the root keeps its own facts only for a part', async () => {
    makeParts()
    chmodSync(source(), 0o711)
    const to = await roundTrip(space.path, { exclude: ['media'] })
    expect(statSync(to).mode & 0o7777).toBe(0o711)
    rmSync(source('media'), { recursive: true })
    chmodSync(source(), 0o711)
    utimesSync(source(), statSync(to).mtime, statSync(to).mtime)
    expect(differences(source(), to)).toBe('')
  })
})

describe('through sinks', () => {
  it('a folder of the caller is exact', async () => {
    mkdirSync(source('sub'), { recursive: true })
    put('sub/a', noise(4 * MIB, 6))
    put('sub/b', 'b', 0o4700)
    linkSync(source('sub', 'b'), source('c'))
    await roundTrip(space.path, { to: { sinks: { data: folder({ path: space.at('elsewhere', 'deep') }) } } })
    expect(differences(source(), space.at('elsewhere', 'deep'))).toBe('')
  })
})
