/**
 * What is sound of a damaged pack, into new packs: segments that open, and of which every chunk matches its id, as they are;
 * of others the chunks that do.
 */
import { looksIncompressible } from '../../chunking/entropy.ts'
import { BackupError } from '../../errors.ts'
import { CHUNK_ROW_BYTES } from '../../model/pack.ts'
import { release } from '../../util/bytes.ts'
import type { ChunkTable, IndexedSegment } from '../chunks/chunk-index.ts'
import type { PackBuilder } from '../ingest/pack-builder.ts'
import { openSegment } from '../segments/segment-open.ts'
import type { Vault } from '../segments/vault.ts'

export interface SalvageJob {
  /** One place of the pack in the index. */
  table: number
  pack: number
  /** All of it that is there. */
  bytes: Uint8Array
}

export interface SalvageAnswer {
  chunks: number
  bytes: number
}

export function salvage(
  vault: Vault,
  builder: PackBuilder,
  table: ChunkTable,
  { pack, bytes }: SalvageJob,
): SalvageAnswer {
  const saved = { chunks: 0, bytes: 0 }
  const name = table.packName(pack)
  for (const segment of table.segmentsOf(pack)) {
    const raw = opened(vault, bytes, name, segment)
    if (!raw) continue
    const { rows, pieces } = soundOf(vault, raw, table, segment)
    const chunks = rows.length / CHUNK_ROW_BYTES
    if (chunks === segment.chunks) {
      const { offset, storedBytes, rawBytes } = segment
      builder.addSealed(bytes.subarray(offset, offset + storedBytes), rawBytes, rows)
    } else if (chunks > 0) {
      const sound = Buffer.concat(pieces)
      builder.add(sound, rows, !looksIncompressible(sound, 0, sound.length))
    }
    saved.chunks += chunks
    saved.bytes += chunks > 0 ? segment.storedBytes : 0
    if (raw.buffer !== bytes.buffer) release(raw)
  }
  return saved
}

/** Undefined where the segment is damaged. */
function opened(vault: Vault, bytes: Uint8Array, pack: string, segment: IndexedSegment): Uint8Array | undefined {
  try {
    return openSegment(vault, bytes, segment.offset, { pack, ...segment })
  } catch (error) {
    if (BackupError.is(error) && error.code === 'OBJECT_CORRUPT') return undefined
    throw error
  }
}

function soundOf(
  vault: Vault,
  raw: Uint8Array,
  table: ChunkTable,
  { firstEntry, chunks }: IndexedSegment,
): { rows: Uint8Array; pieces: Uint8Array[] } {
  const rows: Buffer[] = []
  const pieces: Uint8Array[] = []
  let offset = 0
  for (let entry = firstEntry; entry < firstEntry + chunks; entry++) {
    const end = offset + table.lengthOf(entry)
    const id = table.ids.idOf(entry)
    if (end <= raw.length && vault.hasher.matches(raw, offset, end, id)) {
      const row = Buffer.alloc(CHUNK_ROW_BYTES)
      row.set(id)
      row.writeUInt32LE(end - offset, 32)
      rows.push(row)
      pieces.push(raw.subarray(offset, end))
    }
    offset = end
  }
  return { rows: Buffer.concat(rows), pieces }
}
