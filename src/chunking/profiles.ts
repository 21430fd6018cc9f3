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
