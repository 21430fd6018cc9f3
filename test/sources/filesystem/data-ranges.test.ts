import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type DataRange, dataRanges, rangesOf } from '../../../src/sources/filesystem/data-ranges.ts'
import { temporaryFolder } from './temporary.ts'

const MIB = 1024 * 1024
const folder = temporaryFolder()

function sparse(sizeBytes: number, data: readonly [number, number][]): DataRange[] | undefined {
  const fd = openSync(`${folder.path}/\n sparse`, 'w+')
  try {
    ftruncateSync(fd, sizeBytes)
    for (const [start, length] of data) writeSync(fd, Buffer.alloc(length, 1), 0, length, start)
    expect(fstatSync(fd).size).toBe(sizeBytes)
    return dataRanges(fd, sizeBytes)
  } finally {
    closeSync(fd)
  }
}

function covers(ranges: readonly DataRange[], at: number): boolean {
  return ranges.some(({ start, end }) => start <= at && at < end)
}

describe.runIf(process.platform === 'linux')('the ranges of data in a file', () => {
  it('are none of one that is a hole', () => {
    expect(sparse(10_000 * MIB + 1, [])).toEqual([])
  })

  it('hold all data and little else, also of a file with more data than is asked for', () => {
    const data: [number, number][] = [
      [0, 3 * MIB],
      [100 * MIB, 10],
      [900 * MIB - 5, 5],
    ]
    const ranges = sparse(900 * MIB, data)!
    for (const [start, length] of data) {
      expect(covers(ranges, start)).toBe(true)
      expect(covers(ranges, start + length - 1)).toBe(true)
    }
    expect(ranges.reduce((sum, { start, end }) => sum + end - start, 0)).toBeLessThan(4 * MIB)
    expect(covers(ranges, 500 * MIB)).toBe(false)
  })
})

describe('an answer', () => {
  const archive = (lines: string, size = 100): Buffer => {
    const header = Buffer.alloc(512)
    const records = Buffer.alloc(512)
    const text = `22 GNU.sparse.major=1\n26 GNU.sparse.realsize=${size}\n`
    records.write(text)
    header.write('x', 156)
    header.write(text.length.toString(8).padStart(11, '0'), 124)
    return Buffer.concat([header, records, Buffer.alloc(512), Buffer.from(lines)])
  }

  it('gives its ranges, without empty ones', () => {
    expect(rangesOf(archive('3\n0\n10\n20\n5\n100\n0\n'), 100)).toEqual([
      { start: 0, end: 10 },
      { start: 20, end: 25 },
    ])
  })

  it('that is cut off says nothing of the rest', () => {
    expect(rangesOf(archive('3\n0\n10\n20\n5'), 100)).toEqual([
      { start: 0, end: 10 },
      { start: 10, end: 100 },
    ])
  })

  it.each([
    ['not of a sparse file', Buffer.alloc(2048)],
    ['too short', Buffer.alloc(3)],
    ['of a file of another size', archive('0\n', 99)],
    ['out of order', archive('2\n50\n10\n20\n5\n')],
    ['beyond the end', archive('1\n50\n60\n')],
    ['without numbers', archive('1\nx\ny\n')],
  ])('%s is none', (_, bytes) => {
    expect(rangesOf(bytes, 100)).toBe(undefined)
  })
})
