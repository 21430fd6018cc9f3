/**
 * The content of many entries in their order, some of it read ahead. Small ones that follow each other are read as one
 * stream, so that a segment that many of them share is opened once; long ones in parts.
 */
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { release } from '../../util/bytes.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { ZipItem } from './zip-items.ts'

/** Bytes that are read at a time; as much waits. */
const UNIT_BYTES = 4 * 1024 * 1024
/** Entries of a unit: few, so that what they leave behind is collected while it is young. */
const UNIT_PARTS = 250
/** Units that are read at once: a target far away is asked for the next before the last has come. */
const AHEAD = 2

/** Bytes [start, end) of a stream, in pieces that own their buffers. */
export type ReadContent = (stream: StreamRefs, start: number, end: number) => AsyncIterable<Uint8Array>

/** Some bytes of one item. */
interface PlannedPart {
  readonly item: ZipItem
  readonly bytes: number
  readonly isFirst: boolean
  readonly isLast: boolean
}

/** One piece is all of the item; what is longer than a unit comes in several, that belong to whoever takes them. */
export interface ContentPart extends PlannedPart {
  readonly pieces: readonly Uint8Array[]
}

interface Unit {
  readonly parts: readonly PlannedPart[]
  readonly stream: StreamRefs
  readonly start: number
  readonly end: number
}

/** Whole items are to be used before the next are asked for: then their buffer is given back. */
export async function* contentParts(
  read: ReadContent,
  items: AsyncIterable<ZipItem>,
): AsyncGenerator<readonly ContentPart[], void, undefined> {
  for await (const parts of mapBounded(units(items), AHEAD, (unit) => readUnit(read, unit))) {
    yield parts
    const [first] = parts
    // Left to the collector they would gather.
    if (first?.isFirst && first.isLast) release(first.pieces[0]!)
  }
}

async function* units(items: AsyncIterable<ZipItem>): AsyncGenerator<Unit> {
  let gather = new Gather()
  for await (const item of items) {
    const bytes = item.stream ? streamBytes(item.stream) : 0
    if (!gather.fits(item, bytes)) {
      if (gather.parts.length > 0) yield gather.unit()
      gather = new Gather()
    }
    if (item.stream && (bytes > UNIT_BYTES || item.stream.level > 0)) yield* partsOf(item, item.stream, bytes)
    else gather.add(item, bytes)
  }
  if (gather.parts.length > 0) yield gather.unit()
}

function* partsOf(item: ZipItem, stream: StreamRefs, bytes: number): Generator<Unit> {
  for (let start = 0; start < bytes; start += UNIT_BYTES) {
    const end = Math.min(start + UNIT_BYTES, bytes)
    yield { parts: [{ item, bytes: end - start, isFirst: start === 0, isLast: end === bytes }], stream, start, end }
  }
}

class Gather {
  readonly parts: PlannedPart[] = []
  private readonly refs: StreamRefs['refs'] = []
  private bytes = 0

  fits({ stream }: ZipItem, bytes: number): boolean {
    return (stream?.level ?? 0) === 0 && this.bytes + bytes <= UNIT_BYTES && this.parts.length < UNIT_PARTS
  }

  add(item: ZipItem, bytes: number): void {
    this.parts.push({ item, bytes, isFirst: true, isLast: true })
    for (const ref of item.stream?.refs ?? []) this.refs.push(ref)
    this.bytes += bytes
  }

  unit(): Unit {
    return { parts: this.parts, stream: { name: '', level: 0, refs: this.refs }, start: 0, end: this.bytes }
  }
}

async function readUnit(read: ReadContent, { parts, stream, start, end }: Unit): Promise<ContentPart[]> {
  const pieces: Uint8Array[] = []
  if (end > start) for await (const piece of read(stream, start, end)) pieces.push(piece)
  const [first] = parts
  if (first && !(first.isFirst && first.isLast)) return [{ ...first, pieces }]
  const all = joined(pieces, end - start)
  let at = 0
  return parts.map((part) => {
    const mine = all.subarray(at, at + part.bytes)
    at += part.bytes
    return { ...part, pieces: [mine] }
  })
}

function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const all = new Uint8Array(bytes)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
    release(piece)
  }
  return all
}
