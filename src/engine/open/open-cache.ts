/** The local cache that the options ask for. */
import { join, resolve } from 'node:path'
import type { Warning } from '../../events.ts'
import { defaultCacheFolder } from '../../repository/cache/cache-folder.ts'
import { DiskCache } from '../../repository/cache/disk-cache.ts'
import { NO_CACHE, type ObjectCache } from '../../repository/cache/object-cache.ts'
import type { EngineOptions } from '../types/engine.ts'

/** The index of 1 TB takes about 150 MB. A temporary folder may lie in memory, so not much more. */
const MAX_BYTES = 512 * 2 ** 20

/** Touches nothing before it is used. */
export function openCache(
  { cache, target }: Pick<EngineOptions, 'cache' | 'target'>,
  repositoryId: string,
  onWarning: (warning: Warning) => void,
): ObjectCache {
  if (cache === 'none' || (cache === undefined && !target.traits.remote)) return NO_CACHE
  const directory = cache ? join(resolve(cache.directory), repositoryId) : defaultCacheFolder(repositoryId)
  return new DiskCache({ directory, maxBytes: cache?.maxBytes ?? MAX_BYTES, onWarning })
}
