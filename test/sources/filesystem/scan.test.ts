import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FLAG_CONTENT, FLAG_FORCE_READ } from '../../../src/model/entry-batch.ts'
import { TreeScanner } from '../../../src/sources/filesystem/scan.ts'
import { comparePaths } from '../../../src/util/paths.ts'
import { LATER, pathsOf, planOf, scan, temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)
const bytesAt = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from(bytes)])

describe('what a scan sees of a file', () => {
  it('is exact: mode, owner, size, nanoseconds', () => {
    writeFileSync(at('file'), 'twelve bytes')
    chmodSync(at('file'), 0o4751)
    const stat = statSync(at('file'), { bigint: true })
    const [entry] = scan(planOf(folder.path), LATER).entries
    expect(entry).toMatchObject({ path: 'file', type: 0, mode: 0o4751, sizeBytes: 12, mtimeNs: stat.mtimeNs })
    expect(entry).toMatchObject({ uid: process.getuid!(), gid: process.getgid!(), flags: FLAG_CONTENT })
    expect(entry!.fingerprint).toEqual([stat.ctimeNs, stat.ino])
    expect(entry!.linkGroup).toBeUndefined()
  })

  it('needs no reading where it is empty, and always with checksum', () => {
    writeFileSync(at('empty'), '')
    writeFileSync(at('full'), 'x')
    expect(scan(planOf(folder.path)).entries.map(({ flags }) => flags)).toEqual([0, FLAG_CONTENT])
    const checked = scan(planOf(folder.path, { checksum: true })).entries
    expect(checked.map(({ flags }) => flags)).toEqual([0, FLAG_CONTENT | FLAG_FORCE_READ])
  })

  it('has no fingerprint if it may change again within the same tick', () => {
    writeFileSync(at('fresh'), 'x')
    expect(scan(planOf(folder.path)).entries[0]!.fingerprint).toEqual([0n, 0n])
    expect(scan(planOf(folder.path), LATER).entries[0]!.fingerprint[0]).toBeGreaterThan(0n)
    utimesSync(at('fresh'), 4_000_000_000, 4_000_000_000)
    expect(scan(planOf(folder.path), LATER).entries[0]!.fingerprint).toEqual([0n, 0n])
  })

  it('has the nearest time that can be kept where its own is out of range, and says so', () => {
    writeFileSync(at('file'), 'x')
    execFileSync('touch', ['-d', '2300-01-01', at('file')])
    const { entries, warnings } = scan(planOf(folder.path))
    expect(entries[0]!.mtimeNs).toBe(2n ** 63n - 1n)
    expect(warnings).toMatchObject([{ code: 'TIME_OUT_OF_RANGE', path: 'file' }])
  })

  it('takes names of one file together', () => {
    writeFileSync(at('a'), 'x')
    linkSync(at('a'), at('b'))
    writeFileSync(at('c'), 'x')
    const { dev, ino } = lstatSync(at('a'), { bigint: true })
    const group = `${dev.toString(16)}:${ino.toString(16)}`
    expect(scan(planOf(folder.path)).entries.map(({ linkGroup }) => linkGroup)).toEqual([group, group, undefined])
  })

  it('keeps links as they are, wherever they lead', () => {
    symlinkSync('../nowhere', at('broken'))
    symlinkSync('.', at('loop'))
    symlinkSync(Buffer.from([0x61, 0xff, 0x0a]), at('odd'))
    lutimesSync(at('odd'), 1_000_000_000, 1_000_000_000)
    const { entries } = scan(planOf(folder.path))
    expect(entries.map(({ type, linkTarget, flags }) => [type, linkTarget, flags])).toEqual([
      [2, '../nowhere', 0],
      [2, '.', 0],
      [2, 'a\xff\n', 0],
    ])
    expect(entries[2]!.mtimeNs).toBe(1_000_000_000_000_000_000n)
  })

  it('knows FIFOs and sockets', async () => {
    execFileSync('mkfifo', [at('fifo')])
    const server = createServer().listen(at('socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    expect(scan(planOf(folder.path)).entries.map(({ path, type, flags }) => [path, type, flags])).toEqual([
      ['fifo', 3, 0],
      ['socket', 4, 0],
    ])
    await new Promise((resolve) => server.close(resolve))
  })

  it('knows devices and their numbers', () => {
    const { entries } = scan(planOf('/dev', { include: ['null'] }))
    expect(entries).toMatchObject([
      { path: 'null', type: 5, attributes: { 'holdfast.device': 'char', 'holdfast.rdev': 259 } },
    ])
  })
})

