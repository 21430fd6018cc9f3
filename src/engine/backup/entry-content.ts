/** Content of a custom source's entry on its way to a worker. */
import { BackupError } from '../../errors.ts'
import type { EntryContent, SourceEntry } from '../../sources/source.ts'
import { race } from '../../util/abort.ts'
import type { StreamHead } from '../../workers/ingest/stream-ingest.ts'
import type { Session } from '../../workers/threads/rpc.ts'
import { fromSource } from './open-sources.ts'
import { StreamPump } from './stream-pump.ts'

export interface ContentWay {
  session: Session
  stream: StreamHead
  signal: AbortSignal
  /** Bytes read since the last call. */
  onBytes(bytes: number): void
}

export interface SentContent {
  /** All of it. */
  bytes: number
  /** What the worker has not had yet: for the message that ends the stream. */
  tail: Uint8Array<ArrayBuffer>
}

/** Content in memory that is as short as this goes in one message. */
const SHORT_BYTES = 256 * 1024

/** Describes the stream for the worker. `id`: unique in the worker's session. */
export function streamHead(id: number, source: string, { content, size }: SourceEntry): StreamHead {
  const { chunks = 'files', holes = true, finish } = content?.from === 'stream' ? content : {}
  return { id, source, chunks, holes, sizeBytes: size, prove: finish !== undefined }
}

/** @throws BackupError SOURCE_CHANGED where it is not as long as announced */
export async function sendContent(entry: SourceEntry, way: ContentWay): Promise<SentContent> {
  const sent = await send(entry.content!, way)
  const { size = entry.size } = insteadOf(entry) ?? {}
  checkSize(way.stream.source, entry.path, size, sent.bytes)
  return sent
}

async function send(content: EntryContent, { session, stream, signal, onBytes }: ContentWay): Promise<SentContent> {
  if (content.from === 'bytes' && content.bytes.length <= SHORT_BYTES) {
    onBytes(content.bytes.length)
    return { bytes: content.bytes.length, tail: new Uint8Array(content.bytes) }
  }
  let bytes = 0
  const pieces = await opened(stream.source, content, signal)
  const pump = new StreamPump({
    source: stream.source,
    signal,
    send: (piece) => session.call('data', { stream, bytes: piece }, [piece.buffer]),
    onBytes: (count) => {
      bytes += count
      onBytes(count)
    },
  })
  return { tail: await pump.run(pieces), bytes }
}

/** Of an entry that has been read: what was, where that is not what was listed. */
export function insteadOf({ content }: SourceEntry) {
  return content?.from === 'stream' ? content.instead?.() : undefined
}

function checkSize(source: string, path: string, size: number | undefined, read: number): void {
  if (size === undefined || size === read) return
  throw new BackupError('SOURCE_CHANGED', `Source ${source} announced ${size} bytes for "${path}" and gave ${read}.`, {
    origin: 'source',
    retryable: true,
    details: { source, path, announced: size, read },
  })
}

async function opened(source: string, content: EntryContent, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const opening = fromSource(source, openContent(content, signal))
  try {
    return await race(opening, signal)
  } catch (error) {
    // One that opens when nobody waits any more must not keep its connection.
    opening.then((late) => late[Symbol.asyncIterator]().return?.()).catch(() => undefined)
    throw error
  }
}

async function openContent(content: EntryContent, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (content.from === 'stream') return content.open({ signal })
  if (content.from === 'bytes') return once(new Uint8Array(content.bytes))
  const { createReadStream } = await import('node:fs')
  return createReadStream(content.path, { highWaterMark: 1024 * 1024, signal })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
