/** Pages that this process has stored itself need not be asked for by the next one. */
import { decodeDirectory } from '../../model/pack.ts'
import type { FinishedPack } from '../../workers/pack-builder.ts'
import { packKey } from '../keys-layout.ts'
import type { ObjectCache } from './object-cache.ts'

/** Keeps the segments of a pack of pages, as they lie in it; of other packs nothing. */
export async function keepTree(
  cache: ObjectCache,
  name: string,
  { bytes, directory }: Pick<FinishedPack, 'bytes' | 'directory'>,
): Promise<void> {
  if (!cache.isOn) return
  const { kind, segments } = decodeDirectory(directory)
  if (kind !== 'tree') return
  for (const { offset, storedBytes } of segments) {
    const item = { key: packKey(name), start: offset, bytes: storedBytes }
    await cache.put(item, bytes.subarray(offset, offset + storedBytes))
  }
}
