/** Entries with where their content is, for a copy into another repository. */
import { sha256Hex } from '../../crypto/hash.ts'
import type { EntryMeta } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { comparePaths } from '../../util/paths.ts'
import { mainStream, metaAt, streamsAt } from './listed-entry.ts'
import type { EntryCursor } from './page-cursor.ts'

export interface ContentsRequest {
  root: TreeRoot
  /** latin1; where to begin (see `behindEntry`). */
  from: string
  limit: number
}

export interface ContentsAnswer {
  entries: ListedContent[]
  /** `from` of the next request; absent at the end. */
  next?: string
}

export interface ListedContent {
  meta: EntryMeta
  /** The same for the same stored content, within a repository: ids are hashes of what they stand for. */
  key: string
  /** Null for what has no bytes. Its ids may be views of a page. */
  stream: StreamRefs | null
  /** How it seems to have been cut. */
  chunks: 'files' | 'table'
}

export async function listContents(
  cursor: EntryCursor,
  { from, limit }: Pick<ContentsRequest, 'from' | 'limit'>,
  mayGoOn: () => void,
): Promise<ContentsAnswer> {
  const entries: ListedContent[] = []
  while (await cursor.next()) {
    mayGoOn()
    const path = cursor.path!
    if (comparePaths(path, from) < 0) continue
    entries.push(contentAt(cursor))
    if (entries.length >= limit) return { entries, next: `${path}/` }
  }
  return { entries }
}

function contentAt(cursor: EntryCursor): ListedContent {
  const stream = mainStream(streamsAt(cursor))
  const key = sha256Hex(cursor.page.subarray(cursor.streamsStart, cursor.recordEnd))
  return {
    meta: metaAt(cursor),
    key,
    stream: stream && streamBytes(stream) > 0 ? stream : null,
    chunks: stream && averageChunk(stream) < FEWER_THAN_FILES ? 'table' : 'files',
  }
}

/** Chunks of files are never shorter, but for the last; those of rows seldom as long. */
const FEWER_THAN_FILES = 128 * 1024
/** Bytes that a reference takes in a list, about. */
const REF_BYTES = 35

/** About; of a stream of one chunk nothing can be said, and nothing depends on it. */
function averageChunk({ level, refs }: StreamRefs): number {
  const [first] = refs.filter(({ id }) => id)
  if (!first || (level === 0 && refs.length === 1)) return Number.POSITIVE_INFINITY
  return level === 0 ? first.sizeBytes : first.sizeBytes / (first.chunkBytes / REF_BYTES) ** level
}
