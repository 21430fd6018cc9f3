import { closeSync, fstatSync, lstatSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { setLinkTimes, setOpenTimes, setTimes } from '../../../src/sources/filesystem/file-times.ts'
import { temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()
const NS = 1_000_000_000n
const secondOf = (ns: bigint): bigint => (ns - (((ns % NS) + NS) % NS)) / NS

function written(ns: bigint): bigint {
  const fd = openSync(join(folder.path, 'file'), 'a')
  try {
    setOpenTimes(fd, ns)
    return fstatSync(fd, { bigint: true }).mtimeNs
  } finally {
    closeSync(fd)
  }
}

describe('times that are set', () => {
  it('are at most 120 ns off, and in the same second, from 1902 to 2038', () => {
    const time = fc.bigInt({ min: -(2n ** 31n) * NS, max: 2n ** 31n * NS - 1n })
    fc.assert(
      fc.property(time, (ns) => {
        const found = written(ns)
        expect(secondOf(found)).toBe(secondOf(ns))
        expect(Math.abs(Number(found - ns))).toBeLessThanOrEqual(240)
        if (ns % NS < 999_999_000n) expect(Math.abs(Number(found - ns))).toBeLessThanOrEqual(120)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    0n,
    1n,
    -1n,
    -NS,
    NS - 1n,
    -NS - 1n,
    2n ** 31n * NS - 1n,
    1_732_175_000n * NS + 999_999_999n,
    2n ** 30n * NS - 1n,
  ])('stay in the second of %s ns', (ns) => {
    expect(secondOf(written(ns))).toBe(secondOf(ns))
  })

  it('are those of a link itself, or of what a path leads to', () => {
    writeFileSync(join(folder.path, 'file'), '')
    symlinkSync('file', join(folder.path, 'link'))
    setTimes(join(folder.path, 'link'), 5n * NS)
    setLinkTimes(join(folder.path, 'link'), 7n * NS)
    const times = ['file', 'link'].map((name) => lstatSync(join(folder.path, name), { bigint: true }).mtimeNs)
    expect(times).toEqual([5n * NS, 7n * NS])
  })
})
