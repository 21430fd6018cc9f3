/** The read verb: one file of a snapshot, or a range of it, as a stream. A table is read as its rows, one entry after the other. */
import type { Readable } from 'node:stream'
import { BackupError } from '../../errors.ts'
import { type EntryMeta, isContainer, TYPE_TABLE, typeName } from '../../model/entry.ts'
import type { TreeRoot } from '../../model/page.ts'
import { type StreamRefs, streamBytes } from '../../model/streams.ts'
import { type LinkedAbort, linkAbort, race, throwIfAborted } from '../../util/abort.ts'
import { latin1ToUser } from '../../util/paths.ts'
import type { ContentRequest, FoundEntry, ListAnswer, ListRequest } from '../../workers/browse/service.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { invalidOption } from '../options/index.ts'
import { beginReading, type Reading } from '../reading/reading.ts'
import { findSnapshot } from '../snapshots/load.ts'
import { treeRoot } from '../snapshots/view.ts'
import type { ReadOptions } from '../types/browse.ts'
import type { EngineContext } from '../types/context.ts'
import { ContentStream } from './content-stream.ts'
import { type EntryPlace, entryNotFound, parseEntryPath } from './entry-path.ts'

const ROWS_PAGE = 1000

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
  const parts = isTable(found)
    ? partsOf(session, root, await rowsOf(session, root, place), range)
    : [requestOf(contentOf(path, found), range)]
  throwIfAborted(reading.signal)
  return new ContentStream(reading, session, parts, linked)
}

function isTable({ meta, stream }: FoundEntry): boolean {
  return stream === null && meta.type === TYPE_TABLE && isContainer(meta)
}

/** What a table holds, in order. */
async function rowsOf(session: Session, root: TreeRoot, { source, path }: EntryPlace): Promise<EntryMeta[]> {
  const rows: EntryMeta[] = []
  let from: string | undefined
  do {
    const request: ListRequest = { root, source, folder: path, recursive: true, from, limit: ROWS_PAGE }
    const answer = await session.call<ListAnswer>('list', request)
    rows.push(...answer.entries.filter(({ sizeBytes }) => sizeBytes))
    from = answer.next
  } while (from !== undefined)
  return rows
}

/** Those of the rows that lie in the range. Their references are looked up when it is their turn. */
function partsOf(
  session: Session,
  root: TreeRoot,
  rows: readonly EntryMeta[],
  range: ReadOptions['range'],
): AsyncGenerator<ContentRequest> {
  const size = rows.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0)
  const { start, end } = checkRange(size, range)
  return partsWithin(session, root, rows, start, end)
}

async function* partsWithin(
  session: Session,
  root: TreeRoot,
  rows: readonly EntryMeta[],
  start: number,
  end: number,
): AsyncGenerator<ContentRequest> {
  let at = 0
  for (const { path, sizeBytes = 0 } of rows) {
    const from = Math.max(start - at, 0)
    const to = Math.min(end - at, sizeBytes)
    at += sizeBytes
    if (from >= to) continue
    const found = await session.call<FoundEntry>('find', { root, path })
    yield { stream: contentOf(latin1ToUser(path), found), start: from, end: to }
  }
}

/** What of types that have no content would be read is their metadata, which `entries` gives. */
export const NO_CONTENT: ReadonlySet<string> = new Set(['directory', 'symlink', 'fifo', 'socket', 'device'])

/** @throws BackupError INVALID_OPTIONS for what cannot have content; OBJECT_CORRUPT */
export function contentOf(path: string, { meta, stream }: FoundEntry): StreamRefs {
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

function requestOf(stream: StreamRefs, range: ReadOptions['range']): ContentRequest {
  return { stream, ...checkRange(streamBytes(stream), range) }
}

/** An end behind the last byte means the last byte; a start there is a mistake. */
function checkRange(size: number, range: ReadOptions['range']): { start: number; end: number } {
  const { start, end = size } = range ?? { start: 0 }
  if (start > size) throw invalidOption('range.start', `within the file, whose size is ${size} bytes`, start, 'read')
  return { start, end: Math.min(end, size) }
}
