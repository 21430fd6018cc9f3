/** What a local copy of stored bytes has to offer. Who reads from it authenticates the bytes as if they came from the target. */
import type { RangeRequest } from '../../workers/segments/segment-open.ts'
import { packKey } from '../keys-layout.ts'
import type { FetchRange, PagesAhead } from './pages-ahead.ts'

/** A record, or a range of a pack. What is kept under it never changes, but for snapshots: see `RecordListing`. */
export interface CachedItem {
  readonly key: string
  /** Of a range; absent for a whole object. */
  readonly start?: number
  readonly bytes: number
}

/** No method rejects: whatever is wrong with the cache, the target still has everything. */
export interface ObjectCache {
  readonly isOn: boolean
  /** As many bytes as asked for, which own their buffer; else undefined. */
  get(item: CachedItem): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** The bytes are free for other use once this resolves. */
  put(item: CachedItem, body: Uint8Array): Promise<void>
  /** For what turned out not to be what it should be. */
  drop(item: CachedItem): Promise<void>
  /** Records in one file (record-bundle.ts), by the first part of their keys. */
  getBundle(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>
  putBundle(name: string, body: Uint8Array): Promise<void>
  /** Resolves when nothing goes on behind the callers. */
  settled(): Promise<void>
}

export const NO_CACHE: ObjectCache = {
  isOn: false,
  get: async () => undefined,
  put: async () => {},
  drop: async () => {},
  getBundle: async () => undefined,
  putBundle: async () => {},
  settled: async () => {},
}

/**
 * A worker's request for a range of a pack. Metadata (pages, lists, facts) is kept; what the worker could not use comes
 * from the target itself the next time. With `ahead` its neighbours come along.
 */
export async function rangeThrough(
  cache: ObjectCache,
  request: RangeRequest,
  fetch: FetchRange,
  ahead?: PagesAhead,
): Promise<Uint8Array<ArrayBuffer>> {
  const { pack, start, end, metadata = false, again = false } = request
  const item = { key: packKey(pack), start, bytes: end - start }
  if (again) {
    await cache.drop(item)
    return await fetch(request)
  }
  if (!metadata) return await fetch(request)
  const kept = await cache.get(item)
  if (kept !== undefined) return kept
  if (ahead) return await ahead.read(request, fetch)
  const fetched = await fetch(request)
  await cache.put(item, fetched)
  return fetched
}
