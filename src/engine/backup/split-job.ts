/** Large files of one batch go to different workers: with three of them at the end one worker had all the work. */
import { FINGERPRINT_BYTES, MetaPeek } from '../../model/entry.ts'
import { ByteReader } from '../../util/bytes.ts'
import type { ReadJob, ReadResult } from '../../workers/ingest/service.ts'

/** Content of a part, unless it is a single file. */
const PART_BYTES = 16 * 1024 * 1024

/** The job itself, or parts of it in order that own their buffers. */
export function splitJob(job: ReadJob): ReadJob[] {
  if (job.count < 2 || job.contentBytes <= PART_BYTES) return [job]
  const input = new ByteReader(job.metas)
  const peek = new MetaPeek()
  const parts: ReadJob[] = []
  let [first, start, bytes] = [0, 0, 0]
  for (let i = 0; i < job.count; i++) {
    const at = input.position
    const end = input.u32() + input.position
    peek.read(input)
    input.position = end
    if (i > first && bytes + peek.sizeBytes > PART_BYTES) {
      parts.push(partOf(job, first, i, start, at, bytes))
      ;[first, start, bytes] = [i, at, 0]
    }
    bytes += peek.sizeBytes
  }
  parts.push(partOf(job, first, job.count, start, job.metas.length, bytes))
  return parts
}

function partOf(job: ReadJob, first: number, end: number, from: number, to: number, contentBytes: number): ReadJob {
  const fingerprints = job.fingerprints.slice(first * FINGERPRINT_BYTES, end * FINGERPRINT_BYTES)
  return { ...job, count: end - first, metas: job.metas.slice(from, to), fingerprints, contentBytes }
}

/** What reading the whole job would have given. */
export function joinResults(results: readonly ReadResult[]): ReadResult {
  if (results.length === 1) return results[0]!
  return {
    records: joined(results.map(({ records }) => records)),
    fingerprints: joined(results.map(({ fingerprints }) => fingerprints)),
    statuses: joined(results.map(({ statuses }) => statuses)),
    warnings: results.flatMap(({ warnings }) => warnings),
    readBytes: results.reduce((sum, { readBytes }) => sum + readBytes, 0),
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
