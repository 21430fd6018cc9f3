/** A custom source's entries and their content, as workers take them. */
import { sha256 } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { ENTRY_TYPES, type EntryMeta, TYPE_OTHER } from '../../model/entry.ts'
import { BatchWriter, type EntryBatch, FLAG_CONTENT, FLAG_FORCE_READ } from '../../model/entry-batch.ts'
import type { EntryContent, SourceEntry, SourceSession } from '../../sources/source.ts'
import { race, throwIfAborted } from '../../util/abort.ts'
import { isSafePath, userToLatin1 } from '../../util/paths.ts'
import type { Session } from '../../workers/rpc.ts'
import { fromSource } from './open-sources.ts'

export interface SourceBatch {
  batch: EntryBatch
  /** Those that have content, by latin1 path. */
  contents: ReadonlyMap<string, SourceEntry>
}

/** Batches as the source gives them, none of them empty. */
export async function* sourceBatches(
  source: string,
  session: SourceSession,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch> {
  for await (const entries of pulled(source, session.entries(), signal)) {
    if (entries.length > 0) yield batchOf(source, entries)
  }
}

/** What a plugin yields; but an abort does not wait for a plugin that does not listen to it. */
async function* pulled<T>(source: string, items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await race(fromSource(source, iterator.next()), signal)
      if (done) return
      throwIfAborted(signal)
      yield value
    }
  } finally {
    const ended = fromSource(source, Promise.resolve(iterator.return?.()))
    if (signal.aborted) ended.catch(() => undefined)
    else await ended
  }
}

function batchOf(source: string, entries: readonly SourceEntry[]): SourceBatch {
  const contents = new Map<string, SourceEntry>()
  const writer = new BatchWriter()
  for (const entry of entries) addEntry(writer, contents, source, entry)
  return { batch: writer.take('', 0), contents }
}

function addEntry(out: BatchWriter, contents: Map<string, SourceEntry>, source: string, entry: SourceEntry): void {
  const meta = metaOf(entry)
  if (!isSafePath(meta.path)) {
    throw new BackupError('SOURCE_INCOMPLETE', `Source ${source} gave a path that cannot be kept: "${entry.path}".`, {
      origin: 'source',
      details: { source, path: entry.path },
      hint: "Paths are relative, without empty, '.' or '..' segments and without NUL.",
    })
  }
  const [low, high] = fingerprintOf(entry.fingerprint)
  const forced = entry.fingerprint === undefined ? FLAG_FORCE_READ : 0
  if (entry.content) contents.set(meta.path, entry)
  out.add(meta, entry.content ? FLAG_CONTENT | forced : 0, low, high)
}

function metaOf(entry: SourceEntry): EntryMeta {
  const type = ENTRY_TYPES.indexOf(entry.type as (typeof ENTRY_TYPES)[number])
  const attributes = { ...entry.facts, ...(type < 0 && { 'holdfast.type': entry.type }) }
  const { mtimeNs = entry.modifiedAt && BigInt(entry.modifiedAt.getTime()) * 1_000_000n } = entry
  return {
    path: userToLatin1(entry.path),
    type: type < 0 ? TYPE_OTHER : type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeNs,
    sizeBytes: entry.size,
    linkTarget: entry.linkTarget === undefined ? undefined : userToLatin1(entry.linkTarget),
    linkGroup: entry.linkGroup === undefined ? undefined : userToLatin1(entry.linkGroup),
    attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
  }
}

/** What a batch carries of it; both 0 where there is none. */
export function fingerprintOf(fingerprint: string | undefined): [bigint, bigint] {
  if (fingerprint === undefined) return [0n, 0n]
  const digest = Buffer.from(sha256(new TextEncoder().encode(fingerprint)))
  return [digest.readBigInt64LE(0), digest.readBigUInt64LE(8)]
}

/** Gives an entry's content to a worker, never more than one piece ahead of it. The number of bytes. */
export async function sendContent(
  session: Session,
  source: string,
  entry: SourceEntry,
  signal: AbortSignal,
): Promise<number> {
  let sent = 0
  const pieces = await race(fromSource(source, openContent(entry.content!, signal)), signal)
  for await (const piece of pulled(source, pieces, signal)) {
    const bytes = owned(piece)
    sent += bytes.length
    await session.call('data', { source, bytes }, [bytes.buffer])
  }
  checkSize(source, entry, sent)
  return sent
}

function checkSize(source: string, { path, size }: SourceEntry, read: number): void {
  if (size === undefined || size === read) return
  throw new BackupError('SOURCE_CHANGED', `Source ${source} announced ${size} bytes for "${path}" and gave ${read}.`, {
    origin: 'source',
    retryable: true,
    details: { source, path, announced: size, read },
  })
}

async function openContent(content: EntryContent, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (content.from === 'stream') return content.open({ signal })
  if (content.from === 'bytes') return once(new Uint8Array(content.bytes))
  const { createReadStream } = await import('node:fs')
  return createReadStream(content.path, { highWaterMark: 1024 * 1024, signal })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

/** Bytes that own their buffer are given away; a piece of a pool is copied. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
  return whole ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}
