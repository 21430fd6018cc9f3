import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, closeSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  fingerprintFromStat,
  metaFromStat,
  openFile,
  readInto,
  statChanged,
  statOpen,
} from '../../../src/sources/filesystem/read-file.ts'
import { temporaryFolder, unprivileged } from './temporary.ts'

const folder = temporaryFolder()
const at = (path: string): string => join(folder.path, path)

function open<T>(path: string, body: (fd: number, stat: ReturnType<typeof statOpen>) => T): T {
  const { fd, stat } = openFile(path)
  try {
    return body(fd, stat)
  } finally {
    closeSync(fd)
  }
}

describe('openFile', () => {
  it('reads a file into a buffer, piece by piece', () => {
    writeFileSync(at('file'), '0123456789')
    const buffer = new Uint8Array(12)
    const counts = open(at('file'), (fd) => [
      readInto(fd, buffer, 1, 4, 0),
      readInto(fd, buffer, 5, 7, 4),
      readInto(fd, buffer, 0, 1, 10),
    ])
    expect(counts).toEqual([4, 6, 0])
    expect(Buffer.from(buffer).toString()).toBe('\x000123456789\x00')
  })

  it('takes names that are not UTF-8', () => {
    writeFileSync(Buffer.from(`${folder.path}/\xff\xe9`, 'latin1'), 'x')
    expect(open(`${folder.path}/\xff\xe9`, (_, stat) => stat.size)).toBe(1n)
  })

  it('says that a file is gone', () => {
    expect(() => openFile(at('none'))).toThrow(expect.objectContaining({ code: 'SOURCE_NOT_FOUND' }))
    writeFileSync(at('file'), '')
    expect(() => openFile(at('file/below'))).toThrow(expect.objectContaining({ code: 'SOURCE_NOT_FOUND' }))
  })

  it('says that a file is none any more, without waiting for a FIFO', async () => {
    execFileSync('mkfifo', [at('fifo')])
    symlinkSync('fifo', at('link'))
    mkdirSync(at('folder'))
    const server = createServer().listen(at('socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    for (const name of ['fifo', 'link', 'folder', 'socket']) {
      const changed = expect.objectContaining({ code: 'SOURCE_CHANGED', origin: 'source', details: { path: at(name) } })
      expect(() => openFile(at(name)), name).toThrow(changed)
    }
    await new Promise((resolve) => server.close(resolve))
  })

  it('follows a link only when told to', () => {
    writeFileSync(at('file'), 'x')
    symlinkSync('file', at('link'))
    expect(() => openFile(at('link'))).toThrow(expect.objectContaining({ code: 'SOURCE_CHANGED' }))
    const { fd, stat } = openFile(at('link'), true)
    closeSync(fd)
    expect(stat.size).toBe(1n)
  })

  it('says that it may not', async () => {
    writeFileSync(at('file'), 'x')
    chmodSync(at('file'), 0)
    const denied = { code: 'SOURCE_DENIED', retryable: false, details: { path: at('file'), system: 'EACCES' } }
    await expect(unprivileged(() => openFile(at('file')))).rejects.toMatchObject(denied)
  })

  it('leaves no descriptor behind where it refuses', () => {
    mkdirSync(at('folder'))
    writeFileSync(at('file'), 'x')
    const before = open(at('file'), (fd) => fd)
    for (let i = 0; i < 5; i++) expect(() => openFile(at('folder'))).toThrow()
    expect(open(at('file'), (fd) => fd)).toBe(before)
  })
})

describe('readInto', () => {
  it('names the file where the system refuses', () => {
    writeFileSync(at('file'), 'x')
    const { fd } = openFile(at('file'))
    closeSync(fd)
    const refused = expect.objectContaining({ code: 'SOURCE_DENIED', details: { path: 'a/file', system: 'EBADF' } })
    expect(() => readInto(fd, new Uint8Array(1), 0, 1, 0, 'a/file')).toThrow(refused)
  })
})

describe('statChanged', () => {
  it('notices growth, equal size, and metadata', () => {
    writeFileSync(at('file'), 'aaaa')
    utimesSync(at('file'), 1000, 1000)
    open(at('file'), (fd, before) => {
      expect(statChanged(before, statOpen(fd))).toBe(false)
      appendFileSync(at('file'), 'b')
      const grown = statOpen(fd)
      expect(statChanged(before, grown)).toBe(true)
      utimesSync(at('file'), 1000, 1000)
      const touched = statOpen(fd)
      expect(touched.mtimeNs).toBe(before.mtimeNs)
      expect(statChanged(before, { ...touched, size: before.size, ctimeNs: before.ctimeNs } as typeof touched)).toBe(
        false,
      )
      expect(statChanged(before, { ...touched, size: before.size } as typeof touched)).toBe(true)
    })
  })
})

describe('what is kept of a stat', () => {
  it('clamps times that 64 bits of nanoseconds cannot hold', () => {
    writeFileSync(at('file'), 'x')
    open(at('file'), (_, stat) => {
      expect(metaFromStat('a', { ...stat, mtimeNs: 2n ** 70n } as typeof stat).mtimeNs).toBe(2n ** 63n - 1n)
      expect(metaFromStat('a', { ...stat, mtimeNs: -(2n ** 70n) } as typeof stat).mtimeNs).toBe(-(2n ** 63n))
    })
  })

  it('has a fingerprint only after two seconds of rest', () => {
    writeFileSync(at('file'), 'x')
    open(at('file'), (_, stat) => {
      const changedMs = Number(stat.ctimeNs / 1_000_000n)
      expect(fingerprintFromStat(stat, changedMs + 1500)).toEqual([0n, 0n])
      expect(fingerprintFromStat(stat, changedMs - 1500)).toEqual([0n, 0n])
      expect(fingerprintFromStat(stat, changedMs + 2500)).toEqual([stat.ctimeNs, stat.ino])
    })
  })
})
