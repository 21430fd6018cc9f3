/** Proves a whole pack: its name, every segment and chunk that the index knows of it, and its own directory. */
import { sha256Hex } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { CHUNK_ROW_BYTES, decodeDirectory, MAX_DIRECTORY_BYTES, readFooter } from '../../model/pack.ts'
import { MalformedBytes, release } from '../../util/bytes.ts'
import type { ChunkIndex, ChunkTable, IndexedSegment } from '../chunks/chunk-index.ts'
import { openSegment } from '../segments/segment-open.ts'
import type { Vault } from '../segments/vault.ts'
import type { Host } from '../threads/rpc.ts'

/** A pack in one of the index's tables. */
export interface PackPlace {
  table: number
  pack: number
}

export interface PackJob {
  name: string
  bytes: Uint8Array
  places: readonly PackPlace[]
}

export interface PackAnswer {
  /** What is wrong with it, as parts of a sentence. Empty: every byte is as it was stored. */
  reasons: string[]
  /** OBJECT_CORRUPT, or FORMAT_UNSUPPORTED where all that fails is too new. */
  code: string
  /** Chunks that cannot be had from it: numbers of entries for each of `places`. */
  lost: number[][]
  chunks: number
}

export class PackCheck {
  private readonly vault: Vault
  private readonly index: ChunkIndex
  private readonly host: Host

  constructor(vault: Vault, index: ChunkIndex, host: Host) {
    this.vault = vault
    this.index = index
    this.host = host
  }

  /** The pack's buffer is given up. */
  check({ name, bytes, places }: PackJob): PackAnswer {
    const codes = new Set<string>()
    const reasons = sha256Hex(bytes) === name ? [] : ['its SHA-256 is not its name']
    const lost: number[][] = []
    let chunks = 0
    for (const { table, pack } of places) {
      const known = this.index.tables[table]!
      const segments = known.segmentsOf(pack)
      chunks = segments.reduce((sum, segment) => sum + segment.chunks, 0)
      lost.push(segments.flatMap((segment) => this.lostChunks(name, bytes, known, segment, codes)))
      const trouble = this.directoryTrouble(bytes, known, segments)
      if (trouble !== undefined) reasons.push(trouble)
    }
    const most = Math.max(0, ...lost.map((entries) => entries.length))
    if (most > 0) reasons.push(`${most} of its ${chunks} chunks are damaged`)
    release(bytes)
    return { reasons, code: codes.size === 1 ? [...codes][0]! : 'OBJECT_CORRUPT', lost, chunks }
  }

  private lostChunks(
    name: string,
    bytes: Uint8Array,
    table: ChunkTable,
    segment: IndexedSegment,
    codes: Set<string>,
  ): number[] {
    this.host.throwIfAborted()
    try {
      const raw = openSegment(this.vault, bytes, segment.offset, { pack: name, ...segment })
      const wrong = this.wrongChunks(raw, table, segment)
      if (raw.buffer !== bytes.buffer) release(raw)
      return wrong
    } catch (error) {
      if (!BackupError.is(error) || error.origin !== 'repository') throw error
      codes.add(error.code)
      return Array.from({ length: segment.chunks }, (_, i) => segment.firstEntry + i)
    }
  }

  private wrongChunks(raw: Uint8Array, table: ChunkTable, { firstEntry, chunks }: IndexedSegment): number[] {
    const wrong: number[] = []
    let offset = 0
    for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
      const end = offset + table.lengthOf(entry)
      if (!this.vault.hasher.matches(raw, offset, end, table.ids.idOf(entry))) wrong.push(entry)
      offset = end
    }
    return wrong
  }

  /** The index could not be made again from a pack whose own directory is not what the index says. */
  private directoryTrouble(
    bytes: Uint8Array,
    table: ChunkTable,
    segments: readonly IndexedSegment[],
  ): string | undefined {
    try {
      const { offset } = readFooter(bytes)
      const { raw } = this.vault.opener.open(bytes, offset, { cls: 'index', maxRawBytes: MAX_DIRECTORY_BYTES })
      return sameDirectory(raw, table, segments) ? undefined : 'its directory is not what the index says'
    } catch (error) {
      if (!(error instanceof MalformedBytes) && !(BackupError.is(error) && error.origin === 'repository')) throw error
      return 'its directory cannot be read'
    }
  }
}

function sameDirectory(raw: Uint8Array, table: ChunkTable, known: readonly IndexedSegment[]): boolean {
  const { segments, chunkRows } = decodeDirectory(raw)
  if (segments.length !== known.length) return false
  let at = 0
  for (const [number, { offset, storedBytes, rawBytes, chunks }] of segments.entries()) {
    const mine = known[number]!
    if (offset !== mine.offset || storedBytes !== mine.storedBytes || rawBytes !== mine.rawBytes) return false
    if (chunks !== mine.chunks) return false
    for (let i = 0; i < chunks; i++, at += CHUNK_ROW_BYTES) {
      const entry = mine.firstEntry + i
      if (chunkRows.readUInt32LE(at + 32) !== table.lengthOf(entry)) return false
      if (chunkRows.compare(table.ids.idOf(entry), 0, 32, at, at + 32) !== 0) return false
    }
  }
  return true
}
