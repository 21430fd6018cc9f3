/** What comes back is what was backed up, as diff and rsync see it. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { memoryTarget } from '../../src/index.ts'
import { noise, openOn, scratch } from '../faults/support.ts'
import { differences, requirePrograms } from './outside-proof.ts'
import { putFile, rawPath, roundTrip } from './round-trip.ts'

const MIB = 1024 * 1024
const space = scratch()
const source = (...names: string[]): string => space.at('source', ...names)
const raw = (name: string | Buffer): Buffer => rawPath(source(), name)
const put = (name: string | Buffer, content?: string | Uint8Array, mode?: number): void =>
  putFile(raw(name), content, mode)

beforeAll(requirePrograms)

async function expectExact(threads = false): Promise<void> {
  expect(differences(source(), await roundTrip(space.path, { threads }))).toBe('')
}

describe('the proof', () => {
  it.each<[string, () => void]>([
    ['content', () => writeFileSync(space.at('to', 'data', 'a'), 'CONTENT')],
    ['a mode', () => chmodSync(space.at('to', 'data', 'a'), 0o600)],
    ['a time', () => utimesSync(space.at('to', 'data', 'a'), 1, 1)],
    ['an owner', () => chownSync(space.at('to', 'data', 'a'), 1, 1)],
    ['a link', () => rmSync(space.at('to', 'data', 'link'))],
    ['something more', () => symlinkSync('a', space.at('to', 'data', 'more'))],
    ['the root', () => chmodSync(space.at('to', 'data'), 0o711)],
  ])('notices another %s', async (_, change) => {
    mkdirSync(source())
    put('a')
    linkSync(source('a'), source('link'))
    await expectExact()
    change()
    expect(differences(source(), space.at('to', 'data'))).not.toBe('')
  })
})

describe('a tree', () => {
  it('with odd names', async () => {
    mkdirSync(source())
    const names = [
      'new\nline',
      ' leading',
      'trailing ',
      '-rf',
      '*?[]{}!',
      '\\',
      '\'"`$(x)',
      'ÄÖÜ',
      'e\u0301',
      '\u00e9',
      '日本語',
      '🦉',
      '\u202eRTL',
      '#',
      '.hidden',
      '..almost',
      '...',
      'con',
      'a'.repeat(255),
      '\x01\x7f',
      '\ufeffbom',
      '\u{10ffff}',
    ]
    for (const name of names) put(name, name)
    for (const bytes of [[0xff], [0x80, 0x81], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0x61, 0xfe, 0x62]])
      put(Buffer.from(bytes), `${bytes}`)
    mkdirSync(raw(Buffer.from([0xe4, 0xf6])))
    put(Buffer.from([0xe4, 0xf6, 0x2f, 0xfc]), 'latin1')
    symlinkSync(Buffer.from([0xfe, 0x2f, 0xff]), raw('to-bytes'))
    let deep = 'deep'
    for (let i = 0; i < 60; i++) deep += `/${'d'.repeat(50)}`
    mkdirSync(raw(deep), { recursive: true })
    put(`${deep}/bottom`, 'deep down')
    await expectExact()
  })

  it('with nothing in it, in files and in folders', async () => {
    mkdirSync(source('a', 'b', 'c'), { recursive: true })
    for (const name of ['empty', 'a/empty', 'a/b/empty']) put(name, '')
    await expectExact()
  })

  it('that is an empty folder', async () => {
    mkdirSync(source(), { mode: 0o750 })
    utimesSync(source(), 1_500_000_000, 1_500_000_000)
    await expectExact()
  })

  it('with links of both kinds', async () => {
    mkdirSync(source('sub'), { recursive: true })
    put('one', noise(3 * MIB, 5))
    put('small', 'x')
    put('none', '')
    for (const name of ['one', 'small', 'none']) {
      linkSync(source(name), source(`${name}-again`))
      linkSync(source(name), source('sub', name))
    }
    symlinkSync('nowhere/at/all', source('dangling'))
    symlinkSync('/etc/passwd', source('absolute'))
    symlinkSync('sub', source('to-folder'))
    symlinkSync('../../..', source('sub', 'up'))
    lutimesSync(source('dangling'), 1_400_000_000, 1_400_000_000)
    linkSync(source('dangling'), source('dangling-again'))
    await expectExact(true)
    expect(statSync(space.at('to', 'data', 'one')).nlink).toBe(3)
    expect(statSync(space.at('to', 'data', 'none')).nlink).toBe(3)
    expect(lstatSync(space.at('to', 'data', 'dangling')).nlink).toBe(2)
  })

  it('with modes of every kind, owners and times', async () => {
    mkdirSync(source())
    for (const mode of [0, 0o400, 0o4755, 0o2755, 0o1777, 0o6711, 0o777]) {
      put(`file-${mode.toString(8)}`, `${mode}`, mode)
      mkdirSync(source(`folder-${mode.toString(8)}`))
      put(`folder-${mode.toString(8)}/in`, `${mode}`)
      chmodSync(source(`folder-${mode.toString(8)}`), mode)
    }
    put('owned', 'x', 0o4755)
    execFileSync('chown', ['12345:54321', source('owned')])
    chmodSync(source('owned'), 0o4755)
    const times = {
      old: '1970-01-01 00:00:01',
      nano: '2020-02-02 02:02:02.123456789',
      future: '2100-01-01',
      before: '1955-11-05',
    }
    for (const [name, time] of Object.entries(times)) {
      put(name)
      mkdirSync(source(`${name}-folder`))
      execFileSync('touch', ['-d', time, source(name), source(`${name}-folder`)])
    }
    utimesSync(source(), 1_234_567_890, 1_234_567_890)
    chmodSync(source(), 0o2751)
    await expectExact()
  })

  it('with FIFOs', async () => {
    mkdirSync(source())
    execFileSync('mkfifo', ['-m', '640', source('pipe')])
    put('file')
    await expectExact()
    expect(statSync(space.at('to', 'data', 'pipe')).isFIFO()).toBe(true)
  })

  it('with holes, zeros, and lengths around every border', async () => {
    mkdirSync(source())
    const sizes = [
      1,
      65_535,
      65_536,
      65_537,
      128 * 1024 - 1,
      128 * 1024,
      128 * 1024 + 1,
      MIB - 1,
      MIB,
      MIB + 1,
      2 * MIB - 1,
      2 * MIB,
      2 * MIB + 1,
      6 * MIB,
      6 * MIB + 1,
    ]
    for (const size of sizes) {
      put(`noise-${size}`, noise(size, size))
      put(`zeros-${size}`, new Uint8Array(size))
    }
    const sparse = openSync(source('sparse'), 'w')
    ftruncateSync(sparse, 90 * MIB)
    writeSync(sparse, 'in the middle', 40 * MIB)
    writeSync(sparse, noise(300_000, 4), 0, 300_000, 70 * MIB + 17)
    closeSync(sparse)
    const hollow = openSync(source('hollow'), 'w')
    ftruncateSync(hollow, 30 * MIB)
    closeSync(hollow)
    await expectExact(true)
    expect(statSync(space.at('to', 'data', 'sparse')).blocks * 512).toBeLessThan(20 * MIB)
    expect(statSync(space.at('to', 'data', 'hollow')).blocks).toBeLessThan(100)
  })

  it('with the same content many times over, stored once', async () => {
    const content = noise(3 * MIB, 8)
    mkdirSync(source())
    for (let i = 0; i < 8; i++) put(`copy-${i}`, content)
    put('shifted', Buffer.concat([Buffer.from('shift'), content]))
    const engine = await openOn(memoryTarget(), source())
    const { counts } = await engine.backup()
    expect(counts.sourceBytes).toBe(27 * MIB + 5)
    expect(counts.newBytes).toBeLessThan(5 * MIB)
    await engine.close()
    await expectExact(true)
  })

  it('of a thousand files, with threads', async () => {
    for (let i = 0; i < 1000; i++) {
      mkdirSync(source(`${i % 10}`, `${i % 37}`), { recursive: true })
      put(`${i % 10}/${i % 37}/file ${i}`, `${i}`.repeat(i))
    }
    await expectExact(true)
  })

  it('in a folder with more entries than one page has', async () => {
    mkdirSync(source('many'), { recursive: true })
    for (let i = 0; i < 3000; i++) put(`many/${i}-${'n'.repeat(i % 60)}`, i % 3 === 0 ? '' : `${i % 5}`)
    await expectExact()
  })
})
