/** Walks the leaves of one source's tree in path order, from the start or from a path on. */
import { BackupError } from '../errors.ts'
import { FINGERPRINT_BYTES, MAX_PATH_BYTES } from '../model/entry.ts'
import { decodeInner, fingerprintPageBytes, openLeaf, type PageRef, type TreeRoot } from '../model/page.ts'
import { type ByteReader, MalformedBytes } from '../util/bytes.ts'
import { comparePaths } from '../util/paths.ts'
import { type ChunkReader, corruptRecord } from './chunk-reader.ts'

export interface Leaf {
  ref: PageRef
  page: Uint8Array
  entries: number
}

/** Leaves that begin the walk before `from` are skipped where no entry at or after it can be in them. */
export async function* walkLeaves(reader: ChunkReader, root: TreeRoot, from = ''): AsyncGenerator<Leaf> {
  yield* walk(reader, root, root.level, from)
}

async function* walk(reader: ChunkReader, ref: PageRef, level: number, from: string): AsyncGenerator<Leaf> {
  const page = await reader.chunk(ref.id, ref.pageBytes)
  if (level === 0) {
    yield { ref, page, entries: guard('page', () => openLeaf(page).entries) }
    return
  }
  const children = guard('page', () => decodeInner(page, level))
  for (let i = firstChild(children, from); i < children.length; i++) yield* walk(reader, children[i]!, level - 1, from)
}

/** The last child that begins at or before the path. */
function firstChild(children: readonly PageRef[], from: string): number {
  let low = 0
  let high = children.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (comparePaths(children[middle]!.firstPath, from) <= 0) low = middle
    else high = middle - 1
  }
  return low
}

export function guard<T>(what: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof MalformedBytes || error instanceof RangeError) throw corruptRecord(what, error)
    throw error
  }
}

/** One entry at a time, as views of its page: path, meta bytes, streams bytes, fingerprint. */
export class EntryCursor {
  private readonly reader: ChunkReader
  private readonly leaves: AsyncGenerator<Leaf>
  private readonly withFingerprints: boolean
  private records: ByteReader | undefined
  private left = 0
  private fingerprintAt = 0
  private fingerprints: Uint8Array | undefined
  /** latin1; undefined past the end. */
  path: string | undefined
  recordStart = 0
  recordEnd = 0
  metaStart = 0
  metaEnd = 0
  streamsStart = 0
  page: Buffer = Buffer.alloc(0)

  constructor(reader: ChunkReader, root: TreeRoot, options: { from?: string; fingerprints?: boolean } = {}) {
    this.reader = reader
    this.leaves = walkLeaves(reader, root, options.from)
    this.withFingerprints = options.fingerprints ?? false
  }

  /** True if `next` needs to wait for a page. */
  get needsLeaf(): boolean {
    return this.left === 0
  }

  /** Loads the next leaf; false at the end, where `path` is undefined. */
  async loadLeaf(): Promise<boolean> {
    const { value: leaf } = await this.leaves.next()
    if (!leaf) {
      this.path = undefined
      return false
    }
    const { records, entries } = guard('page', () => openLeaf(leaf.page))
    this.records = records
    this.page = records.bytes
    this.left = entries
    this.fingerprintAt = -FINGERPRINT_BYTES
    if (this.withFingerprints) {
      this.fingerprints = await this.reader.chunk(leaf.ref.fingerprintId, fingerprintPageBytes(entries))
    }
    return entries > 0 || this.loadLeaf()
  }

  /** Moves to the next entry of the leaf. */
  step(): void {
    const records = this.records!
    this.left--
    this.fingerprintAt += FINGERPRINT_BYTES
    try {
      this.recordStart = records.position
      const metaBytes = records.varint()
      this.metaStart = records.take(metaBytes)
      this.metaEnd = records.position
      const streamsBytes = records.varint()
      this.streamsStart = records.take(streamsBytes)
      this.recordEnd = records.position
      this.path = this.readPath()
    } catch (error) {
      throw corruptRecord('page', error as Error)
    }
  }

  private readPath(): string {
    const records = this.records!
    const end = records.position
    records.position = this.metaStart + 2
    const path = records.latin1(MAX_PATH_BYTES)
    records.position = end
    return path
  }

  /** Moves on, over a leaf's border too. False at the end. */
  async next(): Promise<boolean> {
    if (this.left === 0 && !(await this.loadLeaf())) return false
    this.step()
    return true
  }

  fingerprintEquals(other: Uint8Array, at: number): boolean {
    const mine = this.fingerprints
    if (!mine) throw new BackupError('INTERNAL', 'no fingerprints were loaded', { origin: 'repository' })
    let any = 0
    for (let i = 0; i < FINGERPRINT_BYTES; i++) {
      const byte = mine[this.fingerprintAt + i]!
      if (byte !== other[at + i]) return false
      any |= byte
    }
    return any !== 0
  }

  async close(): Promise<void> {
    await this.leaves.return(undefined)
  }
}
