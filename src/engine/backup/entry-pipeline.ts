/** A custom source into the repository: its entries and streams come through the main thread, and leave it by transfer. */
import { sha256 } from '../../crypto/hash.ts'
import { BackupError } from '../../errors.ts'
import { ENTRY_TYPES, type EntryMeta, FINGERPRINT_BYTES, readMeta, TYPE_OTHER } from '../../model/entry.ts'
import { BatchWriter, FLAG_CONTENT, FLAG_FORCE_READ } from '../../model/entry-batch.ts'
import type { RepositoryWriter } from '../../repository/writer.ts'
import type { EntryContent, SourceEntry, SourceSession } from '../../sources/source.ts'
import { throwIfAborted } from '../../util/abort.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'
import { isSafePath, latin1ToUser, userToLatin1 } from '../../util/paths.ts'
import { type ReadJob, type ReadResult, STATUS_OK } from '../../workers/ingest.ts'
import type { Session } from '../../workers/rpc.ts'
import { fromSource } from './open-sources.ts'
import { type PipelineHooks, type SourceInput, SourcePipeline, type SourceResult } from './source-pipeline.ts'

export async function backupEntries(
  writer: RepositoryWriter,
  session: SourceSession,
  input: SourceInput,
  hooks: PipelineHooks,
): Promise<SourceResult> {
  const pipeline = new SourcePipeline(writer, hooks)
  await pipeline.begin(input)
  const entries = session.entries()[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await fromSource(input.name, entries.next())
      if (done) break
      throwIfAborted(hooks.signal)
      await pushEntries(writer, pipeline, input.name, value, hooks)
    }
  } finally {
    await entries.return?.()
  }
  hooks.scanned()
  return pipeline.end()
}

async function pushEntries(
  writer: RepositoryWriter,
  pipeline: SourcePipeline,
  source: string,
  entries: readonly SourceEntry[],
  hooks: PipelineHooks,
): Promise<void> {
  if (entries.length === 0) return
  const contents = new Map<string, SourceEntry>()
  const batchWriter = new BatchWriter()
  for (const entry of entries) addEntry(batchWriter, contents, source, entry)
  const batch = batchWriter.take('', 0)
  pipeline.noteScan(batch, [])
  const { count, contentBytes } = batch
  const { batch: number, job, path } = await pipeline.merge(batch)
  hooks.done(count - (job?.count ?? 0), contentBytes - (job?.contentBytes ?? 0), path)
  if (!job) return
  const result = await readContents(writer.ingest[0]!, job, contents, hooks)
  await pipeline.complete(number, result, job.count, job.contentBytes, path)
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

function fingerprintOf(fingerprint: string | undefined): [bigint, bigint] {
  if (fingerprint === undefined) return [0n, 0n]
  const digest = Buffer.from(sha256(new TextEncoder().encode(fingerprint)))
  return [digest.readBigInt64LE(0), digest.readBigUInt64LE(8)]
}

/** One stream after the other: a worker cuts and packs, the source is never ahead of it by more than one piece. */
async function readContents(
  session: Session,
  job: ReadJob,
  contents: ReadonlyMap<string, SourceEntry>,
  hooks: PipelineHooks,
): Promise<ReadResult> {
  const input = new ByteReader(job.metas)
  const records = new ByteWriter(16 * 1024)
  const fingerprints = new ByteWriter(job.count * FINGERPRINT_BYTES)
  let readBytes = 0
  for (let i = 0; i < job.count; i++) {
    const end = input.u32() + input.position
    const meta = readMeta(input)
    input.position = end
    const entry = contents.get(meta.path)!
    const read = await send(session, job.source, entry, hooks)
    checkSize(job.source, entry, read)
    const record = await session.call<Uint8Array>('end', { meta: { ...meta, sizeBytes: meta.sizeBytes ?? read } })
    records.u32(record.length)
    records.raw(record)
    const [low, high] = fingerprintOf(entry.fingerprint)
    fingerprints.i64(low)
    fingerprints.i64(BigInt.asIntN(64, high))
    readBytes += read
  }
  const statuses = new Uint8Array(job.count).fill(STATUS_OK)
  return { records: records.copy(), fingerprints: fingerprints.copy(), statuses, warnings: [], readBytes }
}

function checkSize(source: string, { path, size }: SourceEntry, read: number): void {
  if (size === undefined || size === read) return
  throw new BackupError('SOURCE_CHANGED', `Source ${source} announced ${size} bytes for "${path}" and gave ${read}.`, {
    origin: 'source',
    retryable: true,
    details: { source, path: latin1ToUser(path), announced: size, read },
  })
}

async function send(session: Session, source: string, entry: SourceEntry, hooks: PipelineHooks): Promise<number> {
  let sent = 0
  const pieces = await fromSource(source, openContent(entry.content!, hooks.signal))
  const iterator = pieces[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await fromSource(source, iterator.next())
      if (done) return sent
      const bytes = owned(value)
      sent += bytes.length
      await session.call('data', { source, bytes }, [bytes.buffer])
    }
  } finally {
    await iterator.return?.()
  }
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
