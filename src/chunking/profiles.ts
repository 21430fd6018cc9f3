/** How content is cut. The config names profiles, and an entry names its profile, so that later versions can add others. */
export interface ChunkProfile {
  readonly name: string
  readonly minBytes: number
  /** A power of two. */
  readonly avgBytes: number
  readonly maxBytes: number
}

const KIB = 1024

/** File contents: large chunks keep the index small, and files mostly change as a whole. */
export const FILES_PROFILE: ChunkProfile = {
  name: 'files',
  minBytes: 128 * KIB,
  avgBytes: 512 * KIB,
  maxBytes: 2048 * KIB,
}

/** Rows of a table: after 1 % random updates, 16 KiB stores half of what 64 KiB would. */
export const TABLE_PROFILE: ChunkProfile = {
  name: 'table',
  minBytes: 4 * KIB,
  avgBytes: 16 * KIB,
  maxBytes: 64 * KIB,
}

/** More chunks than this cost a table more in the index than small chunks save. */
const MAX_TABLE_CHUNKS = 2_000_000
/** What a config may name at most. */
const MAX_CHUNK_BYTES = 4096 * KIB

/**
 * How a stream of that size is cut: `table` with all its lengths doubled until about two million chunks are enough. It
 * depends on nothing but the size, so a table that grows past a border (32 GB, 64 GB …) is stored anew once.
 */
export function tableProfileFor(table: ChunkProfile, sizeBytes = 0): ChunkProfile {
  let factor = 1
  while (sizeBytes / (table.avgBytes * factor) > MAX_TABLE_CHUNKS && table.maxBytes * factor * 2 <= MAX_CHUNK_BYTES) {
    factor *= 2
  }
  const { name, minBytes, avgBytes, maxBytes } = table
  return { name, minBytes: minBytes * factor, avgBytes: avgBytes * factor, maxBytes: maxBytes * factor }
}
