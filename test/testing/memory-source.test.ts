import { describe, expect, it } from 'vitest'
import type { SourceEntry, SourceSession } from '../../src/sources/source.ts'
import { entriesOf } from '../../src/testing/entry-content.ts'
import { type MemorySource, memorySource } from '../../src/testing/memory-source.ts'

const open = (source: MemorySource): Promise<SourceSession> =>
  source.open({ signal: new AbortController().signal, warn: () => {} })
const read = async (source: MemorySource): Promise<SourceEntry[]> => entriesOf(await open(source))

describe('memorySource', () => {
  it('changes the fingerprint of what is set, and of nothing else', async () => {
    const source = memorySource({ name: 'm', files: { a: 'one', b: 'two' } })
    const before = await read(source)
    source.set('a', 'one')
    const after = await read(source)
    expect(after[0]!.fingerprint).not.toBe(before[0]!.fingerprint)
    expect(after[1]!.fingerprint).toBe(before[1]!.fingerprint)
  })

  it('never gives a fingerprint twice, even to a file that was gone', async () => {
    const source = memorySource({ name: 'm', files: { a: 'one' } })
    const [{ fingerprint }] = (await read(source)) as [SourceEntry]
    source.set('a', null)
    expect(await read(source)).toEqual([])
    source.set('a', 'two')
    expect((await read(source))[0]!.fingerprint).not.toBe(fingerprint)
  })

  it('holds still for a session that is open', async () => {
    const source = memorySource({ name: 'm', files: { a: 'one' } })
    const session = await open(source)
    source.set('a', 'changed')
    source.set('b', 'new')
    const entries = await entriesOf(session)
    expect(entries.map(({ path, size }) => [path, size])).toEqual([['a', 3]])
  })

  it('keeps its own copy of the bytes', async () => {
    const bytes = new Uint8Array([1, 2, 3])
    const source = memorySource({ name: 'm', files: { a: bytes } })
    bytes.fill(9)
    expect((await read(source))[0]!.content).toEqual({ from: 'bytes', bytes: new Uint8Array([1, 2, 3]) })
  })

  it('does not know the total of streams', async () => {
    const source = memorySource({ name: 'm', files: { a: 'text' } })
    expect(await (await open(source)).totals!()).toEqual({ items: 1, bytes: 4 })
    source.set('b', async function* () {})
    expect(await (await open(source)).totals!()).toEqual({ items: 2, bytes: null })
  })

  it('refuses names and paths that no source may have', () => {
    const invalid = expect.objectContaining({ code: 'INVALID_OPTIONS' })
    expect(() => memorySource({ name: '../m' })).toThrow(invalid)
    expect(() => memorySource({ name: 'm', files: { '../a': 'x' } })).toThrow(invalid)
    expect(() => memorySource({ name: 'm' }).set('a//b', null)).toThrow(invalid)
  })
})
