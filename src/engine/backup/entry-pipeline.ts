/** A custom source into the repository: its entries and streams come through the main thread, and leave it by transfer. */
import { FINGERPRINT_BYTES, readMeta } from '../../model/entry.ts'
import type { RepositoryWriter } from '../../repository/writer.ts'
import type { SourceEntry, SourceSession } from '../../sources/source.ts'
import { ByteReader, ByteWriter } from '../../util/bytes.ts'
import { type ReadJob, type ReadResult, STATUS_OK } from '../../workers/ingest.ts'
import type { Session } from '../../workers/rpc.ts'
import { fingerprintOf, type SourceBatch, sendContent, sourceBatches } from './source-entries.ts'
import { type PipelineHooks, type SourceInput, SourcePipeline, type SourceResult } from './source-pipeline.ts'

export async function backupEntries(
  writer: RepositoryWriter,
  session: SourceSession,
  input: SourceInput,
  hooks: PipelineHooks,
): Promise<SourceResult> {
  const pipeline = new SourcePipeline(writer, hooks)
  await pipeline.begin(input)
  for await (const entries of sourceBatches(input.name, session, hooks.signal)) {
    await pushEntries(writer, pipeline, entries, hooks)
  }
  hooks.scanned()
  return pipeline.end()
}

async function pushEntries(
  writer: RepositoryWriter,
  pipeline: SourcePipeline,
  { batch, contents }: SourceBatch,
  hooks: PipelineHooks,
): Promise<void> {
  pipeline.noteScan(batch, [])
  const { count, contentBytes } = batch
  const { batch: number, job, path } = await pipeline.merge(batch)
  hooks.done(count - (job?.count ?? 0), contentBytes - (job?.contentBytes ?? 0), path)
  if (!job) return
  const result = await readContents(writer.ingest[0]!, job, contents, hooks)
  await pipeline.complete(number, result, job.count, job.contentBytes, path)
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
    const read = await sendContent(session, job.source, entry, hooks.signal)
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
