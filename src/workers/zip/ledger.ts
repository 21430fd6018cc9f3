/**
 * What must be remembered of each entry until the directory at the end is written: 45 bytes, outside the heap. Those of many
 * entries are in a temporary file without a name.
 */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hex } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import { DEFLATED, STORED, type ZipEntryBody } from './headers.ts'

const RECORD_BYTES = 45
const BLOCK_RECORDS = 8192
const BLOCK_BYTES = RECORD_BYTES * BLOCK_RECORDS
/** More go to the file: 3 MB. */
const MOST_BLOCKS = 8
const SHA_BYTES = 32

export interface LedgerRecord extends Omit<ZipEntryBody, 'bytes'> {
  /** Hex. */
  readonly sha256: string
  readonly hasHoles: boolean
}

export class Ledger {
  /** By number; some of those that are in the file are not here. */
  private readonly blocks = new Map<number, Buffer>()
  private file: number | undefined
  /** Blocks before this one are in the file. */
  private spilled = 0
  count = 0

  add({ method, hasDescriptor, crc, storedBytes, sha256, hasHoles }: LedgerRecord): void {
    if (this.count % BLOCK_RECORDS === 0) this.begin(this.count / BLOCK_RECORDS)
    const record = this.at(this.count++)
    record.writeDoubleLE(storedBytes, 0)
    record.writeUInt32LE(crc, 8)
    record.writeUInt8((method === DEFLATED ? 1 : 0) | (hasDescriptor ? 2 : 0) | (hasHoles ? 4 : 0), 12)
    record.write(sha256, 13, SHA_BYTES, 'hex')
  }

  get(index: number): LedgerRecord {
    if (index >= this.count) throw notWritten(index)
    const record = this.at(index)
    const bits = record.readUInt8(12)
    return {
      method: bits & 1 ? DEFLATED : STORED,
      hasDescriptor: (bits & 2) !== 0,
      crc: record.readUInt32LE(8),
      storedBytes: record.readDoubleLE(0),
      sha256: record.toString('hex', 13, RECORD_BYTES),
      hasHoles: (bits & 4) !== 0,
    }
  }

  private begin(number: number): void {
    if (this.blocks.size >= MOST_BLOCKS) this.spill()
    this.blocks.set(number, Buffer.from(new ArrayBuffer(BLOCK_BYTES)))
  }

  /** Where no file can be written, all of it stays in memory. */
  private spill(): void {
    try {
      this.file ??= openTemporary()
      for (const [number, block] of this.blocks) {
        writeAll(this.file, block, number * BLOCK_BYTES)
        this.blocks.delete(number)
        this.spilled = number + 1
      }
    } catch {
      // `spilled` says what is there.
    }
  }

  private at(index: number): Buffer {
    const number = Math.floor(index / BLOCK_RECORDS)
    const block = this.blocks.get(number) ?? this.load(number)
    const start = (index % BLOCK_RECORDS) * RECORD_BYTES
    return block.subarray(start, start + RECORD_BYTES)
  }

  /** It is read in order, twice: one that was read takes the place of the one before. */
  private load(number: number): Buffer {
    for (const before of this.blocks.keys()) if (before < this.spilled) this.blocks.delete(before)
    const block = Buffer.from(new ArrayBuffer(BLOCK_BYTES))
    readSync(this.file!, block, 0, BLOCK_BYTES, number * BLOCK_BYTES)
    this.blocks.set(number, block)
    return block
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file)
    this.file = undefined
    this.blocks.clear()
  }
}

function notWritten(index: number): BackupError {
  return new BackupError('INTERNAL', `entry ${index} of the ZIP was not written yet`, { origin: 'repository' })
}

function openTemporary(): number {
  const path = join(tmpdir(), `holdfast-zip-${hex(randomBytes(8))}`)
  const file = openSync(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
    return file
  } catch (error) {
    // Windows keeps a file that is open; it would stay.
    closeSync(file)
    unlinkSync(path)
    throw error
  }
}

function writeAll(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, position + at)
}
