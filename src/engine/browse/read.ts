/** The read verb: one file of a snapshot, or a range of it, as a stream. */
import type { Readable } from 'node:stream'
import { BackupError } from '../../errors.ts'
import { type EntryMeta, typeName } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { type LinkedAbort, linkAbort, race, throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ContentRequest, FoundEntry } from '../../workers/browse.ts'
import { findSnapshot } from '../load-snapshots.ts'
import { invalidOption } from '../options.ts'
import { beginReading, type Reading } from '../reading.ts'
import { treeRoot } from '../snapshot-view.ts'
import type { ReadOptions } from '../types-browse.ts'
import type { EngineContext } from '../types-context.ts'
import { ContentStream } from './content-stream.ts'
import { type EntryPlace, entryNotFound, parseEntryPath } from './entry-path.ts'

/** @throws BackupError SNAPSHOT_NOT_FOUND, ENTRY_NOT_FOUND; INVALID_OPTIONS for what has no content, or not so much */
export async function read(engine: EngineContext, options: ReadOptions): Promise<Readable> {
  const linked = linkAbort(options.signal, engine.lifetime.signal)
  try {
    throwIfAborted(linked.signal)
    return await open(engine, options, linked)
  } catch (error) {
    linked.dispose()
    throw error
  }
}

async function open(engine: EngineContext, options: ReadOptions, linked: LinkedAbort): Promise<Readable> {
  const located = await locate(engine, options, linked.signal)
  const reading = await beginReading(engine, linked.signal)
  try {
    return await openContent(reading, options, located, linked)
  } catch (error) {
    await reading.close(error)
    throw error
  }
}

interface Located {
  root: TreeRoot
  place: EntryPlace
  snapshot: string
}

async function locate(engine: EngineContext, options: ReadOptions, signal: AbortSignal): Promise<Located> {
  const { id, record } = await race(findSnapshot(engine, options.snapshot, signal), signal)
  const place = parseEntryPath(options.path)
  const source = record.sources.find(({ name }) => name === place.source)
  if (source && place.path === '') throw notReadable(options.path, 'is a whole source', 'List its entries instead.')
  const root = treeRoot(source)
  if (!root) throw entryNotFound(id, options.path)
  return { root, place, snapshot: id }
}

async function openContent(
  reading: Reading,
  { path, range }: ReadOptions,
  { root, place, snapshot }: Located,
  linked: LinkedAbort,
): Promise<Readable> {
  const session = await reading.open('browse')
  const found = await session.call<FoundEntry | null>('find', { root, path: place.path })
  if (!found) throw entryNotFound(snapshot, path)
  const stream = contentOf(path, found)
  throwIfAborted(reading.signal)
  return new ContentStream(reading, session, requestOf(stream, range), linked)
}

/** What of types that have no content would be read is their metadata, which `entries` gives. */
const NO_CONTENT: ReadonlySet<string> = new Set(['directory', 'symlink', 'fifo', 'socket', 'device'])

function contentOf(path: string, { meta, stream }: FoundEntry): StreamRefs {
  const type = typeName(meta)
  if (type === 'directory') throw notReadable(path, 'is a directory', 'List its entries instead.')
  if (type === 'symlink')
    throw notReadable(path, `is a symlink${pointsTo(meta)}`, 'Read what it points to, if it is there.')
  if (NO_CONTENT.has(type)) throw notReadable(path, `is a ${type}, which has no content`, 'Read files only.')
  const content = stream ?? { name: '', level: 0, refs: [] }
  if (streamBytes(content) === (meta.sizeBytes ?? 0)) return content
  throw new BackupError('OBJECT_CORRUPT', `The content of "${path}" is not as long as its entry says.`, {
    origin: 'repository',
    details: { path, size: meta.sizeBytes ?? 0, contentBytes: streamBytes(content) },
  })
}

function pointsTo({ linkTarget }: EntryMeta): string {
  return linkTarget === undefined ? '' : ` to ${JSON.stringify(latin1ToUser(linkTarget))}`
}

function notReadable(path: string, why: string, hint: string): BackupError {
  return new BackupError('INVALID_OPTIONS', `read: ${JSON.stringify(path)} ${why}`, {
    origin: 'usage',
    details: { option: 'path', path },
    hint,
  })
}

/** An end behind the last byte means the last byte; a start there is a mistake. */
function requestOf(stream: StreamRefs, range: ReadOptions['range']): ContentRequest {
  const size = streamBytes(stream)
  const { start, end = size } = range ?? { start: 0 }
  if (start > size) throw invalidOption('range.start', `within the file, whose size is ${size} bytes`, start, 'read')
  return { stream, start, end: Math.min(end, size) }
}
