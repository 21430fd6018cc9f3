/** The segments of one fetched range, opened when they are needed and given back when they are not: one or two at a time. */
import { BackupError } from '../errors.ts'
import { release } from '../util/bytes.ts'
import { openSegment, packKey } from './chunk-reader.ts'
import type { JobSegment, Piece } from './restore-job.ts'
import type { Vault } from './vault.ts'

export class OpenedSegments {
  private readonly vault: Vault
  private readonly pack: string
  private readonly bytes: Uint8Array
  private readonly rows: readonly JobSegment[]
  private readonly opened: (Uint8Array | undefined)[] = []
  private released = 0

  constructor(vault: Vault, pack: string, bytes: Uint8Array, rows: readonly JobSegment[]) {
    this.vault = vault
    this.pack = pack
    this.bytes = bytes
    this.rows = rows
  }

  /** The chunk's bytes, after its id has been computed anew: never a wrong byte goes on from here. */
  take(piece: Piece): Uint8Array {
    const segment = this.segment(piece.segment)
    const end = piece.offset + piece.length
    if (end <= segment.length && this.vault.hasher.matches(segment, piece.offset, end, piece.id)) {
      return segment.subarray(piece.offset, end)
    }
    throw new BackupError(
      'OBJECT_CORRUPT',
      `A chunk in pack ${this.pack} is damaged: its content does not match its id.`,
      {
        origin: 'repository',
        details: { object: packKey(this.pack), chunk: Buffer.from(piece.id).toString('hex') },
      },
    )
  }

  /** The same bytes without the check. */
  view({ segment, offset, length }: Piece): Uint8Array {
    return this.segment(segment).subarray(offset, offset + length)
  }

  private segment(number: number): Uint8Array {
    const known = this.opened[number]
    if (known) return known
    const { at, ...row } = this.rows[number]!
    const opened = openSegment(this.vault, this.bytes, at, { pack: this.pack, ...row })
    this.opened[number] = opened
    this.released = Math.min(this.released, number)
    return opened
  }

  /** Segments before this one are not needed now; should one be after all, it is opened again. */
  releaseBefore(number: number): void {
    const end = Math.min(number, this.opened.length)
    for (; this.released < end; this.released++) this.drop(this.released)
  }

  private drop(number: number): void {
    const segment = this.opened[number]
    this.opened[number] = undefined
    if (segment && segment.buffer !== this.bytes.buffer) release(segment)
  }

  close(): void {
    this.releaseBefore(this.opened.length)
    release(this.bytes)
  }
}
