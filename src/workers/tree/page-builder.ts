/** Entries in path order in, a tree of pages out. Boundaries depend on paths alone, so metadata never moves them. */
import { ID_HEADROOM } from '../../crypto/chunk-id.ts'
import { FINGERPRINT_BYTES } from '../../model/entry.ts'
import { encodeInner, LEAF_HEADER_BYTES, type PageRef, type TreeRoot, writeLeafHeader } from '../../model/page.ts'
import { ByteWriter } from '../../util/bytes.ts'
import { type ChunkSink, putRecord } from '../ingest/list-builder.ts'

/** A leaf ends after an entry whose path hash is 0 modulo this: about 256 entries, 30 KB. */
const LEAF_MODULUS = 256
const INNER_MODULUS = 64
const MIN_LEAF_BYTES = 8 * 1024
const MAX_LEAF_BYTES = 256 * 1024
const MIN_CHILDREN = 8
const MAX_CHILDREN = 1024
/** Paths may be long: 1,024 of them could make a page that no reader takes. */
const MAX_INNER_BYTES = 256 * 1024
/** Of a child beside its path, about. */
const CHILD_BYTES = 96
const NO_FINGERPRINTS = new Uint8Array(32)

export class PageBuilder {
  private readonly sink: ChunkSink
  private readonly gear: Int32Array
  private readonly records = new ByteWriter(64 * 1024)
  private readonly fingerprints = new ByteWriter(16 * 1024)
  private entries = 0
  private contentBytes = 0
  private firstPath = ''
  private readonly parent: InnerBuilder

  constructor(sink: ChunkSink, gear: Int32Array) {
    this.sink = sink
    this.gear = gear
    this.parent = new InnerBuilder(sink, gear, 1)
    this.begin()
  }

  private begin(): void {
    this.records.reset()
    this.records.reserve(ID_HEADROOM + LEAF_HEADER_BYTES)
    this.fingerprints.reset()
    this.fingerprints.reserve(ID_HEADROOM)
    this.entries = 0
    this.contentBytes = 0
  }

  add(path: string, record: Uint8Array, fingerprints: Uint8Array, fingerprintAt: number, contentBytes: number): void {
    if (this.entries === 0) this.firstPath = path
    this.records.raw(record)
    const at = this.fingerprints.reserve(FINGERPRINT_BYTES)
    const { bytes } = this.fingerprints
    for (let i = 0; i < FINGERPRINT_BYTES; i++) bytes[at + i] = fingerprints[fingerprintAt + i]!
    this.entries++
    this.contentBytes += contentBytes
    if (this.isBorder(this.records.length, path)) this.cut()
  }

  private isBorder(size: number, path: string): boolean {
    return size >= MAX_LEAF_BYTES || (size >= MIN_LEAF_BYTES && hashPath(path, this.gear) % LEAF_MODULUS === 0)
  }

  /**
   * Takes a leaf that is stored already, if it is the one that its entries would make: no other is under way, and it ends
   * where a leaf has to end (the last of a tree need not). False: the entries have to be added one by one.
   * `fingerprints`: of its entries, in pieces, where the leaf's fingerprint page does not stand.
   */
  addLeaf(leaf: PageRef, lastPath: string, fingerprints: readonly Uint8Array[] | undefined): boolean {
    if (this.entries > 0 || !this.isBorder(ID_HEADROOM + leaf.pageBytes, lastPath)) return false
    if (fingerprints) {
      for (const piece of fingerprints) this.fingerprints.raw(piece)
      this.parent.add({ ...leaf, fingerprintId: this.putFingerprints() })
      this.begin()
    } else this.parent.add(leaf)
    return true
  }

  private putFingerprints(): Uint8Array {
    return this.sink.put(this.fingerprints.bytes, ID_HEADROOM, this.fingerprints.length)
  }

  private cut(): void {
    if (this.entries === 0) return
    writeLeafHeader(this.records.bytes.subarray(ID_HEADROOM), this.entries)
    const ref: PageRef = {
      firstPath: this.firstPath,
      id: this.sink.put(this.records.bytes, ID_HEADROOM, this.records.length),
      pageBytes: this.records.length - ID_HEADROOM,
      fingerprintId: this.putFingerprints(),
      entries: this.entries,
      contentBytes: this.contentBytes,
    }
    this.parent.add(ref)
    this.begin()
  }

  /** Root of the tree, or null where there were no entries. */
  finish(): TreeRoot | null {
    this.cut()
    return this.parent.finish()
  }
}

class InnerBuilder {
  private readonly sink: ChunkSink
  private readonly gear: Int32Array
  private readonly level: number
  private children: PageRef[] = []
  private parent: InnerBuilder | undefined
  private bytes = 0

  constructor(sink: ChunkSink, gear: Int32Array, level: number) {
    this.sink = sink
    this.gear = gear
    this.level = level
  }

  add(child: PageRef): void {
    this.children.push(child)
    this.bytes += child.firstPath.length + CHILD_BYTES
    const { length } = this.children
    const isBoundary = Math.floor(hashPath(child.firstPath, this.gear) / LEAF_MODULUS) % INNER_MODULUS === 0
    if (length >= MAX_CHILDREN || this.bytes >= MAX_INNER_BYTES || (length >= MIN_CHILDREN && isBoundary)) this.cut()
  }

  private cut(): void {
    const { children } = this
    if (children.length === 0) return
    this.children = []
    this.bytes = 0
    this.parent ??= new InnerBuilder(this.sink, this.gear, this.level + 1)
    const record = encodeInner(children, this.level)
    this.parent.add({
      firstPath: children[0]!.firstPath,
      id: putRecord(this.sink, record),
      pageBytes: record.length,
      fingerprintId: NO_FINGERPRINTS,
      entries: children.reduce((sum, child) => sum + child.entries, 0),
      contentBytes: children.reduce((sum, child) => sum + child.contentBytes, 0),
    })
  }

  /** The root is always an inner page: only those name the fingerprint pages. */
  finish(): TreeRoot | null {
    if (!this.parent && this.level > 1 && this.children.length === 1)
      return { ...this.children[0]!, level: this.level - 1 }
    this.cut()
    return this.parent?.finish() ?? null
  }
}

/** Keyed by the repository's gear table, over the whole path: 32 bits. Only boundaries depend on it, nothing's safety. */
export function hashPath(path: string, gear: Int32Array): number {
  let hash = 0x9e3779b1 | 0
  for (let i = 0; i < path.length; i++)
    hash = Math.imul(hash ^ gear[path.charCodeAt(i) & 0xff]!, 0x85ebca6b) ^ (hash >>> 15)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 13)) >>> 0
}
