import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pathsOf, planOf, scan, temporaryFolder, unprivileged } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)

function make(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(at(path)), { recursive: true })
    writeFileSync(at(path), 'x')
  }
}

describe('exclude', () => {
  it('leaves out files and whole folders', () => {
    make('a.tmp', 'b', 'c/d.tmp', 'c/e', 'node_modules/x', 'c/node_modules/x')
    const { entries } = scan(planOf(folder.path, { exclude: ['**/*.tmp', '**/node_modules'] }))
    expect(pathsOf(entries)).toEqual(['b', 'c', 'c/e'])
  })

  it('does not enter what it leaves out', async () => {
    make('closed/x', 'hollow/x', 'open')
    chmodSync(at('closed'), 0)
    chmodSync(at('hollow'), 0)
    const plan = planOf(folder.path, { exclude: ['closed', 'hollow/**'] })
    expect(pathsOf((await unprivileged(() => scan(plan))).entries)).toEqual(['hollow', 'open'])
  })

  it('matches names that are not UTF-8 by the rest of them', () => {
    writeFileSync(Buffer.from(`${folder.path}/\xff.tmp`, 'latin1'), 'x')
    writeFileSync(Buffer.from(`${folder.path}/\xff.txt`, 'latin1'), 'x')
    expect(pathsOf(scan(planOf(folder.path, { exclude: ['*.tmp'] })).entries)).toEqual(['\xff.txt'])
  })

  it('sees the prefix of a root', () => {
    make('one/a', 'two/a')
    const roots = ['one', 'two'].map((name) => ({ path: at(name), prefix: name }))
    expect(pathsOf(scan(planOf(roots, { exclude: ['one/a', 'two'] })).entries)).toEqual(['one'])
  })
})

describe('include', () => {
  it('takes what matches, and the folders above it, and no others', () => {
    make('a/b/c.txt', 'a/b/d.js', 'a/empty/d.js', 'e.txt', 'f/g.js')
    expect(pathsOf(scan(planOf(folder.path, { include: ['**/*.txt'] })).entries)).toEqual([
      'a',
      'a/b',
      'a/b/c.txt',
      'e.txt',
    ])
  })

  it('takes a folder that matches whole, less what is excluded', () => {
    make('a/b/c', 'a/b/d/e', 'a/b/x.tmp', 'a/f')
    const plan = planOf(folder.path, { include: ['a/b'], exclude: ['**/*.tmp'] })
    expect(pathsOf(scan(plan).entries)).toEqual(['a', 'a/b', 'a/b/c', 'a/b/d', 'a/b/d/e'])
  })

  it('does not enter folders in which nothing can match', async () => {
    make('closed/x', 'a/x')
    chmodSync(at('closed'), 0)
    const plan = planOf(folder.path, { include: ['a/*'] })
    expect(pathsOf((await unprivileged(() => scan(plan))).entries)).toEqual(['a', 'a/x'])
  })

  it('keeps folders before what they hold when batches are small', () => {
    make('a/b/1', 'a/b/2', 'a/c/3', 'd/e/4')
    const { entries } = scan(planOf(folder.path, { include: ['**/[0-9]'] }), { batch: 1 })
    expect(pathsOf(entries)).toEqual(['a', 'a/b', 'a/b/1', 'a/b/2', 'a/c', 'a/c/3', 'd', 'd/e', 'd/e/4'])
  })
})

describe('limits', () => {
  it('leaves out excludePaths, whatever way leads there', () => {
    make('repository/pack', 'a')
    symlinkSync('repository', at('way'))
    const plan = planOf(folder.path, { excludePaths: [at('repository')], followSymlinks: true })
    expect(pathsOf(scan(plan).entries)).toEqual(['a'])
  })

  it('leaves out single files of excludePaths and nothing beside them, whatever way leads there', () => {
    make('db', 'db-wal', 'db-2', 'sub/db', 'sub/big')
    const excludePaths = [at('db'), at('db-wal'), at('not-there-yet')]
    const left = ['db-2', 'sub', 'sub/big', 'sub/db']
    expect(pathsOf(scan(planOf(folder.path, { excludePaths })).entries)).toEqual(left)
    symlinkSync('db', at('way'))
    expect(pathsOf(scan(planOf(folder.path, { excludePaths, followSymlinks: true })).entries)).toEqual(left)
  })

  it('leaves out files above maxFileBytes, and says so', () => {
    writeFileSync(at('large'), 'x'.repeat(11))
    writeFileSync(at('small'), 'x'.repeat(10))
    const { entries, warnings } = scan(planOf(folder.path, { maxFileBytes: 10 }))
    expect(pathsOf(entries)).toEqual(['small'])
    expect(warnings).toMatchObject([{ code: 'ENTRY_SKIPPED', path: 'large', details: { sizeBytes: 11 } }])
  })

  it('keeps mount points without what is mounted there', () => {
    const { entries } = scan(planOf('/', { oneFileSystem: true, include: ['proc', 'proc/**'] }))
    expect(pathsOf(entries)).toEqual(['proc'])
  })
})

describe('followSymlinks', () => {
  it('takes in what links lead to, except in circles', () => {
    make('real/file')
    mkdirSync(at('tree/sub'), { recursive: true })
    symlinkSync('../real', at('tree/folder'))
    symlinkSync('../real/file', at('tree/file'))
    symlinkSync('..', at('tree/sub/up'))
    symlinkSync('nowhere', at('tree/broken'))
    symlinkSync('self', at('tree/self'))
    const { entries } = scan(planOf(at('tree'), { followSymlinks: true }))
    expect(entries.map(({ path, type }) => [path, type])).toEqual([
      ['broken', 2],
      ['file', 0],
      ['folder', 1],
      ['folder/file', 0],
      ['self', 2],
      ['sub', 1],
      ['sub/up', 2],
    ])
  })
})

describe('what cannot be read', () => {
  it('fails the scan, naming the path', async () => {
    make('closed/x', 'open')
    chmodSync(at('closed'), 0)
    await expect(unprivileged(() => scan(planOf(folder.path)))).rejects.toMatchObject({
      code: 'SOURCE_DENIED',
      origin: 'source',
      details: { path: at('closed'), system: 'EACCES' },
    })
  })

  it('is left out with a warning where that is wanted', async () => {
    make('closed/x', 'listed/x', 'open')
    chmodSync(at('closed'), 0)
    chmodSync(at('listed'), 0o444)
    const { entries, warnings } = await unprivileged(() => scan(planOf(folder.path), { onUnreadable: 'skip' }))
    expect(pathsOf(entries)).toEqual(['closed', 'listed', 'open'])
    expect(warnings.map(({ code, path }) => [code, path])).toEqual([
      ['ENTRY_SKIPPED', 'closed'],
      ['ENTRY_SKIPPED', 'listed/x'],
    ])
  })

  it('fails the scan in any case if it is the root', async () => {
    mkdirSync(at('closed'), 0)
    const denied = unprivileged(() => scan(planOf(at('closed')), { onUnreadable: 'skip' }))
    await expect(denied).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
  })
})
