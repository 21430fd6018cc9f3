/** Facts of packs in portions that fit into one fragment. */
import type { PackFacts } from '../model/fragment.ts'
import { CHUNK_ROW_BYTES } from '../model/pack.ts'
import type { ChunkTablePlain } from '../workers/chunks/chunk-index.ts'
import type { Session } from '../workers/threads/rpc.ts'

/** Copied to the worker at once. */
const COPIED_BYTES = 4 * 1024 * 1024

/** Tables of the index, made by a session of the service 'index'. */
export async function buildTables(indexer: Session, packs: readonly PackFacts[]): Promise<ChunkTablePlain[]> {
  await indexer.call('begin', { maxChunks: Math.ceil(bytesOf(packs) / CHUNK_ROW_BYTES) })
  for (const portion of portions(packs, COPIED_BYTES)) await indexer.call('packs', portion)
  return await indexer.call<ChunkTablePlain[]>('tables', null)
}

/** Of their directories, which is nearly all that a fragment holds. */
export function bytesOf(packs: readonly PackFacts[]): number {
  return packs.reduce((sum, { directory }) => sum + directory.length, 0)
}

/** Of about so many bytes each. */
export function* portions(packs: readonly PackFacts[], maxBytes: number): Generator<PackFacts[]> {
  let portion: PackFacts[] = []
  let bytes = 0
  for (const pack of packs) {
    if (portion.length > 0 && bytes + pack.directory.length > maxBytes) {
      yield portion
      portion = []
      bytes = 0
    }
    portion.push(pack)
    bytes += pack.directory.length
  }
  if (portion.length > 0) yield portion
}
