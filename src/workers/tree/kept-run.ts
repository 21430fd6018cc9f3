/** Consecutive entries of one of the parent's leaves that are as they were. Where it is the whole leaf, its page can be taken over. */
import { FINGERPRINT_BYTES, MetaPeek, peekPath } from '../../model/entry.ts'
import type { PageRef } from '../../model/page.ts'
import { ByteReader } from '../../util/bytes.ts'
import { guard } from '../browse/page-cursor.ts'
import type { RecordVisitor } from './record-visitor.ts'

/** Fingerprints of a scan, side by side. */
interface Prints {
  bytes: Uint8Array
  start: number
  end: number
}

export class KeptRun {
  entries = 0
  /** Set when the run has come to be the whole leaf. */
  leaf: PageRef | undefined
  /** Of a whole leaf: its fingerprint page stands as well. */
  printsStand = true
  readonly isFromStart: boolean
  private page: Buffer
  private start: number
  private end: number
  private last = 0
  private readonly prints: Prints[] = []

  /** `page` is a view until `own` is called. */
  constructor(page: Buffer, start: number, isFromStart: boolean) {
    this.page = page
    this.start = start
    this.end = start
    this.isFromStart = isFromStart
  }

  /** The next entry of the leaf: its record, and the fingerprint that the scan found. */
  add(recordStart: number, recordEnd: number, fingerprints: Uint8Array, at: number): void {
    this.entries++
    this.last = recordStart
    this.end = recordEnd
    const piece = this.prints.at(-1)
    if (piece?.bytes === fingerprints && piece.end === at) piece.end += FINGERPRINT_BYTES
    else this.prints.push({ bytes: fingerprints, start: at, end: at + FINGERPRINT_BYTES })
  }

  /** latin1 */
  get lastPath(): string {
    const record = new ByteReader(this.page, this.last, this.end)
    return guard('page', () => {
      record.varint()
      return peekPath(record)
    })
  }

  get fingerprints(): Uint8Array[] {
    return this.prints.map(({ bytes, start, end }) => bytes.subarray(start, end))
  }

  /** Lets go of the page, which keeps a whole segment in memory: for runs that have to wait. */
  own(): void {
    const { start, end } = this
    this.page = Buffer.from(this.page.subarray(start, end))
    this.last -= start
    this.start = 0
    this.end = end - start
  }

  forEach(visit: RecordVisitor): void {
    const { page } = this
    const input = new ByteReader(page, this.start, this.end)
    const peek = new MetaPeek()
    for (const { bytes, start, end } of this.prints) {
      for (let at = start; at < end; at += FINGERPRINT_BYTES) {
        const record = input.position
        guard('page', () => skipRecord(input, peek))
        visit(peek.path, page.subarray(record, input.position), bytes, at, peek.sizeBytes)
      }
    }
  }
}

function skipRecord(input: ByteReader, peek: MetaPeek): void {
  const end = input.varint() + input.position
  peek.read(input)
  input.position = end
  input.take(input.varint())
}
