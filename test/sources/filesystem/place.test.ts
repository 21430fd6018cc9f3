import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Warning } from '../../../src/events.ts'
import type { EntryMeta } from '../../../src/model/entry.ts'
import { Placer } from '../../../src/sources/filesystem/place.ts'
import { placeError } from '../../../src/sources/filesystem/place-errors.ts'
import { checkPlaceable } from '../../../src/sources/filesystem/place-folders.ts'
import { makeSpecial, splitDevice } from '../../../src/sources/filesystem/place-special.ts'
import { temporaryFolder, unprivileged } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)
const MTIME_NS = 1_600_000_000_123_456_789n
const own = { uid: process.getuid!(), gid: process.getgid!() }

function metaOf(path: string, more: Partial<EntryMeta> = {}): EntryMeta {
  return { path, type: 0, mode: 0o640, mtimeNs: MTIME_NS, ...own, ...more }
}

function placer(
  more: { owner?: boolean; root?: string; becomes?: string } = {},
): Placer & { warnings: Warning[]; made: string[] } {
  const warnings: Warning[] = []
  const made: string[] = []
  const plan = { kind: 'folder', root: at('to'), owner: true, ...more } as const
  const placed = new Placer(
    plan,
    (warning) => warnings.push(warning),
    (path, isDirectory) => made.push(isDirectory ? `${path}/` : path),
  )
  return Object.assign(placed, { warnings, made })
}

const bytes = (text: string): Buffer => Buffer.from(text)
const conflict = expect.objectContaining({ code: 'RESTORE_CONFLICT', origin: 'sink' })
const unsafe = expect.objectContaining({ code: 'RESTORE_UNSAFE_PATH', origin: 'sink' })

describe('writeWhole', () => {
  it('puts a file there with all its facts, and makes the folders on the way', () => {
    const into = placer()
    into.writeWhole(metaOf('a/b/file', { mode: 0o4751 }), [bytes('one '), bytes(''), bytes('two')])
    into.writeWhole(metaOf('a/b/empty'), [])
    expect(readFileSync(at('to/a/b/file'), 'utf8')).toBe('one two')
    const stat = statSync(at('to/a/b/file'), { bigint: true })
    expect(Number(stat.mode) & 0o7777).toBe(0o4751)
    expect(stat.mtimeNs / 1000n).toBe(MTIME_NS / 1000n)
    expect(statSync(at('to/a/b/empty')).size).toBe(0)
    expect(into.made).toEqual(['/', 'a/', 'a/b/', 'a/b/file', 'a/b/empty'])
    expect(readdirSync(at('to/a/b')).sort()).toEqual(['empty', 'file'])
  })

  it('keeps everything to the owner until it is said otherwise', () => {
    const into = placer()
    const handle = into.begin(metaOf('a/file', { mode: 0o666 }))
    const [temporary] = readdirSync(at('to/a'))
    expect(statSync(at(`to/a/${temporary}`)).mode & 0o777).toBe(0o600)
    expect(statSync(at('to/a')).mode & 0o777).toBe(0o700)
    into.abandon(handle)
  })

  it('takes names of any bytes', () => {
    placer().writeWhole(metaOf('\xff/\n\xe9'), [bytes('x')])
    expect(readFileSync(Buffer.from(`${folder.path}/to/\xff/\n\xe9`, 'latin1'), 'utf8')).toBe('x')
  })

  it('shows the content to be inspected before the file has its name, and gives it up on a complaint', async () => {
    chmodSync(folder.path, 0o777)
    const seen: string[] = []
    const read = (fd: number): void => {
      const found = Buffer.alloc(10)
      seen.push(
        found.toString('utf8', 0, readSync(fd, found, 0, 10, 0)),
        readdirSync(at('to')).includes('file') ? 'named' : 'not yet',
      )
    }
    const refuse = (): void => {
      throw placeError('RESTORE_MISMATCH', 'file', 'not as written')
    }
    await unprivileged(() => {
      const into = placer()
      expect(() => into.writeWhole(metaOf('file', { mode: 0 }), [bytes('x')], refuse)).toThrow('not as written')
      expect(readdirSync(at('to'))).toEqual([])
      into.writeWhole(metaOf('file', { mode: 0 }), [bytes('one'), bytes('two')], read)
    })
    expect(seen).toEqual(['onetwo', 'not yet'])
    expect(readdirSync(at('to'))).toEqual(['file'])
  })

  it('replaces nothing, and leaves nothing behind', () => {
    mkdirSync(at('to'))
    writeFileSync(at('to/file'), 'old')
    symlinkSync('nowhere', at('to/link'))
    const into = placer()
    for (const path of ['file', 'link', 'file/below']) {
      expect(() => into.writeWhole(metaOf(path), [bytes('new')]), path).toThrow(conflict)
    }
    expect(readFileSync(at('to/file'), 'utf8')).toBe('old')
    expect(readdirSync(at('to')).sort()).toEqual(['file', 'link'])
  })
})

