/** Fills one pack after the other in a buffer of its own: segments sealed in place, then the directory and the footer. */

import { sha256 } from '../../crypto/hash.ts'
import { randomBytes } from '../../crypto/random.ts'
import { BackupError } from '../../errors.ts'
import type { PackFacts } from '../../model/fragment.ts'
import {
  CHUNK_ROW_BYTES,
  directoryBytes,
  encodeDirectory,
  FOOTER_BYTES,
  MAX_SEGMENT_RAW_BYTES,
  PACK_BYTES,
  PACK_HEADER_BYTES,
  PACK_RANDOM_BYTES,
  type PackKind,
  type SegmentRow,
  writeFooter,
  writePackHeader,
} from '../../model/pack.ts'
import { ByteWriter, release } from '../../util/bytes.ts'
import type { Vault } from '../segments/vault.ts'

export interface FinishedPack extends PackFacts {
  kind: PackKind
  /** Segments of pages and lists: what a later run reads again. */
  metadata: readonly Pick<SegmentRow, 'offset' | 'storedBytes'>[]
  /** From offset 0 of a buffer that nothing else uses; the buffer may be longer. */
  bytes: Uint8Array<ArrayBuffer>
}

/** What a box adds to its payload at most. */
const BOX_SLACK_BYTES = 1024

export class PackBuilder {
  private readonly vault: Vault
  private readonly kind: PackKind
  private readonly packBytes: number
  private readonly onFull: (pack: FinishedPack) => void
  private readonly spare: ArrayBuffer[] = []
  private pack: Uint8Array<ArrayBuffer> | undefined
  private position = 0
  private segments: SegmentRow[] = []
  private metadata: SegmentRow[] = []
  private readonly rows = new ByteWriter(16 * 1024)

  /** `packBytes`: no pack becomes larger. */
  constructor(vault: Vault, kind: PackKind, onFull: (pack: FinishedPack) => void, packBytes = PACK_BYTES) {
    this.vault = vault
    this.kind = kind
    this.onFull = onFull
    this.packBytes = packBytes
  }

  /** Seals one segment. `rows` is its part of the directory: CHUNK_ROW_BYTES for each chunk. Returns stored bytes. */
  add(raw: Uint8Array, rows: Uint8Array, compress: boolean, metadata = this.kind === 'tree'): number {
    const chunks = rows.length / CHUNK_ROW_BYTES
    for (let attempt = 0; attempt < 2; attempt++) {
      const pack = this.pack ?? this.begin()
      const room = Math.max(0, pack.length - this.closingBytes(chunks))
      const written = this.vault.sealer.sealInto(pack.subarray(0, room), this.position, 'content', raw, { compress })
      if (written >= 0) {
        this.compare(pack, raw)
        const row = { offset: this.position, storedBytes: written, rawBytes: raw.length, chunks }
        this.segments.push(row)
        if (metadata) this.metadata.push(row)
        this.rows.raw(rows)
        this.position += written
        return written
      }
      this.finish()
    }
    throw new BackupError('INTERNAL', 'a segment does not fit into an empty pack', { origin: 'repository' })
  }

  /** Takes over a segment that is sealed already, as its box is: its place is not bound. */
  addSealed(box: Uint8Array, rawBytes: number, rows: Uint8Array): void {
    const chunks = rows.length / CHUNK_ROW_BYTES
    for (let attempt = 0; attempt < 2; attempt++) {
      const pack = this.pack ?? this.begin()
      if (this.position + box.length <= pack.length - this.closingBytes(chunks)) {
        pack.set(box, this.position)
        this.segments.push({ offset: this.position, storedBytes: box.length, rawBytes, chunks })
        this.rows.raw(rows)
        this.position += box.length
        return
      }
      this.finish()
    }
    throw new BackupError('INTERNAL', 'a segment does not fit into an empty pack', { origin: 'repository' })
  }

  /** Room that directory and footer will need if one more segment of this many chunks comes. */
  private closingBytes(chunks: number): number {
    const all = this.rows.length / CHUNK_ROW_BYTES + chunks
    return directoryBytes(this.segments.length + 1, all) + BOX_SLACK_BYTES + FOOTER_BYTES
  }

  /** Bad memory is caught here, while the source still exists: what was sealed is opened again and compared. */
  private compare(pack: Uint8Array, raw: Uint8Array): void {
    if (!this.vault.compare) return
    const opened = this.vault.opener.open(pack, this.position, { cls: 'content', maxRawBytes: MAX_SEGMENT_RAW_BYTES })
    const isSame = Buffer.compare(opened.raw, raw) === 0
    if (opened.raw.buffer !== pack.buffer) release(opened.raw)
    if (isSame) return
    throw new BackupError('TRANSFORM_FAILED', 'A segment did not decode to what was encoded.', {
      origin: 'transform',
      retryable: true,
      hint: 'This points to bad memory, or to a transform that does not reverse itself. Nothing was committed.',
    })
  }

  private begin(): Uint8Array<ArrayBuffer> {
    const buffer = this.spare.pop() ?? new ArrayBuffer(this.packBytes)
    this.pack = new Uint8Array(buffer)
    writePackHeader(this.pack, randomBytes(PACK_RANDOM_BYTES))
    this.position = PACK_HEADER_BYTES
    this.segments = []
    this.metadata = []
    this.rows.reset()
    return this.pack
  }

  /** Closes the pack under way, if it holds anything. */
  finish(): void {
    const { pack } = this
    if (!pack || this.segments.length === 0) return
    const directory = encodeDirectory({ kind: this.kind, segments: this.segments, chunkRows: this.rows.view() })
    const written = this.vault.sealer.sealInto(pack, this.position, 'index', directory, { compress: false })
    if (written < 0) throw new BackupError('INTERNAL', 'a pack has no room for its directory', { origin: 'repository' })
    const end = this.position + written
    writeFooter(pack, end, this.position, written)
    const bytes = pack.subarray(0, end + FOOTER_BYTES)
    this.pack = undefined
    const { kind, metadata } = this
    this.onFull({ kind, metadata, name: sha256(bytes), packBytes: bytes.length, directory, bytes })
  }

  /** A buffer that came back from an upload, to be filled again. */
  recycle(buffer: ArrayBuffer): void {
    if (buffer.byteLength === this.packBytes && this.spare.length < 1) this.spare.push(buffer)
  }
}
