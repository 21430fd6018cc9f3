/** The segments of one fetched range, opened when they are needed and given back when they are not: one or two at a time. */
import { BackupError } from '../../errors.ts'
import { release } from '../../util/bytes.ts'
import type { JobSegment, Piece } from '../restore/job.ts'
import type { Host } from '../threads/rpc.ts'
import { isDamage, MOST_FETCHES, openSegment, packKey, type RangeRequest } from './segment-open.ts'
import type { Vault } from './vault.ts'

export interface FetchedRange {
  pack: string
  /** Where the bytes begin in the pack. */
  start: number
  bytes: Uint8Array
}

export class OpenedSegments {
  private readonly vault: Vault
  private readonly pack: string
  private readonly start: number
  private readonly bytes: Uint8Array
  private readonly rows: readonly JobSegment[]
  /** The one that could not be opened the last time. */
  private damaged: number | undefined
  /** Segments that were fetched once more, and how often. */
  private readonly fetchedAgain = new Map<number, { stored: Uint8Array; fetches: number }>()
  private readonly opened: (Uint8Array | undefined)[] = []
  private released = 0

  constructor(vault: Vault, { pack, start, bytes }: FetchedRange, rows: readonly JobSegment[]) {
    this.vault = vault
    this.pack = pack
    this.start = start
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
    this.damaged = number
    const opened = openSegment(this.vault, this.stored(number), 0, { pack: this.pack, ...this.rows[number]! })
    this.damaged = undefined
    this.opened[number] = opened
    this.released = Math.min(this.released, number)
    return opened
  }

  private stored(number: number): Uint8Array {
    const { at, storedBytes } = this.rows[number]!
    return this.fetchedAgain.get(number)?.stored ?? this.bytes.subarray(at, at + storedBytes)
  }

  /**
   * Bytes may change on their way: fetches the segment again whose opening has failed with this error. Throws the error
   * where that is of no use: it is another one, or the same bytes come again.
   */
  async mend(error: unknown, host: Host): Promise<void> {
    const { damaged, pack } = this
    if (damaged === undefined || !isDamage(error)) throw error
    const { at, storedBytes } = this.rows[damaged]!
    const { fetches } = this.fetchedAgain.get(damaged) ?? { fetches: 1 }
    if (fetches === MOST_FETCHES) throw error
    const start = this.start + at
    const request: RangeRequest = { pack, start, end: start + storedBytes, again: true }
    const stored = (await host.call('range', request)) as Uint8Array
    if (Buffer.compare(stored, this.stored(damaged)) === 0) throw error
    this.fetchedAgain.set(damaged, { stored, fetches: fetches + 1 })
  }

  /** Segments before this one are not needed now; should one be after all, it is opened again. */
  releaseBefore(number: number): void {
    const end = Math.min(number, this.opened.length)
    for (; this.released < end; this.released++) this.drop(this.released)
  }

  private drop(number: number): void {
    const segment = this.opened[number]
    this.opened[number] = undefined
    // What was stored as it is may be a view of what was fetched, which may be needed again.
    const isView = segment?.buffer === this.stored(number).buffer
    if (segment && !isView) release(segment)
  }

  close(): void {
    this.releaseBefore(this.opened.length)
    release(this.bytes)
  }
}
