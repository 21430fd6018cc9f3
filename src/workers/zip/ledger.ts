/** What must be remembered of each entry until the directory at the end is written: 45 bytes, outside the heap. */
import { DEFLATED, STORED, type ZipEntryBody } from './headers.ts'

const RECORD_BYTES = 45
const BLOCK_RECORDS = 8192
const SHA_BYTES = 32

export interface LedgerRecord extends Omit<ZipEntryBody, 'bytes'> {
  /** Hex. */
  readonly sha256: string
}

export class Ledger {
  private readonly blocks: Buffer[] = []
  count = 0

  add({ method, hasDescriptor, crc, storedBytes, sha256 }: LedgerRecord): void {
    if (this.count % BLOCK_RECORDS === 0) this.blocks.push(Buffer.alloc(RECORD_BYTES * BLOCK_RECORDS))
    const record = this.at(this.count++)
    record.writeDoubleLE(storedBytes, 0)
    record.writeUInt32LE(crc, 8)
    record.writeUInt8((method === DEFLATED ? 1 : 0) | (hasDescriptor ? 2 : 0), 12)
    record.write(sha256, 13, SHA_BYTES, 'hex')
  }

  get(index: number): LedgerRecord {
    const record = this.at(index)
    const bits = record.readUInt8(12)
    return {
      method: bits & 1 ? DEFLATED : STORED,
      hasDescriptor: (bits & 2) !== 0,
      crc: record.readUInt32LE(8),
      storedBytes: record.readDoubleLE(0),
      sha256: record.toString('hex', 13, RECORD_BYTES),
    }
  }

  private at(index: number): Buffer {
    const start = (index % BLOCK_RECORDS) * RECORD_BYTES
    return this.blocks[Math.floor(index / BLOCK_RECORDS)]!.subarray(start, start + RECORD_BYTES)
  }
}
