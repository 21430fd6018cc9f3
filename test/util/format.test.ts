import { describe, expect, it } from 'vitest'
import { formatDuration } from '../../src/util/duration.ts'
import { formatBytes, formatCount, formatPercent, shortenPath } from '../../src/util/format.ts'

describe('format', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_999, '1.0 MB'],
    [12_345_678, '12.3 MB'],
    [5e18, '5000.0 PB'],
  ])('%d bytes is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it.each([
    [840, '840 ms'],
    [4200, '4.2 s'],
    [59_940, '59.9 s'],
    [59_960, '1m 00s'],
    [185_000, '3m 05s'],
    [7_800_000, '2h 10m'],
    [100_800_000, '1d 04h'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('counts and percents', () => {
    expect(formatCount(1234567)).toBe('1,234,567')
    expect(formatPercent(42)).toBe('42.0 %')
    expect(formatPercent(null)).toBe('-')
  })

  it('shortens the middle of a path to exactly the width', () => {
    expect(shortenPath('a/b', 10)).toBe('a/b')
    const short = shortenPath('uploads/2026/07/holiday/picture.png', 20)
    expect(short).toHaveLength(20)
    expect(short.startsWith('upload')).toBe(true)
    expect(short.endsWith('picture.png')).toBe(true)
  })
})
