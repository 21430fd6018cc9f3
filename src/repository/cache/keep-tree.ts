/** Pages and lists that this process has stored itself need not be asked for by the next one. */
import type { FinishedPack } from '../../workers/ingest/pack-builder.ts'
import { packKey } from '../keys-layout.ts'
import type { ObjectCache } from './object-cache.ts'

/** Keeps what a pack has of metadata, segment by segment, as they lie in it; of contents nothing. */
export async function keepTree(
  cache: ObjectCache,
  name: string,
  { bytes, metadata }: Pick<FinishedPack, 'bytes' | 'metadata'>,
): Promise<void> {
  if (!cache.isOn) return
  for (const { offset, storedBytes } of metadata) {
    const item = { key: packKey(name), start: offset, bytes: storedBytes }
    await cache.put(item, bytes.subarray(offset, offset + storedBytes))
  }
}
