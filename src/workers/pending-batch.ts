/** A merged batch: records that are known already, and places of those that a reader has yet to give. */
import { FINGERPRINT_BYTES, readMeta } from '../model/entry.ts'
import type { EntryBatch } from '../model/entry-batch.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { type ReadJob, type ReadResult, STATUS_OK } from './ingest.ts'

const KNOWN = 0
const AWAITED = 1

export type RecordVisitor = (
  path: string,
  record: Uint8Array,
  fingerprints: Uint8Array,
  fingerprintAt: number,
  contentBytes: number,
) => void

export class PendingBatch {
  private readonly kinds: number[] = []
  private readonly records = new ByteWriter(16 * 1024)
  private readonly fingerprints = new ByteWriter(4 * 1024)
  private readonly metas = new ByteWriter(16 * 1024)
  private awaited = 0
  private awaitedBytes = 0
  private result: ReadResult | undefined
  job: ReadJob | null = null

  addKnown(record: (out: ByteWriter) => void, fingerprints: Uint8Array, at: number): void {
    this.kinds.push(KNOWN)
    const start = this.records.reserve(4)
    record(this.records)
    this.records.bytes.writeUInt32LE(this.records.length - start - 4, start)
    this.fingerprints.raw(fingerprints.subarray(at, at + FINGERPRINT_BYTES))
  }

  addAwaited(meta: Uint8Array, contentBytes: number): void {
    this.kinds.push(AWAITED)
    this.awaited++
    this.awaitedBytes += contentBytes
    this.metas.u32(meta.length)
    this.metas.raw(meta)
  }

  seal(source: string, { root, prefixBytes, follow }: EntryBatch): void {
    if (this.awaited === 0) return
    const { awaited: count, awaitedBytes: contentBytes } = this
    this.job = { source, root, prefixBytes, follow, count, contentBytes, metas: this.metas.copy() }
  }

  get isComplete(): boolean {
    return this.awaited === 0 || this.result !== undefined
  }

  complete(result: ReadResult): void {
    this.result = result
  }

  forEach(visit: RecordVisitor): void {
    const known = new RecordRun(this.records.view(), this.fingerprints.view())
    const read = this.result && new RecordRun(this.result.records, this.result.fingerprints)
    let status = 0
    for (const kind of this.kinds) {
      if (kind === KNOWN) known.next(visit)
      else if (this.result!.statuses[status++] === STATUS_OK) read!.next(visit)
    }
  }
}

/** u32-prefixed records with their fingerprints, taken one by one. */
class RecordRun {
  private readonly input: ByteReader
  private readonly fingerprints: Uint8Array
  private at = 0

  constructor(records: Uint8Array, fingerprints: Uint8Array) {
    this.input = new ByteReader(records)
    this.fingerprints = fingerprints
  }

  next(visit: RecordVisitor): void {
    const { input } = this
    const length = input.u32()
    const start = input.position
    input.varint()
    const meta = readMeta(input)
    const record = input.bytes.subarray(start, start + length)
    input.position = start + length
    visit(meta.path, record, this.fingerprints, this.at, meta.sizeBytes ?? 0)
    this.at += FINGERPRINT_BYTES
  }
}
