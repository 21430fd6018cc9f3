/**
 * Pages: runs of consecutive entries in path order, cut where a keyed hash of the path alone says so, and above them
 * inner pages that say where each begins: a prolly tree with one root. Pages are stored as chunks.
 *
 *   leaf  = u8 1, u8 version, u16 0, u32 entries, records (entry.ts)
 *   inner = u8 2, u8 version, u8 level, u8 0, u32 children, children
 *   child = first path, 32 bytes page id, varint page bytes, 32 bytes fingerprint page id, varint entries, varint content bytes
 *
 * A leaf's fingerprint page holds FINGERPRINT_BYTES for each entry, in the same order, so a change of ctime or inode
 * alone re-stores 16 bytes an entry and not the page.
 */
import { ByteReader, ByteWriter, MalformedBytes } from '../util/bytes.ts'
import { FINGERPRINT_BYTES, MAX_PATH_BYTES } from './entry.ts'
import { ID_LENGTH, MAX_CHUNK_BYTES } from './streams.ts'

const LEAF = 1
const INNER = 2
const VERSION = 1
export const LEAF_HEADER_BYTES = 8
const MAX_CHILDREN = 4096
const MAX_TREE_LEVEL = 12

/** Where a page is and what lies below it. */
export interface PageRef {
  /** latin1; first entry below. */
  firstPath: string
  id: Uint8Array
  pageBytes: number
  /** Leaves only: id of the fingerprint page. Inner pages: 32 zero bytes. */
  fingerprintId: Uint8Array
  entries: number
  contentBytes: number
}

/** Root of one source's tree. Level 0 is a leaf. */
export interface TreeRoot extends PageRef {
  level: number
}

export function writeLeafHeader(target: Uint8Array, entries: number): void {
  const view = new DataView(target.buffer, target.byteOffset, LEAF_HEADER_BYTES)
  view.setUint8(0, LEAF)
  view.setUint8(1, VERSION)
  view.setUint16(2, 0, true)
  view.setUint32(4, entries, true)
}

/** A reader placed at the first record, and how many there are. */
export function openLeaf(page: Uint8Array): { records: ByteReader; entries: number } {
  const records = new ByteReader(page)
  if (records.u8() !== LEAF || records.u8() !== VERSION) throw new MalformedBytes('not a leaf page')
  records.take(2)
  const entries = records.u32()
  if (entries * 5 > page.length) throw new MalformedBytes('more entries than bytes')
  return { records, entries }
}

export function encodeInner(children: readonly PageRef[], level: number): ByteWriter {
  const out = new ByteWriter(children.length * 128 + 16)
  out.u8(INNER)
  out.u8(VERSION)
  out.u8(level)
  out.u8(0)
  out.u32(children.length)
  for (const child of children) writePageRef(out, child)
  return out
}

export function decodeInner(page: Uint8Array, level: number): PageRef[] {
  const input = new ByteReader(page)
  if (input.u8() !== INNER || input.u8() !== VERSION) throw new MalformedBytes('not an inner page')
  if (input.u8() !== level || level > MAX_TREE_LEVEL) throw new MalformedBytes('an inner page of another level')
  input.take(1)
  const count = input.u32()
  if (count > MAX_CHILDREN) throw new MalformedBytes('too many children')
  const children: PageRef[] = []
  for (let i = 0; i < count; i++) children.push(readPageRef(input))
  if (!input.atEnd) throw new MalformedBytes('bytes after the page')
  return children
}

function writePageRef(out: ByteWriter, ref: PageRef): void {
  out.latin1(ref.firstPath)
  out.raw(ref.id)
  out.varint(ref.pageBytes)
  out.raw(ref.fingerprintId)
  out.varint(ref.entries)
  out.varint(ref.contentBytes)
}

function readPageRef(input: ByteReader): PageRef {
  const firstPath = input.latin1(MAX_PATH_BYTES)
  const id = input.raw(ID_LENGTH)
  const pageBytes = input.varint()
  if (pageBytes > MAX_CHUNK_BYTES) throw new MalformedBytes('page too long')
  const fingerprintId = input.raw(ID_LENGTH)
  return { firstPath, id, pageBytes, fingerprintId, entries: input.varint(), contentBytes: input.varint() }
}

export function fingerprintPageBytes(entries: number): number {
  return entries * FINGERPRINT_BYTES
}
