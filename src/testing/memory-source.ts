import { BackupError } from '../errors.ts'
import {
  type EntryContent,
  type EntryFacts,
  SOURCE_NAME,
  type Source,
  type SourceContext,
  type SourceEntry,
  type SourceSession,
  type StreamProof,
} from '../sources/source.ts'
import { throwIfAborted } from '../util/abort.ts'
import { comparePaths, isSafePath, userToLatin1 } from '../util/paths.ts'

/** Bytes, text (as UTF-8), or a function that gives the content as a stream, afresh each time it is called; or more of one. */
export type MemoryContent = string | Uint8Array | (() => AsyncIterable<Uint8Array>) | MemoryStream

/** A stream with what the contract has beside its bytes. */
export interface MemoryStream {
  open(): AsyncIterable<Uint8Array>
  chunks?: 'files' | 'table'
  /** Default: what the worker counted becomes the facts `bytes`, `sha256` and `lineFeeds`. */
  finish?(proof: StreamProof): EntryFacts | Promise<EntryFacts>
}

export interface MemorySource extends Source {
  /** Writes a file, or removes it with null. Sessions that are open do not see it. */
  set(path: string, content: MemoryContent | null): void
}

interface MemoryFile {
  readonly content: Exclude<MemoryContent, string>
  /** Counts every change of the source, so that no two contents have the same. */
  readonly version: number
}

const BATCH = 1000

/**
 * A source of files in memory, for tests: each session is a consistent moment, and unchanged files have equal fingerprints.
 * @throws BackupError INVALID_OPTIONS for a bad name or path
 */
export function memorySource(options: {
  name: string
  files?: Readonly<Record<string, MemoryContent>>
  /** Streams read at once. Default 1. */
  concurrency?: number
}): MemorySource {
  const { concurrency = 1 } = options
  if (!SOURCE_NAME.test(options.name)) throw invalid('name', options.name)
  const files = new Map<string, MemoryFile>()
  let version = 0
  const set = (path: string, content: MemoryContent | null): void => {
    if (!isSafePath(userToLatin1(path))) throw invalid('path', path)
    if (content === null) files.delete(path)
    else files.set(path, { content: ownBytes(content), version: ++version })
  }
  for (const [path, content] of Object.entries(options.files ?? {})) set(path, content)
  return {
    apiVersion: 1,
    name: options.name,
    kind: 'memory',
    open: async (context) => {
      throwIfAborted(context.signal)
      return { concurrency, ...session(new Map(files), context) }
    },
    set,
  }
}

function invalid(option: string, value: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `memorySource: ${option} ${JSON.stringify(value)} is not allowed`, {
    origin: 'usage',
    details: { option, value },
  })
}

function ownBytes(content: MemoryContent): MemoryFile['content'] {
  if (isStream(content)) return content
  return typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content)
}

function isStream(content: MemoryContent): content is Exclude<MemoryContent, string | Uint8Array> {
  return typeof content === 'function' || (typeof content === 'object' && 'open' in content)
}

function session(files: ReadonlyMap<string, MemoryFile>, { signal }: SourceContext): SourceSession {
  const sorted = [...files].sort(([a], [b]) => comparePaths(userToLatin1(a), userToLatin1(b)))
  return {
    describe: async () => ({ files: files.size }),
    totals: async () => ({ items: files.size, bytes: totalBytes(files) }),
    async *entries() {
      for (let at = 0; at < sorted.length; at += BATCH) {
        throwIfAborted(signal)
        yield sorted.slice(at, at + BATCH).map(([path, file]) => entryOf(path, file))
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Null where a stream's length is not known before it has been read. */
function totalBytes(files: ReadonlyMap<string, MemoryFile>): number | null {
  let bytes = 0
  for (const { content } of files.values()) {
    if (isStream(content)) return null
    bytes += content.length
  }
  return bytes
}

function entryOf(path: string, { content, version }: MemoryFile): SourceEntry {
  const entry: SourceEntry = {
    path,
    type: 'file',
    mode: 0o644,
    fingerprint: `v${version}`,
    content: contentOf(content),
  }
  if (!isStream(content)) entry.size = content.length
  return entry
}

/** What is yielded is given away, so it is a copy. */
function contentOf(content: MemoryFile['content']): EntryContent {
  if (typeof content === 'function') return { from: 'stream', open: () => content() }
  if (isStream(content)) {
    const { chunks, finish = (proof: StreamProof): EntryFacts => ({ ...proof }) } = content
    return { from: 'stream', open: () => content.open(), finish, ...(chunks && { chunks }) }
  }
  return { from: 'bytes', bytes: new Uint8Array(content) }
}
