/**
 * Changes on their way from a worker, and in memory for as long as their diff is: bytes, since a million objects would
 * take ten times as much and each would cost the host's thread.
 *
 *   row = u8 type, u8 sides (1 before, 2 after), then for each side u32 meta bytes, meta (entry.ts)
 */
import { type EntryMeta, readMeta, writeMeta } from '../../model/entry.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'

export const DIFF_TYPES = ['added', 'modified', 'deleted', 'metadata', 'type-changed'] as const
export type DiffType = (typeof DIFF_TYPES)[number]

export interface DiffRow {
  type: DiffType
  before?: EntryMeta
  after?: EntryMeta
}

export interface RowBatch {
  rows: Uint8Array<ArrayBuffer>
  count: number
  /** latin1; of the last row. '' where there is none. */
  lastPath: string
  /** In the order of DIFF_TYPES: how many, and the bytes of their entries (of the newer side, where there is one). */
  counts: number[]
  bytes: number[]
}

const HAS_BEFORE = 1
const HAS_AFTER = 2

export class RowWriter {
  private readonly out = new ByteWriter(16 * 1024)
  private counts = zeros()
  private bytes = zeros()
  private lastPath = ''
  count = 0

  add({ type, before, after }: DiffRow): void {
    const index = DIFF_TYPES.indexOf(type)
    const newest = (after ?? before)!
    this.count++
    this.counts[index]!++
    this.bytes[index]! += newest.sizeBytes ?? 0
    this.lastPath = newest.path
    this.out.u8(index)
    this.out.u8((before ? HAS_BEFORE : 0) | (after ? HAS_AFTER : 0))
    if (before) this.addSide(before)
    if (after) this.addSide(after)
  }

  private addSide(meta: EntryMeta): void {
    const { out } = this
    const at = out.reserve(4)
    writeMeta(out, meta)
    out.bytes.writeUInt32LE(out.length - at - 4, at)
  }

  /** The rows, and an empty writer. */
  take(): RowBatch {
    const { count, counts, bytes, lastPath } = this
    const batch = { rows: this.out.copy(), count, counts, bytes, lastPath }
    this.out.reset()
    this.count = 0
    this.counts = zeros()
    this.bytes = zeros()
    this.lastPath = ''
    return batch
  }
}

function zeros(): number[] {
  return DIFF_TYPES.map(() => 0)
}

export function* readRows({ rows }: RowBatch): Generator<DiffRow> {
  const input = new ByteReader(rows)
  while (!input.atEnd) {
    const type = DIFF_TYPES[input.u8()]!
    const sides = input.u8()
    yield {
      type,
      ...(sides & HAS_BEFORE && { before: readSide(input) }),
      ...(sides & HAS_AFTER && { after: readSide(input) }),
    }
  }
}

function readSide(input: ByteReader): EntryMeta {
  return readMeta(new ByteReader(input.raw(input.u32())))
}
