/** A merged batch: records that are known already, and places of those that a reader has yet to give. */
import { FINGERPRINT_BYTES, MetaPeek } from '../../model/entry.ts'
import { type EntryBatch, FLAG_XATTRS } from '../../model/entry-batch.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'
import { type ReadJob, type ReadResult, STATUS_OK } from '../ingest/service.ts'
import type { KeptRun } from './kept-run.ts'
import type { RecordVisitor } from './record-visitor.ts'

const KNOWN = 0
const AWAITED_NEW = 1
/** The parent has an entry of that path. */
const AWAITED_CHANGED = 2
const RUN = 3

export class PendingBatch {
  private readonly kinds: number[] = []
  private readonly paths: string[] = []
  private readonly sizes: number[] = []
  private readonly ends: number[] = []
  private readonly records = new ByteWriter(16 * 1024)
  private readonly fingerprints = new ByteWriter(4 * 1024)
  private readonly metas = new ByteWriter(16 * 1024)
  private readonly awaitedFingerprints = new ByteWriter(4 * 1024)
  private readonly runs: KeptRun[] = []
  private awaited = 0
  private awaitedBytes = 0
  /** Of the records that are taken over from the parent. */
  keptBytes = 0
  private result: ReadResult | undefined
  job: ReadJob | null = null
  /** By number among the awaited. */
  private readonly before = new Map<number, Uint8Array>()
  /** Entries that could not be read after all; counted by `forEach`. */
  readonly leftOut = { added: 0, modified: 0 }
  /** Entries that were read only to find that nothing has changed; counted by `forEach`. */
  same = 0

  /** A record that is finished: those of the parent's page, where nothing has changed. */
  addRecord(
    { path, sizeBytes }: MetaPeek,
    page: Uint8Array,
    start: number,
    end: number,
    fingerprints: Uint8Array,
    at: number,
  ): void {
    this.addKnown(path, sizeBytes, fingerprints, at)
    this.keptBytes += sizeBytes
    const position = this.records.reserve(end - start)
    this.records.bytes.set(page.subarray(start, end), position)
    this.ends.push(this.records.length)
  }

  /** Entries that the parent's page has side by side. Their bytes are counted by whoever adds them. */
  addRun(run: KeptRun): void {
    this.kinds.push(RUN)
    this.runs.push(run)
  }

  /** An entry without content. */
  addEmpty({ path, sizeBytes }: MetaPeek, meta: Uint8Array, fingerprints: Uint8Array, at: number): void {
    this.addKnown(path, sizeBytes, fingerprints, at)
    this.records.varint(meta.length)
    this.records.raw(meta)
    this.records.varint(1)
    this.records.u8(0)
    this.ends.push(this.records.length)
  }

  private addKnown(path: string, sizeBytes: number, fingerprints: Uint8Array, at: number): void {
    this.kinds.push(KNOWN)
    this.paths.push(path)
    this.sizes.push(sizeBytes)
    this.fingerprints.raw(fingerprints.subarray(at, at + FINGERPRINT_BYTES))
  }

  /** `before`: the parent's record, where its metadata is the same and only reading can tell. */
  addAwaited(
    meta: Uint8Array,
    contentBytes: number,
    fingerprints: Uint8Array,
    at: number,
    exists: boolean,
    before?: Uint8Array,
  ): void {
    if (before) this.before.set(this.awaited, new Uint8Array(before))
    this.awaitedFingerprints.raw(fingerprints.subarray(at, at + FINGERPRINT_BYTES))
    this.kinds.push(exists ? AWAITED_CHANGED : AWAITED_NEW)
    this.awaited++
    this.awaitedBytes += contentBytes
    this.metas.u32(meta.length)
    this.metas.raw(meta)
  }

  seal(source: string, { root, prefixBytes, follow, flags }: EntryBatch): void {
    if (this.awaited === 0) return
    const { awaited: count, awaitedBytes: contentBytes } = this
    this.job = {
      source,
      root,
      prefixBytes,
      follow,
      count,
      contentBytes,
      // All entries of a scan have it, or none.
      xattrs: (flags[0]! & FLAG_XATTRS) !== 0,
      metas: this.metas.copy(),
      fingerprints: this.awaitedFingerprints.copy(),
    }
  }

  get isComplete(): boolean {
    return this.awaited === 0 || this.result !== undefined
  }

  complete(result: ReadResult): void {
    this.result = result
  }

  /** For a batch that has to wait for content: it lets go of the parent's pages. */
  own(): void {
    for (const run of this.runs) run.own()
  }

  /** `takeLeaf`: true where a whole leaf of the parent was taken as it is; else its entries are visited. */
  forEach(visit: RecordVisitor, takeLeaf: (run: KeptRun) => boolean = () => false): void {
    const read = this.result && new RecordRun(this.result.records, this.result.fingerprints)
    let status = 0
    let known = 0
    let runs = 0
    for (const kind of this.kinds) {
      if (kind === KNOWN) this.visitKnown(known++, visit)
      else if (kind === RUN) visitRun(this.runs[runs++]!, visit, takeLeaf)
      else this.visitAwaited(kind, status++, read!, visit)
    }
  }

  private visitAwaited(kind: number, index: number, read: RecordRun, visit: RecordVisitor): void {
    if (this.result!.statuses[index] !== STATUS_OK) this.leftOut[kind === AWAITED_NEW ? 'added' : 'modified']++
    else if (read.next(visit, this.before.get(index))) this.same++
  }

  private visitKnown(index: number, visit: RecordVisitor): void {
    const start = index === 0 ? 0 : this.ends[index - 1]!
    const record = this.records.bytes.subarray(start, this.ends[index])
    visit(this.paths[index]!, record, this.fingerprints.bytes, index * FINGERPRINT_BYTES, this.sizes[index]!)
  }
}

function visitRun(run: KeptRun, visit: RecordVisitor, takeLeaf: (run: KeptRun) => boolean): void {
  if (run.leaf === undefined || !takeLeaf(run)) run.forEach(visit)
}

/** u32-prefixed records with their fingerprints, taken one by one. */
class RecordRun {
  private readonly input: ByteReader
  private readonly fingerprints: Uint8Array
  private readonly peek = new MetaPeek()
  private at = 0

  constructor(records: Uint8Array, fingerprints: Uint8Array) {
    this.input = new ByteReader(records)
    this.fingerprints = fingerprints
  }

  /** True if the record is the same as `before`. */
  next(visit: RecordVisitor, before: Uint8Array | undefined): boolean {
    const { input } = this
    const length = input.u32()
    const start = input.position
    input.varint()
    this.peek.read(input)
    const record = input.bytes.subarray(start, start + length)
    input.position = start + length
    visit(this.peek.path, record, this.fingerprints, this.at, this.peek.sizeBytes)
    this.at += FINGERPRINT_BYTES
    return before !== undefined && record.equals(before)
  }
}
