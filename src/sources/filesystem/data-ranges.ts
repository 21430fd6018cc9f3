/**
 * Which parts of a sparse file hold data. Node has no SEEK_HOLE, and reading holes costs what reading data from memory
 * does: 10 GB took 3 s, and 23 s where the kernel had to make room first. GNU tar writes the ranges before the data of a
 * sparse file, so it is asked for its first bytes and then let go.
 */
import { spawnSync } from 'node:child_process'
import { searchPath } from './programs.ts'

export interface DataRange {
  readonly start: number
  readonly end: number
}

const BLOCK = 512
/** Of tar's output: about 50,000 ranges. What lies behind them is read, holes and all. */
const MAX_OUTPUT_BYTES = 1 << 20
const TIMEOUT_MS = 60_000
/** The child's number for the file. */
const CHILD_FD = 3

/**
 * Ranges of an open file outside which there is nothing but zeros, in order. Undefined where that cannot be found out:
 * no GNU tar, another system than Linux, or a file system that does not tell.
 */
export function dataRanges(fd: number, sizeBytes: number): DataRange[] | undefined {
  if (process.platform !== 'linux') return undefined
  const args = ['--format=pax', '--sparse', '--hole-detection=seek', '--sparse-version=1.0', '-h', '-P', '-cf', '-']
  const { stdout } = spawnSync('tar', [...args, `/proc/self/fd/${CHILD_FD}`], {
    env: { PATH: searchPath(), LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore', fd],
    // Of a file with data it is killed when this much has come: that is meant.
    maxBuffer: MAX_OUTPUT_BYTES,
    timeout: TIMEOUT_MS,
  })
  return stdout === null ? undefined : rangesOf(stdout, sizeBytes)
}

/**
 * A pax header with its records, the file's header, then the map: decimal numbers, one a line: how many ranges, then
 * start and length of each. A map that is cut off ends with all the rest.
 */
export function rangesOf(archive: Buffer, sizeBytes: number): DataRange[] | undefined {
  if (archive.length < BLOCK || String.fromCharCode(archive[156]!) !== 'x') return undefined
  const recordBytes = Number.parseInt(archive.toString('latin1', 124, 136), 8)
  const header = BLOCK + Math.ceil(recordBytes / BLOCK) * BLOCK
  const records = archive.toString('latin1', BLOCK, BLOCK + recordBytes)
  if (!records.includes('GNU.sparse.major=1\n') || !records.includes(`GNU.sparse.realsize=${sizeBytes}\n`))
    return undefined
  const lines = archive.toString('latin1', header + BLOCK).split('\n')
  const count = Number(lines[0])
  if (!Number.isSafeInteger(count) || count < 0) return undefined
  const ranges: DataRange[] = []
  let end = 0
  for (let i = 0; i < count; i++) {
    // The last of the lines may be cut off.
    if (2 * i + 3 >= lines.length) return [...ranges, { start: end, end: sizeBytes }]
    const start = Number(lines[2 * i + 1])
    const length = Number(lines[2 * i + 2])
    if (!(start >= end) || !(length >= 0) || start + length > sizeBytes) return undefined
    end = start + length
    if (length > 0) ranges.push({ start, end })
  }
  return ranges
}