describe('begin, writeAt, finish', () => {
  it('fills a file in any order, by several hands', () => {
    const [one, two] = [placer(), placer()]
    const handle = one.begin(metaOf('file', { sizeBytes: 10 }))
    const other = two.resume(structuredClone({ meta: handle.meta, temporary: handle.temporary }))
    two.writeAt(other, 7, bytes('end'))
    one.writeAt(handle, 0, bytes('beg'))
    two.leave(other)
    expect(readdirSync(at('to'))).not.toContain('file')
    one.finish(handle)
    expect(readFileSync(at('to/file'), 'latin1')).toBe('beg\0\0\0\0end')
    expect(readdirSync(at('to'))).toEqual(['file'])
  })

  it('abandons without a trace, twice too', () => {
    const into = placer()
    const handle = into.begin(metaOf('file', { sizeBytes: 10 }))
    into.abandon(handle)
    into.abandon(handle)
    expect(readdirSync(at('to'))).toEqual([])
    expect(() => into.resume(handle)).toThrow(expect.objectContaining({ origin: 'sink' }))
  })

  it('says that the disk is full', () => {
    const into = placer()
    const handle = into.begin(metaOf('file', { sizeBytes: 1 }))
    const full = expect.objectContaining({ code: 'RESTORE_FULL', details: { path: 'file', system: 'ENOSPC' } })
    const fd = openSync('/dev/full', 'w')
    expect(() => into.writeAt({ ...handle, fd }, 0, bytes('x'))).toThrow(full)
    closeSync(fd)
    into.abandon(handle)
  })
})

describe('links', () => {
  it('are put there as they were', () => {
    const into = placer()
    into.symlink(metaOf('a/link', { type: 2, linkTarget: '../\xff\n', mode: 0o777 }))
    expect(readlinkSync(at('to/a/link'), 'latin1' as BufferEncoding)).toBe('../\xff\n')
    expect(lstatSync(at('to/a/link'), { bigint: true }).mtimeNs / 1000n).toBe(MTIME_NS / 1000n)
  })

  it('that are hard lead to the same file', () => {
    const into = placer()
    into.writeWhole(metaOf('a/one'), [bytes('x')])
    into.link(metaOf('b/two'), 'a/one')
    expect(statSync(at('to/b/two')).ino).toBe(statSync(at('to/a/one')).ino)
    expect(() => into.link(metaOf('b/two'), 'a/one')).toThrow(conflict)
    expect(() => into.link(metaOf('b/three'), '../outside')).toThrow(unsafe)
  })
})

describe('special', () => {
  it('makes FIFOs, whatever their names', () => {
    const into = placer()
    expect(into.special(metaOf('a \n\xff', { type: 3, mode: 0o622 }))).toBe(true)
    const stat = lstatSync(Buffer.from(`${folder.path}/to/a \n\xff`, 'latin1'))
    expect([stat.isFIFO(), stat.mode & 0o777]).toEqual([true, 0o622])
    expect(() => into.special(metaOf('a \n\xff', { type: 3 }))).toThrow(conflict)
  })

  it('says what cannot be made', () => {
    const into = placer()
    expect(into.special(metaOf('socket', { type: 4 }))).toBe(false)
    expect(into.warnings).toMatchObject([{ code: 'ENTRY_SKIPPED', path: 'socket' }])
    expect(into.made).toEqual(['/'])
  })

  it('asks for devices by number, which only root may make', async () => {
    expect(splitDevice(259n)).toEqual({ major: 1n, minor: 3n })
    expect(splitDevice((1n << 44n) | (5n << 20n) | 0x12n)).toEqual({ major: 1n << 12n, minor: 0x512n })
    chmodSync(folder.path, 0o777)
    const device = metaOf('null', { type: 5, attributes: { 'holdfast.rdev': 259 } })
    expect(await unprivileged(() => makeSpecial(device, at('null')))).toBe(false)
  })
})

describe('folders', () => {
  it('get their own mode and times last, read-only ones too', () => {
    const into = placer()
    const locked = metaOf('a', { type: 1, mode: 0o2555 })
    const inner = metaOf('a/b', { type: 1, mode: 0o500 })
    into.makeDirectory(locked)
    into.makeDirectory(inner)
    into.writeWhole(metaOf('a/b/file'), [bytes('x')])
    into.finishDirectories([inner, locked])
    for (const { path, mode } of [locked, inner]) {
      const stat = statSync(at(`to/${path}`), { bigint: true })
      expect(Number(stat.mode) & 0o7777).toBe(mode)
      expect(stat.mtimeNs / 1000n).toBe(MTIME_NS / 1000n)
    }
  })

  it('that are there already are used, if they are real', () => {
    mkdirSync(at('to/a'), { recursive: true })
    writeFileSync(at('to/file'), '')
    const into = placer()
    into.makeDirectory(metaOf('a', { type: 1 }))
    expect(into.made).toEqual([])
    expect(() => into.makeDirectory(metaOf('file', { type: 1 }))).toThrow(conflict)
  })

  it('may be named by a link at the root', () => {
    mkdirSync(at('real'))
    symlinkSync('real', at('way'))
    placer({ root: at('way') }).writeWhole(metaOf('file'), [bytes('x')])
    expect(readdirSync(at('real'))).toEqual(['file'])
  })
})