describe('names', () => {
  it('are exact whatever their bytes are', () => {
    const names = [[0xff, 0xfe], [0x0a], [0x61, 0x0a, 0x62], [0xc3, 0xa4], [0xc3], [0x20], [0x5c], [0x01]]
    for (const name of names) {
      mkdirSync(bytesAt(...name))
      writeFileSync(bytesAt(...name, 0x2f, 0xe9), 'x')
    }
    const expected = names.map((name) => Buffer.from(name).toString('latin1')).flatMap((name) => [name, `${name}/\xe9`])
    expect(pathsOf(scan(planOf(folder.path)).entries)).toEqual(expected.sort(comparePaths))
  })

  it('may be deep', () => {
    const deep = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(60, 'x'))
    mkdirSync(at(deep.join('/')), { recursive: true })
    const { entries } = scan(planOf(folder.path))
    expect(entries).toHaveLength(60)
    expect(entries.at(-1)!.path).toBe(deep.join('/'))
  })

  it('come in path order, in random trees, in batches of any size', () => {
    const name = fc.stringMatching(/^[a!.\-0é ]{1,3}$/).filter((text) => text !== '.' && text !== '..')
    const tree = fc.array(fc.array(name, { minLength: 1, maxLength: 4 }), { maxLength: 25 })
    fc.assert(
      fc.property(tree, fc.integer({ min: 1, max: 7 }), (paths, batch) => {
        for (const path of paths) mkdirSync(at(path.join('/')), { recursive: true })
        const found = pathsOf(scan(planOf(folder.path), { batch }).entries)
        const made = paths.flatMap((path) => path.map((_, i) => path.slice(0, i + 1).join('/')))
        const expected = [...new Set(made)].map((path) => Buffer.from(path).toString('latin1')).sort(comparePaths)
        rmSync(folder.path, { recursive: true })
        mkdirSync(folder.path)
        expect(found).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  it('may be many in one folder', () => {
    for (let i = 0; i < 5000; i++) symlinkSync('x', at(`${i}`))
    const scanner = new TreeScanner(planOf(folder.path), {
      warn: () => {},
      onUnreadable: 'fail',
      aborted: () => false,
      nowMs: Date.now,
    })
    const counts: number[] = []
    for (let done = false; !done; ) {
      const next = scanner.next(1000)
      counts.push(next.batch.count)
      done = next.done
    }
    expect(counts.reduce((a, b) => a + b)).toBe(5000)
    expect(Math.max(...counts)).toBe(1000)
    expect(scanner.next(1000)).toMatchObject({ done: true, batch: { count: 0 } })
  })
})

describe('roots', () => {
  it('give their entries a prefix where there are several, and themselves as entries', () => {
    mkdirSync(at('one'))
    writeFileSync(at('one/a'), 'x')
    mkdirSync(at('two'))
    writeFileSync(at('single'), 'x')
    const roots = ['two', 'single', 'one'].map((name) => ({ path: at(name), prefix: name }))
    const { entries } = scan(planOf(roots))
    expect(pathsOf(entries)).toEqual(['one', 'one/a', 'single', 'two'])
    for (const { path, root, prefixBytes } of entries.filter((entry) => entry.type === 0)) {
      expect(statSync(`${root}/${path.slice(prefixBytes)}`).isFile()).toBe(true)
    }
  })

  it('may be a single file', () => {
    writeFileSync(at('only'), 'x')
    const { entries } = scan(planOf(at('only')))
    expect(entries).toMatchObject([{ path: 'only', root: folder.path, prefixBytes: 0, flags: FLAG_CONTENT }])
    expect(scan(planOf(at('only'), { exclude: ['only'] })).entries).toEqual([])
  })

  it('may be the root of the file system', () => {
    expect(pathsOf(scan(planOf('/', { include: ['etc/passwd'] })).entries)).toEqual(['etc', 'etc/passwd'])
  })

  it('that are not there are SOURCE_NOT_FOUND', () => {
    expect(() => scan(planOf(at('none')))).toThrow(expect.objectContaining({ code: 'SOURCE_NOT_FOUND' }))
  })

  it('that go away meanwhile are SOURCE_INCOMPLETE', () => {
    mkdirSync(at('root/a'), { recursive: true })
    for (let i = 0; i < 20; i++) writeFileSync(at(`root/a/${i}`), 'x')
    const scanner = new TreeScanner(planOf(at('root')), {
      warn: () => {},
      onUnreadable: 'skip',
      aborted: () => false,
      nowMs: Date.now,
    })
    expect(scanner.next(5).batch.count).toBe(5)
    renameSync(at('root'), at('moved'))
    expect(() => scanner.next(100)).toThrow(expect.objectContaining({ code: 'SOURCE_INCOMPLETE', retryable: true }))
  })

  it('of which entries vanish meanwhile are complete without them', () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(at(name), 'x')
    const warnings: unknown[] = []
    const scanner = new TreeScanner(planOf(folder.path), {
      warn: (warning) => warnings.push(warning),
      onUnreadable: 'fail',
      aborted: () => false,
      nowMs: Date.now,
    })
    expect(scanner.next(1).batch.count).toBe(1)
    rmSync(at('b'))
    expect(scanner.next(10)).toMatchObject({ done: true, batch: { count: 1 } })
    expect([scanner.vanished, warnings]).toEqual([1, []])
  })

  it('stop when aborted', () => {
    expect(() => scan(planOf(folder.path), { aborted: () => true })).toThrow(
      expect.objectContaining({ code: 'ABORTED' }),
    )
  })
})
