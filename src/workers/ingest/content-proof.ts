/** What entries claim of their content (facts that were counted while it was read), and what it really is. */
import { sha256Hex, sha256Stream } from '../../crypto/hash.ts'
import { release } from '../../util/bytes.ts'
import { metaAt } from '../browse/listed-entry.ts'
import type { EntryCursor } from '../browse/page-cursor.ts'
import { countLineFeeds } from './line-feeds.ts'

/** The same as a source is told of its streams: see StreamProof. */
export interface ContentProof {
  bytes: number
  sha256: string
  lineFeeds: number
}

export interface ContentClaim {
  /** latin1 */
  path: string
  /** The same for the same stored content. */
  key: string
  sizeBytes: number
  sha256: string
  bytes?: number
  rows?: number
}

const SHA256 = /^[0-9a-f]{64}$/

/** Of the entry that the cursor is at; undefined where it claims nothing that can be computed anew. */
export function claimAt(cursor: EntryCursor): ContentClaim | undefined {
  const meta = metaAt(cursor)
  const { sha256, bytes, rows } = meta.attributes ?? {}
  if (typeof sha256 !== 'string' || !SHA256.test(sha256)) return undefined
  return {
    path: meta.path,
    key: sha256Hex(cursor.page.subarray(cursor.streamsStart, cursor.recordEnd)),
    sizeBytes: meta.sizeBytes ?? 0,
    sha256,
    ...(typeof bytes === 'number' && { bytes }),
    ...(typeof rows === 'number' && { rows }),
  }
}

export async function proofOf(pieces: AsyncIterable<Uint8Array>, mayGoOn: () => void): Promise<ContentProof> {
  const hash = sha256Stream()
  let bytes = 0
  let lineFeeds = 0
  for await (const piece of pieces) {
    mayGoOn()
    hash.update(piece)
    bytes += piece.length
    lineFeeds += countLineFeeds(piece)
    release(piece)
  }
  return { bytes, lineFeeds, sha256: hash.digestHex() }
}