describe('hostile paths', () => {
  it.each(['../x', '/x', 'a/../../x', 'a//x', './x', 'x/', '', 'a\0x', '..'])('refuses %j', (path) => {
    const into = placer()
    expect(() => into.writeWhole(metaOf(path), [bytes('x')])).toThrow(unsafe)
    expect(() => into.begin(metaOf(path))).toThrow(unsafe)
    expect(() => into.symlink(metaOf(path, { linkTarget: 'x' }))).toThrow(unsafe)
    expect(() => into.makeDirectory(metaOf(path))).toThrow(unsafe)
    expect(() => into.special(metaOf(path, { type: 3 }))).toThrow(unsafe)
    expect(() => into.finishDirectories([metaOf(path)])).toThrow(unsafe)
    expect(readdirSync(folder.path)).toEqual([])
  })

  it.each(['c:/x', 'a\\..\\x', 'a:stream', 'x.', 'x ', 'a./x', 'a?'])('refuses %j on Windows only', (path) => {
    expect(() => checkPlaceable(path, 'win32')).toThrow(unsafe)
    expect(() => checkPlaceable(path, 'linux')).not.toThrow()
  })

  it('do not lead through links, from before or of this restore', () => {
    mkdirSync(at('outside/deep'), { recursive: true })
    mkdirSync(at('to'))
    symlinkSync('../outside', at('to/before'))
    const [into, other] = [placer(), placer()]
    into.symlink(metaOf('during', { type: 2, linkTarget: '../outside' }))
    for (const way of ['before', 'during']) {
      for (const one of [into, other]) {
        expect(() => one.writeWhole(metaOf(`${way}/x`), [bytes('x')])).toThrow(unsafe)
        expect(() => one.writeWhole(metaOf(`${way}/deep/x`), [bytes('x')])).toThrow(unsafe)
        expect(() => one.makeDirectory(metaOf(way, { type: 1 }))).toThrow(unsafe)
        expect(() => one.link(metaOf('linked'), `${way}/deep`)).toThrow(unsafe)
        expect(() => one.finishDirectories([metaOf(way, { type: 1 })])).toThrow(unsafe)
      }
    }
    expect(readdirSync(at('outside'))).toEqual(['deep'])
    expect(readdirSync(at('outside/deep'))).toEqual([])
  })
})

describe('without the right', () => {
  const foreign = { uid: 12_345, gid: 12_345, mode: 0o6755 }

  it('to set owners, says so once with the count, and drops setuid', async () => {
    chmodSync(folder.path, 0o777)
    const into = await unprivileged(() => placer())
    await unprivileged(() => {
      into.writeWhole(metaOf('a', foreign), [bytes('x')])
      into.symlink(metaOf('b', { ...foreign, linkTarget: 'a' }))
      into.makeDirectory(metaOf('c', { ...foreign, type: 1 }))
      into.finishDirectories([metaOf('c', { ...foreign, type: 1, mode: 0o755 })])
      into.flushWarnings()
    })
    expect(into.warnings).toMatchObject([{ code: 'OWNER_NOT_RESTORED', details: { count: 3 } }])
    expect(statSync(at('to/a')).mode & 0o7777).toBe(0o755)
  })

  it('to write there, is RESTORE_DENIED', async () => {
    mkdirSync(at('to'), 0o555)
    const denied = { code: 'RESTORE_DENIED', details: { path: 'file', system: 'EACCES' } }
    await expect(unprivileged(() => placer().writeWhole(metaOf('file'), []))).rejects.toMatchObject(denied)
  })

  it('does not ask for owners at all with owner: false', () => {
    const into = placer({ owner: false })
    into.writeWhole(metaOf('theirs', foreign), [bytes('x')])
    into.writeWhole(metaOf('ours', { mode: 0o4755 }), [bytes('x')])
    expect(statSync(at('to/theirs')).mode & 0o7777).toBe(0o755)
    expect(statSync(at('to/ours')).mode & 0o7777).toBe(0o4755)
    expect(statSync(at('to/theirs')).uid).toBe(own.uid)
    expect(into.warnings).toEqual([])
  })
})
