/**
 * The content of many entries in their order, read by several threads at once. Small ones that follow each other are read
 * as one stream, so that a segment that many of them share is opened once; long ones in parts.
 */
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { release } from '../../util/bytes.ts'
import { mapBounded } from '../../util/concurrency.ts'
import type { ContentRequest } from '../../workers/browse.ts'
import type { Session } from '../../workers/rpc.ts'
import { PieceQueue } from '../browse/piece-queue.ts'
import type { Reading } from '../reading.ts'
import type { ExportItem } from './export-items.ts'

/** Bytes that one thread reads at a time; as much waits for each. */
const UNIT_BYTES = 4 * 1024 * 1024
const UNIT_PARTS = 1000
const MAX_LANES = 4

/** Some bytes of one item: all of them, unless it is longer than a unit. */
export interface ContentPart {
  readonly item: ExportItem
  readonly bytes: Uint8Array
  readonly isFirst: boolean
  readonly isLast: boolean
}

interface Unit {
  readonly parts: { item: ExportItem; length: number; isFirst: boolean; isLast: boolean }[]
  readonly request: ContentRequest | null
}

export async function* contentParts(
  reading: Reading,
  items: AsyncIterable<ExportItem>,
): AsyncGenerator<ContentPart, void, undefined> {
  const lanes = await openLanes(reading)
  const read = async (unit: Unit): Promise<ContentPart[]> => {
    const lane = lanes.pop()!
    try {
      return await readUnit(lane, unit)
    } finally {
      lanes.push(lane)
    }
  }
  for await (const parts of mapBounded(units(items), lanes.length, read, reading.signal)) {
    yield* parts
    // Nobody holds them any longer: left to the collector they would gather.
    for (const { bytes } of parts.slice(0, 1)) release(bytes)
  }
}

function openLanes(reading: Reading): Promise<Session[]> {
  const threads = reading.lease.threads.slice(0, MAX_LANES)
  return Promise.all(threads.map((thread) => reading.open('browse', { cachedSegments: 2 }, thread)))
}

async function* units(items: AsyncIterable<ExportItem>): AsyncGenerator<Unit> {
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

function* partsOf(item: ExportItem, stream: StreamRefs, bytes: number): Generator<Unit> {
  for (let start = 0; start < bytes; start += UNIT_BYTES) {
    const end = Math.min(start + UNIT_BYTES, bytes)
    const part = { item, length: end - start, isFirst: start === 0, isLast: end === bytes }
    yield { parts: [part], request: { stream: own(stream), start, end } }
  }
}

class Gather {
  readonly parts: Unit['parts'] = []
  private readonly refs: StreamRefs['refs'] = []
  private bytes = 0

  fits({ stream }: ExportItem, bytes: number): boolean {
    return (stream?.level ?? 0) === 0 && this.bytes + bytes <= UNIT_BYTES && this.parts.length < UNIT_PARTS
  }

  add(item: ExportItem, length: number): void {
    this.parts.push({ item, length, isFirst: true, isLast: true })
    if (item.stream) this.refs.push(...own(item.stream).refs)
    this.bytes += length
  }

  unit(): Unit {
    const stream = { name: '', level: 0, refs: this.refs }
    return { parts: this.parts, request: this.bytes === 0 ? null : { stream, start: 0, end: this.bytes } }
  }
}

/** Ids that are views of a page would take all of it with them to a worker. */
function own(stream: StreamRefs): StreamRefs {
  return { ...stream, refs: stream.refs.map((ref) => (ref.id ? { ...ref, id: new Uint8Array(ref.id) } : ref)) }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
    release(piece)
  }
  return all
}

async function readUnit(lane: Session, { parts, request }: Unit): Promise<ContentPart[]> {
  const pieces: Uint8Array[] = []
  if (request) {
    const queue = new PieceQueue(lane, [request])
    for (let piece = await queue.next(); piece !== null; piece = await queue.next()) pieces.push(piece)
  }
  const all = joined(pieces)
  let at = 0
  return parts.map(({ item, length, isFirst, isLast }) => {
    const bytes = all.subarray(at, at + length)
    at += length
    return { item, bytes, isFirst, isLast }
  })
}
