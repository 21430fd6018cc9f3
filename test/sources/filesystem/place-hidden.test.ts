import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EntryMeta } from '../../../src/model/entry.ts'
import { Placer } from '../../../src/sources/filesystem/place.ts'
import { placeError } from '../../../src/sources/filesystem/place-errors.ts'
import { temporaryFolder, unprivileged } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)
const own = { uid: process.getuid!(), gid: process.getgid!() }
const metaOf = (path: string, more: Partial<EntryMeta> = {}): EntryMeta => ({
  path,
  type: 0,
  mode: 0o640,
  mtimeNs: 1_600_000_000_123_456_789n,
  ...own,
  ...more,
})
const bytes = (text: string): Buffer => Buffer.from(text)

describe('into a root that gets its name at the end', () => {
  const hidden = (): Placer =>
    new Placer({ kind: 'folder', root: at('to'), becomes: at('final'), owner: true }, (warning) => {
      throw new Error(warning.message)
    })
  const factsOf = (path: string): number[] => {
    const { mode, uid, gid } = statSync(at(`to/${path}`))
    return [mode & 0o7777, uid, gid]
  }

  it('a file has its own name at once, and all its facts whatever the umask', () => {
    const names: string[] = []
    const before = process.umask(0o077)
    try {
      const into = hidden()
      into.writeWhole(metaOf('plain', { mode: 0o666 }), [bytes('x')], () => names.push(...readdirSync(at('to'))))
      into.writeWhole(metaOf('setuid', { mode: 0o4755, uid: 12, gid: 34 }), [bytes('x')])
      into.writeWhole(metaOf('locked', { mode: 0 }), [bytes('x')])
      into.writeWhole(metaOf('bare', { mode: undefined, uid: undefined, gid: undefined }), [bytes('x')])
    } finally {
      process.umask(before)
    }
    expect(names).toEqual(['plain'])
    expect(['plain', 'setuid', 'locked', 'bare'].map(factsOf)).toEqual([
      [0o666, own.uid, own.gid],
      [0o4755, 12, 34],
      [0, own.uid, own.gid],
      [0o600, own.uid, own.gid],
    ])
  })

  it('has the group it should where new files get that of the folder', () => {
    mkdirSync(at('to'))
    chownSync(at('to'), 0, 34)
    chmodSync(at('to'), 0o2700)
    hidden().writeWhole(metaOf('a/file'), [bytes('x')])
    expect(factsOf('a/file')).toEqual([0o640, own.uid, own.gid])
  })

  it('replaces nothing, and leaves nothing half written', () => {
    const into = hidden()
    into.writeWhole(metaOf('file'), [bytes('first')])
    expect(() => into.writeWhole(metaOf('file'), [bytes('second')])).toThrow(
      expect.objectContaining({ code: 'RESTORE_CONFLICT', origin: 'sink' }),
    )
    const refuse = (): void => {
      throw placeError('RESTORE_MISMATCH', 'other', 'not as written')
    }
    expect(() => into.writeWhole(metaOf('other'), [bytes('x')], refuse)).toThrow('not as written')
    expect(readdirSync(at('to'))).toEqual(['file'])
    expect(readFileSync(at('to/file'), 'utf8')).toBe('first')
  })

  it('several hands fill a file that nobody may read', async () => {
    chmodSync(folder.path, 0o777)
    await unprivileged(() => {
      const [one, two] = [hidden(), hidden()]
      const handle = one.begin(metaOf('file', { sizeBytes: 4, mode: 0 }))
      const other = two.resume(structuredClone({ meta: handle.meta, temporary: handle.temporary }))
      two.writeAt(other, 2, bytes('ld'))
      one.writeAt(handle, 0, bytes('ho'))
      two.leave(other)
      one.finish(handle)
    })
    expect(readFileSync(at('to/file'), 'utf8')).toBe('hold')
    expect(statSync(at('to/file')).mode & 0o7777).toBe(0)
  })

  it('finds the root by what it is, under either name', () => {
    const into = hidden()
    expect(into.locate()).toBeUndefined()
    into.writeWhole(metaOf('file'), [bytes('x')])
    expect(into.locate()).toBe(at('to'))
    renameSync(at('to'), at('final'))
    expect(into.locate()).toBe(at('final'))
    renameSync(at('final'), at('elsewhere'))
    mkdirSync(at('final'))
    expect(into.locate()).toBeUndefined()
  })
})
