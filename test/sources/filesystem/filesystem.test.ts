import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Warning } from '../../../src/events.ts'
import { type FilesystemOptions, filesystem } from '../../../src/sources/filesystem/filesystem.ts'
import type { SourceEntry } from '../../../src/sources/source.ts'
import { temporaryFolder, unprivileged } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)

async function entriesOf(options: Omit<FilesystemOptions, 'name'>, warnings: Warning[] = []): Promise<SourceEntry[]> {
  const signal = new AbortController().signal
  const warn = (warning: Warning): void => void warnings.push(warning)
  await using session = await filesystem({ name: 'files', ...options }).open({ signal, warn })
  const all: SourceEntry[] = []
  for await (const batch of session.entries()) all.push(...batch)
  return all
}

const open = (options: Omit<FilesystemOptions, 'name'>, excludePaths: string[] = []) =>
  filesystem({ name: 'files', ...options }).open({ signal: new AbortController().signal, warn: () => {}, excludePaths })

describe('options', () => {
  const valid = { name: 'files', path: '/tmp' }
  it.each([
    ['no options', undefined, 'options'],
    ['an unknown one', { ...valid, excludes: [] }, 'excludes'],
    ['a name with a slash', { ...valid, name: 'a/b' }, 'name'],
    ['a hidden name', { ...valid, name: '.a' }, 'name'],
    ['a name that is too long', { ...valid, name: 'a'.repeat(65) }, 'name'],
    ['no path', { name: 'files' }, 'path'],
    ['an undefined path', { ...valid, path: undefined }, 'path'],
    ['an empty path', { ...valid, path: '' }, 'path'],
    ['no paths', { ...valid, path: [] }, 'path'],
    ['a path with a NUL', { ...valid, path: 'a\0b' }, 'path'],
    ['a glob that is none', { ...valid, exclude: [7] }, 'exclude'],
    ['a glob that is not closed', { ...valid, include: ['a[b'] }, 'include'],
    ['globs as a text', { ...valid, exclude: '*.tmp' }, 'exclude'],
    ['half a byte', { ...valid, maxFileBytes: 0.5 }, 'maxFileBytes'],
    ['a flag as a text', { ...valid, checksum: 'yes' }, 'checksum'],
    ['a flag that is undefined', { ...valid, followSymlinks: undefined }, 'followSymlinks'],
  ])('refuse %s', (_, options, option) => {
    expect(() => filesystem(options as FilesystemOptions)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        origin: 'usage',
        details: expect.objectContaining({ option }),
      }),
    )
  })

  it('become the plan that a worker scans by', async () => {
    mkdirSync(at('real'))
    symlinkSync('real', at('way'))
    await using session = await open({
      path: at('way'),
      exclude: ['*.tmp'],
      maxFileBytes: 5,
      checksum: true,
      xattrs: false,
    })
    expect(session.scan).toEqual({
      kind: 'filesystem',
      roots: [{ path: at('real'), prefix: '' }],
      include: [],
      exclude: ['*.tmp'],
      excludePaths: [],
      oneFileSystem: false,
      followSymlinks: false,
      checksum: true,
      maxFileBytes: 5,
      xattrs: false,
    })
    expect(await session.describe()).toMatchObject({ paths: [at('way')], platform: process.platform })
  })
})

describe('open', () => {
  it('fails where a root is missing, or closed', async () => {
    await expect(open({ path: at('none') })).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND', origin: 'source' })
    writeFileSync(at('file'), 'x')
    await expect(open({ path: at('file/below') })).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
    mkdirSync(at('closed'), 0)
    await unprivileged(() => expect(open({ path: at('closed') })).rejects.toMatchObject({ code: 'SOURCE_DENIED' }))
    chmodSync(at('closed'), 0o444)
    await unprivileged(() => expect(open({ path: at('closed') })).rejects.toMatchObject({ code: 'SOURCE_DENIED' }))
  })

  it('fails where a root is neither a folder nor a file', async () => {
    await expect(open({ path: '/dev/null' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('fails where two roots have one name, or one has none', async () => {
    mkdirSync(at('a/x'), { recursive: true })
    mkdirSync(at('b/x'), { recursive: true })
    const invalid = { code: 'INVALID_OPTIONS', details: { option: 'path' } }
    await expect(open({ path: [at('a/x'), at('b/x')] })).rejects.toMatchObject(invalid)
    await expect(open({ path: [at('a'), '/'] })).rejects.toMatchObject(invalid)
  })

  it('fails where the source lies in what must be left out', async () => {
    mkdirSync(at('repository/packs'), { recursive: true })
    symlinkSync('repository', at('way'))
    const invalid = { code: 'INVALID_OPTIONS', details: { option: 'path' } }
    for (const path of ['repository', 'repository/packs', 'way/packs']) {
      await expect(open({ path: at(path) }, [at('way')])).rejects.toMatchObject(invalid)
    }
    await expect(open({ path: at('repository') }, [at('way')])).rejects.toThrow(/is the very place that the target/)
    await using session = await open({ path: folder.path }, [at('way')])
    expect(session.scan!.excludePaths).toEqual([at('repository')])
  })
})

describe('entries', () => {
  it('are those of all roots, by their names', async () => {
    mkdirSync(at('one'))
    writeFileSync(at('one/file'), 'x')
    writeFileSync(at('target'), 'x')
    symlinkSync('target', at('two'))
    const entries = await entriesOf({ path: [at('two'), at('one')] })
    expect(entries.map(({ path, content }) => [path, content])).toEqual([
      ['one', undefined],
      ['one/file', { from: 'file', path: at('one/file') }],
      ['target', { from: 'file', path: at('target') }],
    ])
  })

  it('have no fingerprint with checksum, or just after a change', async () => {
    writeFileSync(at('file'), 'x')
    expect((await entriesOf({ path: folder.path }))[0]!.fingerprint).toBeUndefined()
    const old = (await entriesOf({ path: '/bin/sh', followSymlinks: true }))[0]!
    expect(old.fingerprint).toMatch(/^\d+:\d+:\d+:\d+$/)
    expect((await entriesOf({ path: '/bin/sh', checksum: true }))[0]!.fingerprint).toBeUndefined()
  })

  it('that are left out are warned of by their whole path', async () => {
    writeFileSync(Buffer.from(`${folder.path}/\xff`, 'latin1'), 'xx')
    const warnings: Warning[] = []
    expect(await entriesOf({ path: folder.path, maxFileBytes: 1, xattrs: false }, warnings)).toEqual([])
    expect(warnings).toMatchObject([{ code: 'ENTRY_SKIPPED', path: 'files/\udcff' }])
  })
})

describe('sink', () => {
  it('is the folder itself, where there is one', () => {
    expect(filesystem({ name: 'files', path: at('a') }).sink!().name).toBe('folder')
    expect(filesystem({ name: 'files', path: [at('a'), at('b')] }).sink).toBeUndefined()
  })
})
